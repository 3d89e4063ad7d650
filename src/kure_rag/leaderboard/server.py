"""Serves the leaderboard by Streamlit, until it is interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kure_rag.app import server as app_server
from kure_rag.app.settings import AppSettings
from kure_rag.errors import MissingExtraError
from kure_rag.leaderboard.settings import LeaderboardSettings

SCRIPT = Path(__file__).resolve().parent / "script" / "kure_rag_leaderboard.py"
_now: list[LeaderboardSettings] = []  # Streamlit runs the page anew for each click and hands it nothing


def check(settings: LeaderboardSettings) -> None:
    """Looks whether the page could be served.

    Raises:
        MissingExtraError: Streamlit is not installed.
        ConfigError: The address cannot be listened on.
    """
    from importlib.util import find_spec

    if find_spec("streamlit") is None:
        raise MissingExtraError("The leaderboard", "leaderboard")
    app_server.check(_as_app(settings))


def serve(settings: LeaderboardSettings) -> None:
    """Serves until Ctrl-C."""
    from streamlit.web import bootstrap

    app_server.look_nothing_up()
    start(settings)
    options = streamlit_options(settings)
    bootstrap.load_config_options(flag_options=options)
    bootstrap.run(str(SCRIPT), False, [], options)


def start(settings: LeaderboardSettings) -> None:
    """Says what the page is to show."""
    _now[:] = [settings]


def current() -> LeaderboardSettings:
    """What :func:`start` was told last."""
    return _now[-1]


def address(settings: LeaderboardSettings) -> str:
    """What to open in a browser."""
    return app_server.address(_as_app(settings))


def streamlit_options(settings: LeaderboardSettings) -> dict[str, Any]:
    """The app's options of Streamlit, which keep it quiet, but as light or dark as the browser is."""
    options = app_server.streamlit_options(_as_app(settings))
    quiet = {name: value for name, value in options.items() if not name.startswith("theme_")}
    return {**quiet, "theme_light_primaryColor": "#1f5fbf", "theme_dark_primaryColor": "#7fb0ff"}


def _as_app(settings: LeaderboardSettings) -> AppSettings:
    return AppSettings(host=settings.host, port=settings.port, language=settings.language)
