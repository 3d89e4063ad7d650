"""The HTTP server below every stand-in of the tests."""

from __future__ import annotations

from http.server import ThreadingHTTPServer


class QuietServer(ThreadingHTTPServer):
    """Serves each connection in a thread, and says nothing of a client that hung up.

    The standard one prints a traceback then, into whatever test is capturing stderr by that time.
    """

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no news."""
