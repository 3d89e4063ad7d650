"""The page as Streamlit runs it, without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from leaderboard_runs import COMPANY, EVIL, save_run

from kure_rag.leaderboard.server import SCRIPT, start
from kure_rag.leaderboard.settings import LeaderboardSettings
from kure_rag.leaderboard.words import WORDS

testing = pytest.importorskip("streamlit.testing.v1", reason="the extra leaderboard is not installed")


def page(*runs: Path, **settings: object) -> testing.AppTest:
    start(LeaderboardSettings(runs=runs, **settings))  # type: ignore[arg-type]
    app = testing.AppTest.from_file(str(SCRIPT), default_timeout=60).run()
    assert not app.exception
    return app


def test_without_runs_it_shows_the_published_rows_and_says_how_to_measure_a_speed() -> None:
    app = page()
    assert app.title[0].value == WORDS["ko"]["title"]
    (table,) = app.dataframe
    assert len(table.value) == 18
    assert set(table.value["origin"]) == {"공개"}
    assert not app.warning
    said = " ".join(caption.value.replace("\\", "") for caption in app.caption)
    assert WORDS["ko"]["no_speed"] in said
    assert "openai/text-embedding-3-large" in said, "its size is unknown"
    assert [len(chosen.value) for chosen in app.multiselect] == [3]


def test_own_runs_have_their_tables_and_what_is_broken_is_said(runs: Path) -> None:
    app = page(runs, language="en")
    assert len(app.dataframe) == 4
    assert [warning.value.replace("\\", "").startswith("To look into") for warning in app.warning] == [True]
    assert EVIL in list(app.dataframe[1].value["model"]) + list(app.dataframe[2].value["model"])
    app.radio(key="metric").set_value("map").run()
    app.radio(key="k").set_value(3).run()
    assert not app.exception
    assert app.dataframe[0].value["average"][1] == pytest.approx(0.61945, abs=1e-5), "KURE-v1's MAP@3"
    app.selectbox(key="speed-scope").set_value(COMPANY).run()
    assert not app.exception


def test_a_run_that_is_finished_meanwhile_appears_when_the_page_is_loaded_again(tmp_path: Path) -> None:
    save_run(tmp_path, "a", task=COMPANY, value=0.5)
    app = page(tmp_path)
    assert len(app.dataframe[1].value) == 1
    save_run(tmp_path, "b", task=COMPANY, value=0.6, pipeline="dense")
    assert len(app.run().dataframe[1].value) == 2
