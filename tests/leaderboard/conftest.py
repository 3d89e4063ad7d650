"""A board of published and own rows, and its page, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from app import browsing
from leaderboard_runs import COMPANY, EVIL, save_all_tasks, save_run

from kure_rag.leaderboard import make_board, write_html


@pytest.hookimpl(tryfirst=True)  # before pytest looks at the marks that skip
def pytest_runtest_setup(item: pytest.Item) -> None:
    """See :func:`browsing.fail_where_required`."""
    browsing.fail_where_required(item)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Own runs on all eight tasks and on two other sets, one with a name full of markup, and one that is broken."""
    folder = tmp_path_factory.mktemp("board") / "runs"
    save_all_tasks(folder, 0.62)
    save_run(folder, "company-hybrid", task=COMPANY, value=0.85, step=0.01)
    save_run(folder, "company-keywords", task=COMPANY, value=0.81, model="BM25 (Kiwi)", pipeline="lexical", latency=0.9)
    save_run(folder, "evil", task="다른 세트", value=0.5, model=EVIL, pipeline="dense")
    score = {"mean": 71.5, "low": 70.0, "high": 73.0}
    save_run(folder, "sts", task="KorSTS", value=0, pipeline="dense", kind="sts", metrics={"spearman_cosine": score})
    (folder / "깨진 것").mkdir()
    (folder / "깨진 것" / "run.json").write_text('{"format": 1,', encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def page(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported page of them."""
    pytest.importorskip("vl_convert", reason="the extra leaderboard is not installed")
    file = tmp_path_factory.mktemp("page") / "리더보드.html"
    write_html(make_board([runs]), file)
    return file
