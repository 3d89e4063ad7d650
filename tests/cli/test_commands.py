"""Every command as a user types it: what it prints, where, and how it exits."""

import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from commands import Said, call
from support import numbered_pdf, write_pdf

import kure_rag.train
from kure_rag import KureIndex, __version__
from kure_rag.cli.main import build_parser
from kure_rag.embed import CARDS
from kure_rag.evaluate import read_run, read_set, score_run
from kure_rag.read import ReadLimits
from kure_rag.read.pdf import read_pdf
from kure_rag.samples import sample_paths
from kure_rag.tokenize import KiwiTokenizer

LABEL, RULES, REPORT = (path.name for path in sample_paths())
COMMANDS = (
    "demo",
    "ingest",
    "search",
    "app",
    "chunks",
    "eval",
    "verify",
    "rebuild",
    "info",
    "models",
    "doctor",
    "export-model",
    "train",
    "export",
    "qa",
    "sync",
    "delete",
    "backup",
    "restore",
    "compact",
)
CHUNK_KEYS = ["id", "document_id", "source", "text", "start", "end", "pages", "breadcrumb", "kind", "lead", "metadata"]
DOCUMENTS = {
    "연차": "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다.",
    "병가": "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가한다.",
    "급여": "급여는 매월 25일에 지급하고 휴일이면 전날에 지급한다.",
    "출장": "출장을 마친 직원은 7일 안에 영수증을 붙여 여비를 정산한다.",
    "재택": "재택근무를 하려면 사흘 전까지 부서장의 승인을 받아야 한다.",
    "주차": "방문객의 차량은 지하 2층에 세우고 주차권을 받는다.",
}
QUESTIONS = {
    "q1": ("연차휴가는 며칠을 주나요?", {"연차": 1}),
    "q2": ("급여를 지급하는 날은 언제인가요?", {"급여": 1}),
    "q3": ("여비 정산에 필요한 영수증", {"출장": 2, "급여": 1}),
    "q4": ("손님 자동차는 어디에 세우나요?", {"주차": 1}),
}


def child(*arguments: str | Path, **environment: str) -> Said:
    done = subprocess.run(
        [sys.executable, "-m", "kure_rag", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """An index of the three sample PDFs, and what making it printed."""
    folder = tmp_path_factory.mktemp("samples") / "index"
    return folder, call("ingest", *sample_paths(), "--index", folder, "--model", "static-ko")


@pytest.fixture(scope="module")
def index(samples: tuple[Path, Said]) -> Path:
    return samples[0]


@pytest.fixture(scope="module")
def set_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets") / "사내규정"
    folder.mkdir()
    rows = [json.dumps({"_id": i, "title": "", "text": text}, ensure_ascii=False) for i, text in DOCUMENTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(rows), encoding="utf-8")
    rows = [json.dumps({"_id": i, "text": text}, ensure_ascii=False) for i, (text, _) in QUESTIONS.items()]
    (folder / "queries.jsonl").write_text("\n".join(rows), encoding="utf-8")
    judged = [f"{q}\t{d}\t{n}" for q, (_, relevant) in QUESTIONS.items() for d, n in relevant.items()]
    (folder / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]), encoding="utf-8")
    return folder


# ingest


def test_ingest_prints_a_row_a_file_and_what_to_do_next(samples: tuple[Path, Said]) -> None:
    folder, said = samples
    assert (said.status, said.err) == (0, "")
    *rows, summary, following = said.out.splitlines()
    assert len(rows) == 3
    for row, path in zip(rows, sample_paths(), strict=True):
        assert re.fullmatch(rf"added      {re.escape(path.name)}: \d pages, \d+ chunks", row)
    assert summary.startswith("3 added, 0 unchanged, 0 rejected; ")
    assert summary.endswith(f"-> {folder}")
    assert following == f'Next: kure-rag search "..." --index {folder}'


def test_a_second_ingest_leaves_all_unchanged(index: Path) -> None:
    said = call("ingest", *sample_paths(), "--index", index)
    assert said.status == 0
    assert said.out.splitlines()[:3] == [f"unchanged  {path.name}" for path in sample_paths()]

    told = call("ingest", *sample_paths(), "--index", index, "--json").json()
    assert (told["added"], told["unchanged"], told["rejected"]) == (0, 3, 0)
    assert [row["status"] for row in told["rows"]] == ["unchanged"] * 3


def test_ingest_of_a_folder_as_json(tmp_path: Path) -> None:
    (tmp_path / "규정" / "아래").mkdir(parents=True)
    first, second = numbered_pdf(tmp_path / "규정", 1), numbered_pdf(tmp_path / "규정" / "아래", 2)
    (tmp_path / "규정" / "메모.txt").write_text("PDF가 아니므로 지나친다.", encoding="utf-8")
    arguments = ("ingest", tmp_path / "규정", "--index", tmp_path / "ix", "--model", "static-ko", "--domain", "legal")
    said = call(*arguments, "--json")
    assert (said.status, said.err) == (0, "")
    told = said.json()
    statuses = {"added", "updated", "unchanged", "removed", "rejected"}
    assert set(told) == {"index", "rows", "pages", "chunks", "seconds"} | statuses
    assert [row["source"] for row in told["rows"]] == [first.name, second.name]
    assert [row["status"] for row in told["rows"]] == ["added", "added"]
    assert told["chunks"] == sum(row["chunks"] for row in told["rows"]) > 0
    assert {row["domain"] for row in call("info", "--index", tmp_path / "ix", "--json").json()["documents_list"]} == {
        "legal"
    }


def test_ingest_of_a_corpus_packed_and_plain(set_dir: Path, tmp_path: Path) -> None:
    plain, corpus = set_dir / "corpus.jsonl", tmp_path / "corpus.jsonl.gz"
    corpus.write_bytes(gzip.compress(plain.read_bytes()))
    folder = tmp_path / "ix"
    told = call("ingest", "--corpus", corpus, "--index", folder, "--model", "static-ko", "--json").json()
    assert (told["added"], told["rejected"], told["rows"]) == (6, 0, [])
    hits = call("search", "주차권", "--index", folder, "--mode", "lexical", "--json").json()["hits"]
    assert hits[0]["source"] == "주차"
    assert "6 unchanged" in call("ingest", "--corpus", plain, "--index", folder).out


def test_ingest_takes_either_paths_or_a_corpus(tmp_path: Path) -> None:
    for arguments in ((), (sample_paths()[0], "--corpus", "corpus.jsonl")):
        said = call("ingest", *arguments, "--index", tmp_path / "ix")
        assert said.status == 2
        assert "--corpus FILE" in said.err
    assert not (tmp_path / "ix").exists()


# search


@pytest.mark.parametrize("mode", ["hybrid", "lexical", "dense"])
def test_hits_carry_their_place_and_what_each_leg_said(index: Path, mode: str) -> None:
    said = call("search", "재택근무 신청은 며칠 전까지", "--index", index, "-k", "3", "--mode", mode, "--json")
    assert (said.status, said.err) == (0, "")
    told = said.json()
    assert (told["query"], told["mode"], len(told["hits"])) == ("재택근무 신청은 며칠 전까지", mode, 3)
    legs = {"lexical", "dense"} if mode == "hybrid" else {mode}
    for rank, hit in enumerate(told["hits"], 1):
        assert hit["rank"] == rank
        assert hit["source"].endswith(".pdf")
        assert hit["pages"]
        assert hit["page"] == hit["pages"][0]
        assert hit["breadcrumb"]
        assert hit["text"]
        assert hit["legs"]
        assert set(hit["legs"]) <= legs
        assert all(set(leg) == {"rank", "score"} for leg in hit["legs"].values())
    assert [hit["score"] for hit in told["hits"]] == sorted((hit["score"] for hit in told["hits"]), reverse=True)
    if mode != "dense":
        assert told["hits"][0]["source"] == RULES
        assert told["hits"][0]["breadcrumb"][-1].startswith("제11조")


def test_hits_as_text(index: Path) -> None:
    said = call("search", "재택근무", "--index", index, "-k", "2")
    assert said.status == 0
    first, second = said.out.rstrip("\n").split("\n\n")
    place, score, passage = first.splitlines()
    assert place.startswith(f"[1] {RULES} p.2 ")
    assert "제11조(재택근무)" in place
    assert re.fullmatch(r"    score \d\.\d{3} \(.*lexical #1 \d+\.\d\d.*\)", score)
    assert passage.startswith("    제11조(재택근무)")
    assert second.startswith("[2] ")


def test_where_filters(index: Path) -> None:
    def sources(where: str) -> set[str]:
        said = call("search", "기간은 얼마인가요", "--index", index, "-k", "50", "--where", where, "--json")
        assert said.status == 0, said.err
        return {hit["source"] for hit in said.json()["hits"]}

    assert sources("{}") == {LABEL, RULES, REPORT}
    assert sources('{"domain": "medical"}') == {LABEL}
    assert sources(json.dumps({"source": {"$in": [RULES, REPORT]}})) == {RULES, REPORT}

    where = json.dumps({"$and": [{"source": RULES}, {"page": {"$lte": 2}}]})
    hits = call("search", "휴가", "--index", index, "-k", "50", "--where", where, "--json").json()["hits"]
    assert hits
    assert all(min(hit["pages"]) <= 2 for hit in hits)

    said = call("search", "휴가", "--index", index, "--where", '{"source": "없는 파일.pdf"}')
    assert (said.status, said.out.startswith("Nothing found.")) == (0, True)


def test_search_in_a_process_of_its_own_with_a_poor_locale(index: Path) -> None:
    arguments = ("search", "재택근무", "--index", index, "-k", "2", "--mode", "lexical")
    said = child(*arguments, "--json", LC_ALL="C")
    assert (said.status, said.err) == (0, "")
    assert said.json()["query"] == "재택근무"
    assert said.out == call(*arguments, "--json").out


def test_more_hits_than_there_are(index: Path) -> None:
    said = call("search", "휴가", "--index", index, "-k", "99999999999999999999", "--mode", "lexical", "--json")
    assert said.status == 0
    assert 0 < len(said.json()["hits"]) < 100


# chunks


def test_chunk_lines_have_these_keys_and_stand_where_they_say(tmp_path: Path) -> None:
    out = tmp_path / "chunks.jsonl"
    said = call("chunks", *sample_paths(), "--out", out)
    assert (said.status, said.out) == (0, "")
    assert said.err.startswith("3 files, ")
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert f"{len(lines)} chunks" in said.err
    assert list(tmp_path.iterdir()) == [out]
    tokenizer = KiwiTokenizer()
    for path in sample_paths():
        document = read_pdf(path.read_bytes(), path.name, limits=ReadLimits(), space_at=tokenizer.space_at)
        mine = [line for line in lines if line["source"] == path.name]
        assert mine
        for line in mine:
            assert list(line) == CHUNK_KEYS
            assert line["document_id"] == document.id
            assert document.text[line["start"] : line["end"]] == line["text"]
            assert set(line["pages"]) <= {page.number for page in document.pages}
            assert isinstance(line["metadata"], dict)
    assert len({line["id"] for line in lines}) == len(lines)


def test_chunks_to_standard_output_and_past_a_file_that_is_no_pdf(tmp_path: Path) -> None:
    (tmp_path / "가.pdf").write_text("PDF가 아닌 글", encoding="utf-8")
    good = numbered_pdf(tmp_path, 3)
    said = call("chunks", tmp_path, "--domain", "finance", "--out", "-")
    assert said.status == 0
    assert "rejected   가.pdf: not a PDF" in said.err
    assert {json.loads(line)["source"] for line in said.out.splitlines()} == {good.name}


def test_chunks_names_the_pages_that_may_be_incomplete(tmp_path: Path) -> None:
    write_pdf(tmp_path / "회의록.pdf", [["연차휴가는 15일로 한다. 병가는 60일까지 허가한다."] * 3, [], []])
    said = call("chunks", tmp_path / "회의록.pdf", "--ocr", "never", "--out", "-")
    assert said.status == 0
    told = said.err.splitlines()
    assert [line.split(": ")[1] for line in told if line.startswith("incomplete 회의록.pdf: ")] == ["p.2", "p.3"]
    assert told[-1].startswith("1 files (1 with pages that may be incomplete), ")


# eval


def test_eval_scores_and_its_run_agree(set_dir: Path, tmp_path: Path) -> None:
    run_file = tmp_path / "run.tsv"
    said = call("eval", set_dir, "--model", "static-ko", "--run", run_file, "--json")
    assert (said.status, said.err) == (0, "")
    told = said.json()
    assert (told["set"], told["model"], told["mode"]) == ("사내규정", "kure-rag/static-ko", "hybrid")
    assert (told["queries"], told["unanswered"]) == (4, 0)
    rows = [line.split("\t") for line in run_file.read_text(encoding="utf-8").splitlines()]
    assert {len(row) for row in rows} == {4}
    assert {row[0] for row in rows} == set(QUESTIONS)

    ranked = {query: [document for document, _ in found] for query, found in read_run(run_file).items()}
    scores = score_run(ranked, read_set(set_dir).qrels).to_dict()
    names = ("ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10")
    assert {name: told[name] for name in names} == pytest.approx({name: scores[name] for name in names})
    first = {query: document for query, document, rank, _ in rows if rank == "1"}
    hits = [first[query] in relevant for query, (_, relevant) in QUESTIONS.items()]
    shares = [hit / len(relevant) for hit, (_, relevant) in zip(hits, QUESTIONS.values(), strict=True)]
    assert told["recall@1"] == pytest.approx(sum(shares) / 4)
    assert told["recall@10"] == 1.0
    assert first["q1"] == "연차"


def test_eval_of_all_modes_as_text_and_as_json(set_dir: Path, tmp_path: Path) -> None:
    kept = tmp_path / "ix"
    said = call("eval", set_dir, "--model", "static-ko", "--mode", "all", "--index", kept)
    assert said.status == 0
    title, head, *rows = said.out.splitlines()
    assert title == "사내규정, kure-rag/static-ko, 4 questions"
    assert head.split() == ["mode", "nDCG@10", "MRR@10", "recall@1", "recall@5", "recall@10"]
    assert [row.split()[0] for row in rows[:3]] == ["hybrid", "lexical", "dense"]

    told = call("eval", set_dir, "--mode", "all", "--index", kept, "--model", "static-ko", "--json").json()
    assert [result["mode"] for result in told["results"]] == ["hybrid", "lexical", "dense"]
    for row, result in zip(rows[:3], told["results"], strict=True):
        interval = result["metrics"]["ndcg@10"]
        assert row.split()[1:3] == [f"{result['ndcg@10']:.4f}", f"{interval['low']:.3f}-{interval['high']:.3f}"]
        assert interval["mean"] == result["ndcg@10"]
        assert len(result["metrics"]) == 24


def test_eval_writes_one_ranking_only_and_says_so_before_the_work(set_dir: Path, tmp_path: Path) -> None:
    assert call("eval", set_dir, "--mode", "all", "--run", tmp_path / "run.tsv").status == 2
    for bad in (tmp_path / "없는 폴더" / "run.tsv", tmp_path):
        said = call("eval", set_dir, "--run", bad, "--json")
        assert said.status == 1
        assert said.json()["error"]["type"] == "IndexPathError"
        assert "cannot be written" in said.err


# Looking after an index


def test_verify_rebuild_info(index: Path) -> None:
    before = call("search", "연차휴가", "--index", index, "--json").out
    told = call("verify", "--index", index, "--json").json()
    assert (told["ok"], told["documents"], told["problems"]) == (True, 3, [])
    said = call("verify", "--index", index)
    assert (said.status, said.out) == (0, f"{index}: 3 documents, {told['chunks']} chunks, clean\n")

    assert call("rebuild", "--index", index, "--view", "dense", "--json").json()["rebuilt"] == ["dense"]
    assert call("rebuild", "--index", index).out == f"{index}: rebuilt lexical, dense, matrix\n"
    assert call("verify", "--index", index).status == 0
    assert call("search", "연차휴가", "--index", index, "--json").out == before

    info = call("info", "--index", index, "--json").json()
    assert (info["documents"], info["chunks"], info["dimension"]) == (3, told["chunks"], 368)
    assert info["fingerprint"]["model"] == "kure-rag/static-ko"
    assert [row["source"] for row in info["documents_list"]] == [LABEL, RULES, REPORT]
    text = call("info", "--index", index, "--documents").out
    assert "model: kure-rag/static-ko" in text
    assert all(f"  {name}: " in text for name in (LABEL, RULES, REPORT))


def test_verify_says_what_is_wrong_and_rebuild_mends_it(index: Path) -> None:
    with KureIndex.open(index, create=False) as opened, opened._store.views() as views:
        views.lexical.apply({}, views.lexical.rows()[:2])  # by somebody else than the index
    said = call("verify", "--index", index)
    assert said.status == 1
    assert said.out.startswith("lexical: meta.json is not as it was left\n")
    assert f"1 problems; try `kure-rag rebuild --index {index}`" in said.out
    told = call("verify", "--index", index, "--json").json()["problems"]
    assert told == ["lexical: meta.json is not as it was left"]

    assert call("rebuild", "--index", index, "--view", "lexical").out == f"{index}: rebuilt lexical\n"
    assert call("verify", "--index", index).status == 0


# models and train


def test_models() -> None:
    told = call("models", "--json").json()
    assert told["default"] == "nlpai-lab/KURE-v1"
    assert [card["name"] for card in told["models"]] == list(CARDS)
    table = call("models").out
    assert all(name in table for name in CARDS)

    card = call("models", "KoE5", "--json").json()
    assert (card["name"], card["query_prefix"], card["passage_prefix"]) == ("nlpai-lab/KoE5", "query: ", "passage: ")
    text = call("models", "KoE5").out
    assert "'query: '" in text
    assert 'KureEmbeddings("nlpai-lab/KoE5")' in text

    said = call("models", "KoE55", "--json")
    assert said.status == 1
    assert said.json()["error"]["type"] == "UnknownModelError"


def test_train_static_prints_its_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    @dataclass
    class Training:
        recipe: str = "static"
        changes: tuple[Any, ...] = ()

    @dataclass
    class Report:
        rows: int
        vocabulary: int = 32_000
        seconds: float = 1.5
        size: int = 7
        training: Training = field(default_factory=Training)

        def to_dict(self) -> dict[str, int]:
            return {"rows": self.rows}

    asked: list[Any] = []

    def pretend(data: Path, out: Path, *, dev: list[Path], settings: Any, progress: Any) -> Report:
        asked.append((data, out, dev, settings.seed))
        progress("어휘를 세는 중")
        return Report(rows=32_000)

    monkeypatch.setattr(kure_rag.train, "train_static", pretend)
    monkeypatch.setenv("KURE_RAG_DATA", str(tmp_path / "data"))
    said = call("train", "static", "--out", tmp_path / "model", "--seed", "7", "--json")
    assert said.status == 0
    assert said.json() == {"out": str(tmp_path / "model"), "rows": 32_000}
    assert said.err == "어휘를 세는 중\n"
    assert asked == [(tmp_path / "data", tmp_path / "model", [], 7)]
    assert "rows: 32000" in call("train", "static", "--out", tmp_path / "model").out


def test_train_without_data_or_recipe(tmp_path: Path) -> None:
    said = call("train", "static", "--data", tmp_path / "없음", "--out", tmp_path / "model", "--json")
    assert said.status == 1
    assert "statutes" in said.json()["error"]["message"]
    assert call("train").status == 2


# Help


def test_help_of_every_command_has_examples_that_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    parser = build_parser()
    for words in ([], *([name] for name in COMMANDS), ["train", "static"]):
        said = call(*words, "--help")
        assert (said.status, said.err) == (0, "")
        _, _, examples = said.out.partition("examples:\n")
        typed = [line for line in examples.splitlines() if line.startswith("  kure-rag ")]
        assert typed, f"kure-rag {' '.join(words)} --help has no example"
        assert not words or any(line.startswith(f"  kure-rag {words[0]} ") or line.endswith(words[0]) for line in typed)
        for line in typed:
            command = shlex.split(re.split(r" {3,}| \| ", line.strip())[0], comments=True)
            assert parser.parse_args(command[1:]).command in COMMANDS


def test_version_and_wrong_arguments(tmp_path: Path) -> None:
    assert call("--version").out == f"kure-rag {__version__}\n"
    for wrong in (
        [],
        ["nothing"],
        ["search", "휴가"],
        ["search", "휴가", "--index", tmp_path, "--mode", "x"],
        ["search", "휴가", "--index", tmp_path, "-k", "셋"],
        ["chunks", "x.pdf"],
    ):
        said = call(*wrong)
        assert (said.status, said.out) == (2, "")
        assert "usage: kure-rag" in said.err


def test_help_loads_nothing_heavy() -> None:
    script = """
import sys
from kure_rag.cli import main
try:
    main(["--help"])
except SystemExit as stopped:
    assert not stopped.code
heavy = {"torch", "chromadb", "transformers", "sentence_transformers", "langchain_core", "kiwipiepy", "tantivy",
         "numpy", "rich", "pypdfium2"}
print("HEAVY", sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
