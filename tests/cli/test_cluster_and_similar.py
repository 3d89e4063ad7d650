"""``kure-rag cluster`` and ``kure-rag similar``: tables, files, pictures, and wrong arguments."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from commands import call

from kure_rag import KureIndex

LINES = (
    "연차휴가는 일 년 동안 여덟 할 이상 출근한 직원에게 15일을 준다.",
    "",
    "휴가 신청서는 휴가를 시작하기 사흘 전까지 낸다.",
    "출산휴가는 아이를 낳기 전후로 90일의 휴가를 쓸 수 있다.",
    "   ",
    "예금의 금리는 가입한 날의 고시 금리를 따른다.",
    "대출 금리는 석 달마다 다시 정하는 금리이다.",
    "대출을 연체하면 더 높은 금리가 붙는다.",
)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "문장.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")  # spreadsheets take it for UTF-8 by this alone
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_the_nearest_lines_are_shown_with_their_numbers(texts: Path) -> None:
    found = call("similar", texts, "금리는 언제 바뀌나요?", "--model", "static-ko", "-k", "2", "--json").json()
    assert found["texts"] == 6
    assert {hit["line"] for hit in found["hits"]} <= {6, 7, 8}
    assert found["hits"][0]["score"] >= found["hits"][1]["score"]
    assert found["hits"][0]["text"] == LINES[found["hits"][0]["line"] - 1]
    printed = call("similar", texts, "금리는 언제 바뀌나요?", "--model", "static-ko", "-k", "2").out.splitlines()
    first = found["hits"][0]
    assert printed[0] == f"  1  {first['score']:.4f}  line {first['line']}: {first['text']}"
    assert len(printed) == 2


def test_a_cluster_of_each_topic_is_printed_and_written(texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "clusters.csv"
    said = call("cluster", texts, "--model", "static-ko", "-k", "2", "--out", out, "--json")
    found = said.json()
    assert [cluster["size"] for cluster in found["clusters"]] == [3, 3]
    rows = rows_of(out)
    assert [int(row["line"]) for row in rows] == [1, 3, 4, 6, 7, 8]
    assert [row["text"] for row in rows] == [LINES[int(row["line"]) - 1] for row in rows]
    assert len({row["cluster"] for row in rows[:3]}) == len({row["cluster"] for row in rows[3:]}) == 1
    named = {row["cluster"]: row["terms"].split() for row in rows}
    assert "휴가" in named[rows[0]["cluster"]]
    assert "금리" in named[rows[5]["cluster"]]
    assert "x" not in rows[0]  # no map was asked for

    table = call("cluster", texts, "--model", "static-ko", "-k", "2").out
    for cluster in found["clusters"]:
        assert ", ".join(cluster["terms"]) in table
        assert cluster["example"][:20] in table


@pytest.fixture
def drawable() -> None:
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    from kure_rag.errors import ConfigError
    from kure_rag.evaluate.plots_fonts import korean_font

    try:
        korean_font()
    except ConfigError:
        pytest.skip("no font with Hangul on this machine")


@pytest.mark.usefixtures("drawable")
def test_map_and_table_are_the_same_at_each_run(texts: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        files = ("--out", tmp_path / f"{name}.csv", "--plot", tmp_path / f"{name}.png")
        said = call("cluster", texts, "--model", "static-ko", "-k", "2", *files)
        assert said.status == 0, said.err
        assert f"wrote {tmp_path / name}.png" in said.out
    for ending in ("csv", "png"):
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
    assert all(float(row["x"]) == float(row["x"]) for row in rows_of(tmp_path / "one.csv"))
    assert not list(tmp_path.glob("*.part"))


def test_an_index_is_grouped_by_the_vectors_it_has(small_index: KureIndex, tmp_path: Path) -> None:
    out = tmp_path / "of-index.csv"
    said = call("cluster", "--index", small_index.path, "-k", "3", "--out", out, "--json")
    assert said.status == 0, said.err
    assert said.json()["texts"] == 12
    rows = rows_of(out)
    chunks = {chunk.id: chunk for row in small_index.documents() for chunk in small_index.chunks(row.id)}
    assert {row["chunk"] for row in rows} == set(chunks)
    for row in rows:
        assert row["text"] == chunks[row["chunk"]].text
    # The labels are those of the index's own vectors.
    import numpy as np

    from kure_rag.evaluate.clustering import ClusterSettings, cluster_vectors

    vectors = np.stack([entry.vector for entry in small_index.entries([row["chunk"] for row in rows], vectors=True)])
    expected = cluster_vectors(vectors, [row["text"] for row in rows], ClusterSettings(clusters=3))
    assert [int(row["cluster"]) for row in rows] == expected.labels.tolist()


def test_a_sample_is_drawn_by_the_seed(texts: Path, tmp_path: Path) -> None:
    drawn = []
    for seed in ("1", "1", "2"):
        out = tmp_path / "some.csv"
        arguments = ("--sample", "4", "--seed", seed, "-k", "2", "--out", out)
        assert call("cluster", texts, "--model", "static-ko", *arguments).status == 0
        drawn.append([int(row["line"]) for row in rows_of(out)])
    assert len(drawn[0]) == 4
    assert drawn[0] == drawn[1] == sorted(drawn[0])
    assert drawn[0] != drawn[2]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["-k", "7"], 1, "6 texts cannot make 7 clusters"),
        (["-k", "0"], 1, "the number of clusters is 0"),
        (["--method", "hdbscan", "-k", "2"], 1, "HDBSCAN finds the number of clusters itself"),
        (["--method", "hdbscan", "--min-size", "9"], 1, "6 texts cannot make a cluster of 9"),
        (["--sample", "1"], 2, "--sample is 2 or more"),
        (["--index", "somewhere"], 2, "one of the two"),
        (["--out", "nowhere/a.csv"], 1, "give --out a file in a folder that is there"),
        (["--plot", "a.gif"], 1, "a plot is written as .png, .svg, .pdf"),
    ],
)
def test_wrong_arguments_are_told_and_leave_no_file(
    texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    said = call("cluster", texts, "--model", "static-ko", *arguments)
    assert said.status == status
    assert told in said.err
    assert [path.name for path in tmp_path.iterdir()] == [texts.name]


def test_neither_texts_nor_an_index_and_a_card_without_a_model_are_told(texts: Path) -> None:
    assert "one of the two" in call("cluster").err
    for command in (("cluster", texts), ("similar", texts, "질문")):
        said = call(*command, "--card", "KoE5")
        assert said.status == 1
        assert "--card says what --model is a copy of" in said.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "holds no text; write one text a line"),
        (b"\n \n\n", "holds no text"),
        ("첫 줄\n둘째 줄\n".encode("cp949"), "line 1: not UTF-8"),
        ("하나뿐인 글\n".encode(), "1 text: groups need two texts or more"),
        ("같은 글\n같은 글\n같은 글\n".encode(), "all 3 texts have the same vector"),
    ],
)
def test_files_that_cannot_be_grouped_are_told_by_name_or_count(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes(content)
    said = call("cluster", path, "--model", "static-ko", "--json")
    assert said.status == 1
    assert told in said.json()["error"]["message"]
    assert "Traceback" not in said.err


def test_similar_refuses_an_empty_question_a_missing_file_and_no_texts_to_show(texts: Path, tmp_path: Path) -> None:
    for arguments, told in (
        ((texts, " "), "the question is empty"),
        ((tmp_path / "gone.txt", "휴가"), "gone.txt: no such file"),
        ((texts, "휴가", "-k", "0"), "k is 0"),
    ):
        said = call("similar", *arguments, "--model", "static-ko")
        assert said.status == 1
        assert told in said.err


def test_help_of_both_shows_examples_and_loads_no_numpy() -> None:
    import subprocess

    program = (
        "import sys, json\n"
        "from kure_rag.cli.main import build_parser\n"
        "parser = build_parser()\n"
        "print(json.dumps([name for name in ('numpy', 'sklearn', 'matplotlib', 'torch') if name in sys.modules]))"
    )
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert json.loads(out) == []
    for command in ("cluster", "similar"):
        said = call(command, "--help")
        assert said.status == 0
        assert f"  kure-rag {command} sentences.txt" in said.out
