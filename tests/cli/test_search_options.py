"""What `kure-rag search` can be asked for, and what it prints then."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from commands import call

from kure_rag import KureIndex
from kure_rag.cli.hits import Marked
from kure_rag.read import Record
from kure_rag.samples import sample_paths

RULES = sample_paths()[1].name
QUERY = "연차휴가는 며칠인가요?"
HEAVY = ("chromadb", "faiss", "torch", "transformers", "sentence_transformers", "rank_bm25")
LOADED = f"""
import json, sys
from kure_rag.cli import main
status = main(sys.argv[1:])
print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr)
sys.exit(status)
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("search-options") / "ix"
    with KureIndex.open(folder, embeddings="static-ko") as made:
        made.add_paths([path for path in sample_paths() if path.name == RULES], workers=1)
        twice = "직원은 사내 주차장을 무료로 쓸 수 있다."
        made.add_records([Record(f"주차-{i}", "안내", twice) for i in range(5)], workers=1)
    return folder


def test_a_search_loads_nothing_that_it_does_not_need(index: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [sys.executable, "-c", LOADED, "search", QUERY, "--index", str(index), "-k", "1"]
    done = subprocess.run(arguments, capture_output=True, text=True, env=environment, check=True)
    assert "연차휴가" in done.stdout
    assert json.loads(done.stderr.splitlines()[-1]) == []


def test_every_engine_answers_alike(index: Path) -> None:
    answers = [
        call("search", QUERY, "--index", index, "--dense", dense, "--json").json()["hits"]
        for dense in ("auto", "chroma", "exact", "quantized")
    ]
    assert answers[0] == answers[1] == answers[2] == answers[3]
    other = call("search", QUERY, "--index", index, "--lexical", "rank-bm25", "-k", "3").out
    assert "제15조" in other


def test_a_threshold_shows_relevance_and_leaves_out_the_rest(index: Path) -> None:
    told = call("search", QUERY, "--index", index, "--threshold", "0.3", "--json").json()["hits"]
    assert told
    assert all(hit["relevance"] >= 0.3 for hit in told)
    said = call("search", QUERY, "--index", index, "--threshold", "0.3", "-k", "1").out
    assert re.search(r"score \d\.\d{3}, relevance 0\.\d\d \(lexical", said)
    assert "a lower --threshold" in call("search", "은하수", "--index", index, "--threshold", "1").out


def test_passages_that_say_the_same_are_shown_once(index: Path) -> None:
    said = call("search", "주차장 무료", "--index", index, "--fold", "-k", "2").out.split("\n\n")[0].splitlines()
    assert said[3] == "    4 more that say the same:"
    assert [re.sub(r"\d", "N", line.strip()) for line in said[4:]] == ["주차-N 안내"] * 3 + ["… N more"]
    (hit,) = call("search", "주차장 무료", "--index", index, "--fold", "-k", "2", "--json").json()["hits"][:1]
    assert len({hit["citation"], *(twin["citation"] for twin in hit["duplicates"])}) == 5
    assert all({"chunk_id", "document_id", "pages"} <= twin.keys() for twin in hit["duplicates"])


def test_a_section_is_shown_whole(index: Path) -> None:
    arguments = ("search", "연차휴가의 저축", "--index", index, "-k", "1", "--expand")
    (hit,) = call(*arguments, "1", "--json").json()["hits"]
    assert hit["text"] in hit["context"]["text"]
    assert len(hit["context"]["chunk_ids"]) == 3
    assert hit["context"]["end"] - hit["context"]["start"] == len(hit["context"]["text"])
    said = call(*arguments, "1").out
    for line in hit["context"]["text"].splitlines():
        assert f"    {line.rstrip()}" in said
    section = call(*arguments, "section", "--json").json()["hits"][0]
    assert section["text"] in section["context"]["text"]
    for wrong, message in (("chapter", "neither a number"), ("-1", "number of chunks")):
        said_ = call("search", QUERY, "--index", index, f"--expand={wrong}")
        assert said_.status != 0
        assert message in said_.err


def test_words_of_the_question_are_told_and_left_plain_in_a_pipe(index: Path) -> None:
    (hit,) = call("search", QUERY, "--index", index, "--highlight", "-k", "1", "--json").json()["hits"]
    assert {hit["text"][a:b] for a, b in hit["highlights"]} <= {"연차휴가", "휴가", "연차"}
    plain = call("search", QUERY, "--index", index, "-k", "1")
    assert call("search", QUERY, "--index", index, "--highlight", "-k", "1").out == plain.out
    assert call("search", QUERY, "--index", index, "-k", "1", "--json").json()["hits"][0]["highlights"] is None


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_words_of_the_question_are_bold_on_a_terminal(index: Path) -> None:
    import pty

    main, other = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm-256color"}
    arguments = [sys.executable, "-m", "kure_rag", "search", QUERY, "--index", str(index), "-k", "1", "--highlight"]
    with subprocess.Popen(arguments, stdout=other, stderr=other, env=environment) as process:
        os.close(other)
        data = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # closed by the process that ended
                break
            if not part:
                break
            data += part
    os.close(main)
    assert process.returncode == 0
    bold = re.findall("\x1b\\[1m(.*?)\x1b\\[0m", data.decode())
    assert "연차휴가" in bold


def test_hits_of_a_document_stand_below_its_name(index: Path) -> None:
    said = call("search", "직원 휴가 주차장", "--index", index, "--group", "-k", "6").out
    blocks = said.rstrip("\n").split("\n\n")
    heads = [block.splitlines()[0] for block in blocks if not block.startswith("[")]
    assert any(head.startswith(f"{RULES}: ") for head in heads)
    assert len(heads) == len(set(heads))


def test_mmr_changes_the_order_and_its_range_is_said(index: Path) -> None:
    hits = call("search", "주차장 무료", "--index", index, "--mmr", "0.1", "-k", "3", "--json").json()["hits"]
    assert len({hit["text"] for hit in hits}) > 1
    wrong = call("search", QUERY, "--index", index, "--mmr", "2")
    assert (wrong.status, "mmr weighs relevance from 0 to 1" in wrong.err) == (1, True)


def test_a_reranker_that_does_not_exist_is_named(index: Path) -> None:
    said = call("search", QUERY, "--index", index, "--rerank", "./no-such-folder/at-all", "--json")
    assert said.status == 1
    assert "no-such-folder" in said.json()["error"]["message"]


def test_synonyms_and_a_user_dictionary_from_files(tmp_path: Path) -> None:
    corpus, words, synonyms = tmp_path / "c.jsonl", tmp_path / "용어.txt", tmp_path / "동의어.txt"
    record = {"_id": "안내", "title": "안내", "text": "돌봄크레딧적금은 만기에 우대금리를 준다."}
    corpus.write_text(json.dumps(record, ensure_ascii=False) + "\n", encoding="utf-8")
    words.write_text("돌봄크레딧적금\n", encoding="utf-8")
    synonyms.write_text("희망통장, 돌봄크레딧적금\n", encoding="utf-8")
    made = ("--corpus", corpus, "--index", tmp_path / "ix", "--model", "static-ko", "--user-dictionary")
    assert call("ingest", *made, words).status == 0
    assert call("info", "--index", tmp_path / "ix", "--json").json()["user_words"] == 1
    asked = ("search", "희망통장", "--index", tmp_path / "ix", "--mode", "lexical", "--json")
    assert call(*asked).json()["hits"] == []
    assert [hit["source"] for hit in call(*asked, "--synonyms", synonyms).json()["hits"]] == ["안내"]
    words.write_text("희망통장\n", encoding="utf-8")
    refused = call("ingest", *made, words)
    assert (refused.status, "tokenizer" in refused.err) == (1, True)
    (tmp_path / "folder").mkdir()
    refused = call("sync", tmp_path / "folder", "--index", tmp_path / "ix", "--user-dictionary", words)
    assert (refused.status, "tokenizer" in refused.err) == (1, True)
    assert call("search", "적금", "--index", tmp_path / "ix", "--synonyms", tmp_path / "none.txt").status == 1


def test_an_excerpt_begins_before_the_first_word_that_was_found() -> None:
    text = "가" * 500 + " 연차휴가 " + "나" * 500
    marked = Marked(text, ((501, 505),)).on_one_line().shortened(200)
    assert len(marked.text) == 200
    assert (marked.text[0], marked.text[-1]) == ("…", "…")
    ((start, end),) = marked.spans
    assert marked.text[start:end] == "연차휴가"
    begun = Marked("  연차휴가는\n\n 15일이다.  ", ((2, 6), (10, 12))).on_one_line()
    assert begun.text == "연차휴가는 15일이다."
    assert [begun.text[a:b] for a, b in begun.spans] == ["연차휴가", "15"]
    assert begun.shortened(8).text == "연차휴가는 1…"
