"""Mining that is begun with one version of a library and taken up with another, by itself and within `domain`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import pytest
from mine_support import DOCUMENTS, QUESTIONS, records

from kure_rag import KureIndex
from kure_rag.errors import ConfigError
from kure_rag.train.domain_data import read_domain
from kure_rag.train.domain_mine import MINED, TRIPLETS, mine_domain
from kure_rag.train.domain_split import split_domain
from kure_rag.train.mine import Margin, MineSettings, Passage, Question, mine
from kure_rag.train.mine.journal import journal_path

MINE = import_module("kure_rag.train.mine.mine")  # its package has a function of that name
OPEN = MineSettings(negatives=2, depth=10, dense=Margin(), keep_short=True)
ADVICE = re.compile(
    r'(?P<file>.+): holds unfinished triplets of something else \(versions\.torch: "2\.9\.0" there, "2\.10\.0" now\)\. '
    r"Give the same command again with the same versions, choose another --out, or remove that file"
)
ASKED = [
    Question(name, text, tuple(Passage(one, DOCUMENTS[one]) for one in documents))
    for name, (text, documents) in QUESTIONS.items()
]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[KureIndex]:
    with KureIndex.open(tmp_path / "index", embeddings="static-ko") as opened:
        opened.add_records(records(), workers=1)
        yield opened


def at_version(patch: pytest.MonkeyPatch, torch: str) -> None:
    patch.setattr(MINE, "versions", lambda: {"torch": torch})


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """When all is found and nothing of it written."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MINE, "write_triplets", stop)
        with pytest.raises(KeyboardInterrupt):
            yield


def told(error: BaseException) -> Path:
    """The file that the message says to remove."""
    match = ADVICE.match(str(error))
    assert match, str(error)
    return Path(match["file"])


def test_each_way_out_that_is_named_is_one(index: KureIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "t.jsonl"
    at_version(monkeypatch, "2.9.0")
    with interrupted(monkeypatch):
        mine(index, ASKED, out, OPEN)
    half = journal_path(out).read_bytes()
    at_version(monkeypatch, "2.10.0")
    with pytest.raises(ConfigError) as caught:
        mine(index, ASKED, out, OPEN)
    path = told(caught.value)

    assert mine(index, ASKED, tmp_path / "another.jsonl", OPEN).resumed == 0
    path.unlink()
    assert mine(index, ASKED, out, OPEN).resumed == 0
    for made in (out, out.with_name("t.jsonl.report.json")):
        made.unlink()
    path.write_bytes(half)
    at_version(monkeypatch, "2.9.0")
    assert mine(index, ASKED, out, OPEN).resumed == len(ASKED)


def test_finished_triplets_of_other_versions_say_the_same_ways(
    index: KureIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "t.jsonl"
    at_version(monkeypatch, "2.9.0")
    mine(index, ASKED, out, OPEN)
    at_version(monkeypatch, "2.10.0")
    with pytest.raises(
        ConfigError, match="with the same versions, choose another --out, or remove that file"
    ) as caught:
        mine(index, ASKED, out, OPEN)
    Path(str(caught.value).partition(": holds")[0]).unlink()
    assert mine(index, ASKED, out, OPEN).resumed == 0


def test_within_a_domains_folder_the_same_ways_lead_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "articles.jsonl"
    rows = [
        {"law": f"{house} 내규", "title": f"{name} {i}", "article": f"제{i}조", "text": f"{house}에서는 {text}"}
        for house in ("가온상사", "나래물산", "다솜의원", "라온학원")
        for i, (name, text) in enumerate(DOCUMENTS.items(), 1)
    ]
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")

    def once(work: Path) -> str:
        work.mkdir(parents=True, exist_ok=True)
        data = read_domain([source], work, model="static-ko", sentences=1)
        split = split_domain(data, by="passage", share=0.2)
        return mine_domain(data, split, work, OPEN, model="static-ko", most=None, say=lambda _: None)

    work = tmp_path / "model.training" / "data"
    at_version(monkeypatch, "2.9.0")
    with interrupted(monkeypatch):
        once(work)
    at_version(monkeypatch, "2.10.0")
    with pytest.raises(ConfigError) as caught:
        once(work)
    path = told(caught.value)
    assert path == journal_path(work / MINED)

    expected = once(tmp_path / "another.training" / "data")
    path.unlink()
    assert once(work) == expected
    assert (work / TRIPLETS).read_bytes() == (tmp_path / "another.training" / "data" / TRIPLETS).read_bytes()
