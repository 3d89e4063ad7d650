"""Servers' addresses, and keys that would cross a network to them unencrypted.

For embedding servers and language models alike.
"""

from __future__ import annotations

import ipaddress
import logging
from urllib.parse import SplitResult, urlsplit

_log = logging.getLogger(__name__)


def server_parts(url: str) -> tuple[SplitResult, str]:
    """The parts of a server's ``http`` or ``https`` URL, and its host.

    Raises:
        ValueError: It is none. What it says may repeat a piece of the URL: look for passwords before.
    """
    parts = urlsplit(url.strip())
    host, port = parts.hostname, parts.port  # raises for half an IPv6 address, and for a port that is none
    if parts.scheme not in ("http", "https"):
        raise ValueError("it begins with neither http:// nor https://")
    if not host:
        raise ValueError("it names no server")
    if port == 0:
        raise ValueError("there is no port 0")
    return parts, host


def may_hold_key(url: object) -> bool:
    """Whether an address has a part that some people put keys into: a user's name, a query or a fragment."""
    return isinstance(url, str) and any(sign in url for sign in "@?#")


def is_open(scheme: str, host: str) -> bool:
    """Whether what is sent to a server can be read on the way: plain ``http`` to another machine."""
    return scheme == "http" and not is_here(host)


def is_here(host: str) -> bool:
    """Whether a host is this machine, so that what is sent to it passes no network."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def warn_of_open_key(url: str, variable: str) -> None:
    """Says that a key goes to a server for which :func:`is_open` holds.

    Args:
        url: The server, as a message may show it.
        variable: The environment variable that holds the key.
    """
    _log.warning(
        "%s: the key in %s is sent there without encryption, and whoever is on the way can read it; use "
        "https://, or unset %s where the server needs no key (said once)",
        url,
        variable,
        variable,
    )
