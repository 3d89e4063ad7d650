"""A model hub on this machine: the part of the real one's protocol that looking up and downloading a model needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote

from quiet_server import QuietServer


@dataclass(slots=True)
class Hub:
    """What it holds, and what was asked of it.

    Attributes:
        files: (repository, commit) → file → content.
        refs: (repository, branch or tag) → commit.
        gated: Repositories whose terms nobody accepted.
        down: Whether connections are dropped without an answer.
        torn: Whether files break off in the middle.
        asked: Method and path of each request.
    """

    files: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=dict)
    refs: dict[tuple[str, str], str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    down: bool = False
    torn: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def push(self, repository: str, folder: Path, branch: str = "main", **more: bytes) -> str:
        """A new commit with the files of a folder; ``more`` has ``__`` for ``.`` in names."""
        files = {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
        files |= {name.replace("__", "."): content for name, content in more.items()}
        known = repr((repository, sorted(files.items()), len(self.files)))
        commit = hashlib.sha1(known.encode()).hexdigest()
        self.files[repository, commit] = files
        self.refs[repository, branch] = commit
        return commit

    def downloaded(self) -> set[str]:
        """Files that were fetched, not only looked at."""
        return {
            path.split("/resolve/")[1].partition("/")[2]
            for path in self.asked
            if path.startswith("GET /") and "/resolve/" in path
        }


@contextmanager
def running() -> Iterator[Hub]:
    """A hub on a free port, until the block is left."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            path = unquote(self.path.partition("?")[0])
            hub.asked.append(f"{self.command} {path}")
            if hub.down:
                self.close_connection = True
                return
            parts = path.strip("/").split("/")
            if parts[:2] == ["api", "models"]:
                self._info("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
            elif len(parts) > 4 and parts[2] == "resolve":
                self._file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
            else:
                self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"})

        def _commit(self, repository: str, revision: str) -> str | None:
            if not any(repository == name for name, _ in hub.files):
                self._send(401, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
                return None
            commit = hub.refs.get((repository, revision), revision)
            if (repository, commit) not in hub.files:
                self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound", "X-Error-Message": "Invalid rev id"})
                return None
            return commit

        def _info(self, repository: str, revision: str) -> None:
            if (commit := self._commit(repository, revision)) is not None:
                siblings = [{"rfilename": name} for name in hub.files[repository, commit]]
                body = {"_id": "1", "id": repository, "sha": commit, "siblings": siblings, "tags": [], "private": False}
                self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

        def _file(self, repository: str, revision: str, file: str) -> None:
            if (commit := self._commit(repository, revision)) is None:
                return
            head = {"X-Repo-Commit": commit}
            if repository in hub.gated:
                self._send(403, b"{}", {**head, "X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted"})
            elif (content := hub.files[repository, commit].get(file)) is None:
                self._send(404, b"{}", {**head, "X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"})
            else:
                self._send(200, content, {**head, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                if hub.torn and status == 200 and len(body) > 1000:
                    body, self.close_connection = body[: len(body) // 2], True
                self.wfile.write(body)

    server = QuietServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
