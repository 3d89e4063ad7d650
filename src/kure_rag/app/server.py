"""Serves the app by Streamlit, until it is interrupted."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from kure_rag.app.running import chat_model, start
from kure_rag.app.settings import AppSettings
from kure_rag.chat.model import key_in, key_name
from kure_rag.errors import ConfigError, MissingExtraError
from kure_rag.pipeline import KureIndex

SCRIPT = Path(__file__).resolve().parent / "script" / "kure_rag_app.py"
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


def check(settings: AppSettings) -> None:
    """Looks whether the app could be served, before an index is opened for it.

    Raises:
        MissingExtraError: Streamlit is not installed.
        ConfigError: The address cannot be listened on.
        LlmError: The chat server's URL or API key makes no sense. Whether it runs is not asked: it may come up later.
    """
    from importlib.util import find_spec

    if find_spec("streamlit") is None:
        raise MissingExtraError("The web app", "app")
    if settings.llm is not None:
        key_in(key_name(chat_model(settings)))
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.host, settings.port))
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {settings.host} port {settings.port} ({error.strerror or error}); "
            "choose another address with --host or another port with --port"
        ) from None


def serve(index: KureIndex, settings: AppSettings) -> None:
    """Serves until Ctrl-C."""
    from streamlit.web import bootstrap

    look_nothing_up()
    options = streamlit_options(settings)
    running = start(index, settings)
    try:
        bootstrap.load_config_options(flag_options=options)
        bootstrap.run(str(SCRIPT), False, [], options)
    finally:
        running.close()


def look_nothing_up() -> None:
    """Keeps Streamlit from finding out this machine's addresses.

    For a web socket that another site's page opens, it would ask a server on the Internet which public address this
    machine has, to allow pages from there, and Streamlit has no setting against it. Pages that the app itself served
    are known by their host, and need none of that.
    """
    from streamlit import net_util

    net_util.get_external_ip = net_util.get_internal_ip = lambda: None


def address(settings: AppSettings) -> str:
    """What to open in a browser."""
    host = "localhost" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def streamlit_options(settings: AppSettings) -> dict[str, Any]:
    """Streamlit's own settings: nothing is sent anywhere, nothing looked up, and errors keep their insides."""
    return {
        "server_address": settings.host,
        "server_port": settings.port,
        "server_headless": True,
        "server_fileWatcherType": "none",
        "server_maxUploadSize": settings.upload_megabytes,
        "server_enableXsrfProtection": True,
        "server_enableCORS": True,
        # Another site's page must not reach an app on this machine by a name that it points here.
        "server_allowedHosts": list(_THIS_MACHINE) if settings.host in _THIS_MACHINE else [],
        "browser_gatherUsageStats": False,
        "client_showErrorDetails": "none",
        "client_showErrorLinks": False,
        "client_toolbarMode": "minimal",
        "logger_hideWelcomeMessage": True,  # it would ask a server for this machine's public address
        "runner_magicEnabled": False,
        "theme_base": "light",
        "theme_primaryColor": "#1f5fbf",
    }
