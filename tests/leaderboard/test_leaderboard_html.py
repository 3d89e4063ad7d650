"""The exported page: whole, its own numbers in it, nothing from elsewhere, and no markup from names."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from leaderboard_runs import COMPANY, EVIL

from kure_rag.errors import ConfigError
from kure_rag.leaderboard import AVERAGE, TASKS, make_board, write_html
from kure_rag.leaderboard.tables import main_table
from kure_rag.leaderboard.words import WORDS

VOID = {"meta", "img", "input", "br"}


@dataclass
class Seen(HTMLParser):
    """What a browser would make of the page, roughly."""

    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    inside: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag not in VOID:
            self.inside.append((tag, found.get("id") or tag))
        if tag == "table":
            self.rows = self.tables.setdefault(found["data-name"] or "", [])
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if not self.inside:
            return
        _, key = self.inside[-1]
        self.texts[key] = self.texts.get(key, "") + data
        if {"td", "th"} & {tag for tag, _ in self.inside}:
            self.rows[-1][-1] += data

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self.inside.pop()
        assert opened == tag, f"</{tag}> ends <{opened}>"


@pytest.fixture(scope="module")
def seen(page: Path) -> Seen:
    parser = Seen()
    parser.feed(page.read_text(encoding="utf-8"))
    parser.close()
    return parser


def attributes(seen: Seen, tag: str) -> list[dict[str, str | None]]:
    return [found for name, found in seen.tags if name == tag]


def test_the_tables_hold_what_the_board_says(seen: Seen, runs: Path) -> None:
    wanted = main_table(make_board([runs]).entries, "ndcg", 10)
    rows = seen.tables["main"][1:]
    assert len(rows) == len(wanted.rows) == 19
    for shown, row in zip(rows, wanted.rows, strict=True):
        assert shown[1:4] == [str(row[0]), row[1], {"published": "공개", "own": "내 결과"}[str(row[2])]]
        assert shown[4:13] == [f"{value:.5f}" for value in row[3:12]]
    assert rows[0][2:5] == ["nlpai-lab/KURE-v1", "공개", "0.69473"]
    assert [row[0] for row in seen.tables[COMPANY][1:]] == ["kure-rag/static-ko (hybrid)", "BM25 (Kiwi)"]
    assert seen.tables["KorSTS"][1][:3] == ["kure-rag/static-ko", "sts", "71.5"]


def test_own_rows_are_told_apart(seen: Seen) -> None:
    rows = [found for found in attributes(seen, "tr") if "data-origin" in found]
    own = {found["data-model"] for found in rows if found["data-origin"] == "own"}
    assert own == {"kure-rag/static-ko (hybrid)", "BM25 (Kiwi)", "kure-rag/static-ko", EVIL}


def test_every_value_of_every_metric_is_in_the_page(seen: Seen, runs: Path) -> None:
    data = json.loads(seen.texts["board"])
    for entry in make_board([runs]).entries:
        for (task, metric, k), score in entry.scores.items():
            parts = data["values"][entry.label][task][f"{metric}@{k}"]
            assert parts[0] == score.value
            assert parts[1:] == ([] if score.low is None else [score.low, score.high])
        for cut in ("ndcg@1", "f1@5"):
            metric, _, k = cut.partition("@")
            mean = data["values"][entry.label].get(AVERAGE, {}).get(cut, [None])[0]
            assert mean == entry.value(AVERAGE, metric, int(k))
    assert data["specs"].keys() == {"size", "speed", "radar"}
    assert data["points"].keys() == {AVERAGE, *TASKS, COMPANY, "다른 세트"}


def test_nothing_is_asked_of_any_other_place(seen: Seen) -> None:
    for _, found in seen.tags:
        assert not found.keys() & {"src", "href", "action", "data", "srcset"}
        assert not [name for name in found if name.startswith("on")], "code in an attribute"
    policies = [found["content"] for found in attributes(seen, "meta") if "http-equiv" in found]
    assert len(policies) == 1
    assert str(policies[0]).startswith("default-src 'none';")
    assert "http" not in str(policies[0])
    assert not re.search(r"url\(|@import", seen.texts["style"])


def test_a_name_full_of_markup_stays_a_name(seen: Seen) -> None:
    assert not attributes(seen, "img")
    assert len(attributes(seen, "script")) == 3
    assert seen.tables["다른 세트"][1][0] == EVIL
    assert EVIL in json.loads(seen.texts["board"])["values"]


def test_what_could_not_be_read_is_said_in_the_page(seen: Seen, runs: Path) -> None:
    assert str(runs / "깨진 것") in seen.texts["li"]
    assert "not JSON" in seen.texts["li"]


def test_both_languages_have_the_same_words_and_none_is_empty() -> None:
    assert WORDS["ko"].keys() == WORDS["en"].keys()
    assert all(word for words in WORDS.values() for word in words.values())


def test_a_file_that_cannot_be_written_is_said_before_anything_is_drawn(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        write_html(make_board(), tmp_path / "없는 폴더" / "a.html")
    with pytest.raises(ConfigError, match="is a folder"):
        write_html(make_board(), tmp_path)
