"""The options that say which model embeds and how: given once, remembered by the index, never silently another."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import Said, call
from stand_in_embeddings import KEY, StandIn, serving

from kure_rag import KureIndex
from kure_rag.embed import Embedder
from kure_rag.errors import EndpointError, FingerprintMismatchError

RECORDS = [
    ("1", "연차휴가", "1년 동안 80퍼센트 이상 출근한 직원에게 15일의 연차휴가를 준다."),
    ("2", "급여", "급여는 매월 25일에 지급하고, 그날이 휴일이면 전날에 지급한다."),
    ("3", "병가", "질병으로 쉬는 직원은 진단서를 내고 60일까지 병가를 쓸 수 있다."),
]
QUESTION = "휴가는 며칠인가요?"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    lines = [json.dumps({"_id": i, "title": title, "text": text}) for i, title, text in RECORDS]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    pytest.importorskip("httpx", reason="the extra `remote` is not installed")
    monkeypatch.delenv("KURE_EMBEDDINGS_API_KEY", raising=False)
    with serving(model="someone/model") as running:
        yield running


def done(said: Said) -> Said:
    assert said.status == 0, said.err
    return said


def ingest(corpus: Path, index: Path, *more: str | Path) -> Said:
    return call("ingest", "--corpus", corpus, "--index", index, *more)


def search(index: Path, *more: str | Path) -> Said:
    return call("search", QUESTION, "--index", index, "--json", *more)


def ranked(said: Said) -> list[str]:
    return [hit["source"] for hit in done(said).json()["hits"]]


def embedded(server: StandIn) -> int:
    """Texts of the corpus that the server was asked for; a cache also asks it once how wide its vectors are."""
    texts = [text for request in server.asked for text in request.body["inputs"]]
    return sum("직원" in text or "급여" in text for text in texts)


PREFIXES = ("--query-prefix", "질문: ", "--passage-prefix", "")


# A server, remembered


def test_an_index_made_with_a_server_is_searched_with_it(server: StandIn, corpus: Path, tmp_path: Path) -> None:
    index, remote = tmp_path / "ix", ("--backend", "remote", "--endpoint", server.url)
    done(ingest(corpus, index, "--model", "our-model", *PREFIXES, *remote))
    assert len(server.asked) == 1
    ranked(search(index, "--mode", "dense"))
    assert server.asked[-1].body["inputs"] == [f"질문: {QUESTION}"], "the model, its prefix and its server"
    done(ingest(corpus, index))
    told = call("info", "--index", index, "--json").json()
    assert told["engine"] == {"backend": "remote", "precision": "auto", "endpoint": server.url}
    assert told["fingerprint"]["query_prefix"] == "질문: "


def test_what_needs_no_model_asks_no_server(server: StandIn, corpus: Path, tmp_path: Path) -> None:
    index = tmp_path / "ix"
    options = ("--model", "our-model", *PREFIXES, "--backend", "remote", "--endpoint", server.url)
    done(ingest(corpus, index, *options))
    server.requests.clear()
    for command in ("info", "verify"):
        done(call(command, "--index", index))
    assert ranked(search(index, "--mode", "lexical"))
    assert not server.requests


def test_another_server_is_used_when_it_is_named_and_that_is_said(
    server: StandIn, corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = tmp_path / "ix"
    options = ("--model", "our-model", *PREFIXES, "--backend", "remote", "--endpoint", server.url)
    done(ingest(corpus, index, *options))
    server.requests.clear()
    with serving(model="someone/model") as other:
        with KureIndex.open(index, embed_settings={"endpoint": other.url}) as opened:
            assert opened.search(QUESTION, mode="dense")
        assert other.asked
        caplog.clear()
        assert ranked(search(index, "--mode", "dense", "--endpoint", other.url))
    assert not server.requests
    assert f"made with the server {server.url} and is used with the server {other.url}" in caplog.text
    caplog.clear()
    assert ranked(search(index, "--mode", "dense"))
    assert not caplog.records


def test_a_server_that_now_runs_another_revision_is_an_error(server: StandIn, corpus: Path, tmp_path: Path) -> None:
    index, server.revision = tmp_path / "ix", "a" * 40
    options = ("--model", "our-model", *PREFIXES, "--backend", "remote", "--endpoint", server.url)
    done(ingest(corpus, index, *options))
    server.revision = "b" * 40
    asked = len(server.asked)
    for said in (search(index, "--mode", "dense"), ingest(corpus, index)):
        assert said.status == 1
        assert f"runs revision {'b' * 40}" in said.err
    assert len(server.asked) == asked
    with KureIndex.open(index) as opened, pytest.raises(EndpointError, match="make the index anew"):
        opened.search(QUESTION)


def test_the_key_and_what_may_be_one_are_not_in_the_index(
    server: StandIn, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KURE_EMBEDDINGS_API_KEY", KEY)
    server.key, index = KEY, tmp_path / "ix"
    endpoint = f"{server.url}/v1/embeddings"
    options = ("--model", "our-model", *PREFIXES, "--backend", "remote", "--endpoint")
    said = done(ingest(corpus, index, *options, endpoint, "--embed-cache", tmp_path / "cache"))
    assert KEY not in said.out + said.err
    for file in (*index.rglob("*"), *(tmp_path / "cache").rglob("*")):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()
    assert call("info", "--index", index, "--json").json()["engine"]["endpoint"] == endpoint


# The cache


def test_a_cache_spares_the_model_the_same_texts(server: StandIn, corpus: Path, tmp_path: Path) -> None:
    remote = ("--model", "our-model", *PREFIXES, "--backend", "remote", "--endpoint", server.url)
    cache = ("--embed-cache", tmp_path / "vectors")
    done(ingest(corpus, tmp_path / "one", *remote, *cache))
    assert embedded(server) == len(RECORDS)
    done(ingest(corpus, tmp_path / "two", *remote, *cache))
    assert embedded(server) == len(RECORDS)
    done(ingest(corpus, tmp_path / "three", *remote, "--embed-cache", "off"))
    assert embedded(server) == 2 * len(RECORDS)
    assert not Path("off").exists()
    kept = call("info", "--index", tmp_path / "one", "--json").json()["engine"]
    assert kept.keys() == {"backend", "precision", "endpoint"}, "no folder of this machine"


# Local models


def test_a_folder_is_remembered_with_its_card_and_prefixes(corpus: Path, tmp_path: Path, tiny_model: Path) -> None:
    index = tmp_path / "ix"
    done(ingest(corpus, index, "--model", tiny_model, "--card", "KoE5", "--device", "cpu"))
    fingerprint = call("info", "--index", index, "--json").json()["fingerprint"]
    assert (fingerprint["model"], fingerprint["query_prefix"]) == ("nlpai-lab/KoE5", "query: ")
    assert ranked(search(index, "--mode", "lexical")), "needs no model"
    said = search(index, "--mode", "dense")
    assert said.status == 1
    assert "pass it as embeddings=..., or its folder as --model" in said.err
    assert ranked(search(index, "--mode", "dense", "--model", tiny_model)), "the index knows how it is used"
    other = shutil.copytree(tiny_model, tmp_path / "other")
    (other / "README.txt").write_text("무게가 다른 모델", encoding="utf-8")
    said = search(index, "--mode", "dense", "--model", other)
    assert said.status == 1
    assert "revision: index has 'local-" in said.err


def test_prefixes_and_pooling_are_remembered_and_others_are_an_error(
    corpus: Path, tmp_path: Path, tiny_model: Path
) -> None:
    index = tmp_path / "ix"
    done(ingest(corpus, index, "--model", "static-ko", "--query-prefix", "질문: "))
    assert ranked(search(index, "--mode", "dense"))
    assert ranked(search(index, "--mode", "dense", "--model", "static-ko", "--backend", "torch"))
    said = search(index, "--query-prefix", "query: ")
    assert said.status == 1
    assert "query_prefix: index has '질문: ', asked for 'query: '" in said.err
    said = search(index, "--model", tiny_model)
    assert said.status == 1
    assert "this index was made with other settings" in said.err
    with pytest.raises(FingerprintMismatchError, match="model: index has 'kure-rag/static-ko'"):
        KureIndex.open(index, embeddings="KURE-v1")


def test_an_index_is_opened_with_another_engine_by_name_or_without(
    corpus: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = tmp_path / "ix"
    done(ingest(corpus, index, "--model", "static-ko", "--precision", "fp32"))
    for name in (None, "static-ko"):
        with KureIndex.open(index, embeddings=name, embed_settings={"device": "cpu"}) as opened:
            assert isinstance(opened.embedder, Embedder)
            assert (opened.embedder.settings.device, opened.embedder.settings.precision) == ("cpu", "fp32")
    assert not caplog.records
    with pytest.raises(ValueError, match="embed_settings= go with a model's name; give them to Embedder itself"):
        KureIndex.open(index, embeddings=Embedder("static-ko"), embed_settings={"device": "cpu"})


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_an_exported_engine_is_remembered(
    corpus: Path, tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("onnxruntime" if backend == "onnx" else "openvino")
    from small_models import bert, transformer

    monkeypatch.setenv("KURE_RAG_EXPORTS", str(tmp_path / "exports"))
    model, index = transformer(tmp_path / "우리-모델", bert), tmp_path / "ix"
    done(ingest(corpus, index, "--model", model, "--backend", backend))
    assert call("info", "--index", index, "--json").json()["engine"] == {"backend": backend, "precision": "auto"}
    made = {folder.name for folder in (tmp_path / "exports").iterdir() if folder.is_dir()}
    first = ranked(search(index, "--mode", "dense", "--model", model))
    assert first == ranked(search(index, "--mode", "dense", "--model", model, "--backend", "torch"))
    assert "is used with" not in caplog.text, "the same vectors but for rounding"
    with KureIndex.open(index, embeddings=str(model)) as opened:
        assert isinstance(opened.embedder, Embedder)
        assert opened.embedder.settings.backend == backend
    assert {folder.name for folder in (tmp_path / "exports").iterdir() if folder.is_dir()} == made


# Wrong options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backend", "remote"], "--backend remote and --endpoint http://… belong together"),
        (["--endpoint", "http://localhost:1"], "belong together"),
        (["--precision", "int8"], "--precision int8 needs --backend openvino or --backend onnx"),
        (["--card", "KoE5"], "--card says what --model is a copy of; give both"),
        (["--model", "KoE55"], "Did you mean nlpai-lab/KoE5"),
        (["--model", "KURE-v2"], "use LateInteractionEmbedder"),
        (["--backend", "remote", "--endpoint", "ftp://x", "--model", "KURE-v1"], "is no URL of a server"),
    ],
)
def test_options_that_make_no_sense_are_told_and_leave_no_folder(
    corpus: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    said = ingest(corpus, tmp_path / "ix", *options)
    assert said.status == 1
    assert message in said.err
    if "ftp://x" not in options:  # found when the server is first needed
        assert not (tmp_path / "ix").exists()


def test_eval_and_search_take_them_too(tmp_path: Path, corpus: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    corpus.rename(folder / "corpus.jsonl")
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": QUESTION}) + "\n", encoding="utf-8")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n", encoding="utf-8")
    options = ("--model", "static-ko", "--precision", "fp32", "--device", "cpu", "--embed-cache", tmp_path / "vectors")
    said = call("eval", folder, "--index", tmp_path / "ix", "--json", *options)
    assert done(said).json()["model"] == "kure-rag/static-ko"
    assert list((tmp_path / "vectors").iterdir())
    assert call("info", "--index", tmp_path / "ix", "--json").json()["engine"]["precision"] == "fp32"
    assert ranked(search(tmp_path / "ix", "--precision", "fp32", "--device", "cpu"))


@pytest.mark.parametrize("command", ["ingest", "eval", "search", "doctor"])
def test_help_names_them_with_examples(command: str) -> None:
    text = call(command, "--help").out
    for option in ("--model", "--card", "--backend {torch,onnx,openvino,remote}", "--precision", "--endpoint"):
        assert option in text
    assert ("--embed-cache" in text) == (command != "doctor")
    assert "--backend" in text.partition("examples:")[2]
