"""``kure-rag eval``: saved runs, comparing them, sets in other formats, and what it refuses."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import Said, call
from filelock import FileLock

from kure_rag import KureIndex
from kure_rag.evaluate import list_saved_runs, read_run, read_saved_run
from kure_rag.read import Record

DOCUMENTS = {
    "연차": ("노동", "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."),
    "병가": ("노동", "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가한다."),
    "급여": ("노동", "급여는 매월 25일에 지급하고 휴일이면 전날에 지급한다."),
    "대출": ("금융", "이자를 두 달 넘게 내지 않으면 은행은 기한의 이익을 상실시킬 수 있다."),
    "철회": ("금융", "계약자는 보험증권을 받은 날부터 15일 안에 청약을 철회할 수 있다."),
    "예금": ("금융", "예금보험공사는 한 사람에 대하여 오천만 원까지 예금을 보호한다."),
}
QUESTIONS = {
    "q1": ("연차휴가는 며칠을 주나요?", ["연차"]),
    "q2": ("급여를 지급하는 날은 언제인가요?", ["급여"]),
    "q3": ("진단서를 내야 하는 휴가는?", ["병가", "연차"]),
    "q4": ("보험 청약은 언제까지 철회할 수 있나요?", ["철회"]),
    "q5": ("은행이 보호하는 예금은 얼마까지인가요?", ["예금"]),
}
NAMES = ("-lexical", "-tiny-syllables-dense", "-tiny-syllables-hybrid")


def write_set(folder: Path, **extra: str) -> Path:
    folder.mkdir(parents=True)
    rows = [{"_id": name, "text": text, "domain": domain} for name, (domain, text) in DOCUMENTS.items()]
    asked = [{"_id": query, "text": text} for query, (text, _) in QUESTIONS.items()]
    judged = [f"{query}\t{name}\t1" for query, (_, names) in QUESTIONS.items() for name in names]
    files = {
        "corpus.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "queries.jsonl": "\n".join(json.dumps(row, ensure_ascii=False) for row in asked),
        "qrels.tsv": "\n".join(["query-id\tcorpus-id\tscore", *judged]),
    }
    for name, text in files.items():
        (folder / name).write_text(f"{text}\n{extra.get(name.partition('.')[0], '')}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def set_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_set(tmp_path_factory.mktemp("sets") / "작은 모음")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, set_dir: Path, tiny_model: Path) -> Path:
    """The set's index, for tests that are not about making one."""
    folder = tmp_path_factory.mktemp("index") / "ix"
    said = call("eval", set_dir, "--model", tiny_model, "--index", folder, "--mode", "lexical")
    assert said.status == 0, said.err
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, set_dir: Path, tiny_model: Path) -> tuple[Path, Said]:
    """Runs of all three modes, and what the command that made them printed."""
    runs = tmp_path_factory.mktemp("runs")
    said = call("eval", set_dir, "--model", tiny_model, "--mode", "all", "--save", runs, "--latency", "3")
    assert said.status == 0, said.err
    return runs, said


def errors(said: Said) -> str:
    assert said.status == 1, said.out
    assert "Traceback" not in said.err
    return said.err


# Saved runs


def test_a_saved_run_holds_what_was_evaluated_and_how_good_it_was(saved: tuple[Path, Said], set_dir: Path) -> None:
    runs, _ = saved
    names = [f"작은-모음{name}" for name in NAMES]
    found = list_saved_runs(runs)
    assert [run.name for run in found] == names
    lexical, dense, hybrid = found
    assert {run.pipeline for run in found} == {"lexical", "dense", "hybrid"}
    assert (lexical.model, dense.model) == ("BM25 (Kiwi)", "tiny-syllables")
    assert lexical.data["fingerprint"].keys() == {"tokenizer", "chunker"}, "no vector has a say"
    assert dense.data["fingerprint"]["model"]
    settings = hybrid.settings
    assert (settings["k"], settings["mode"], settings["fusion"], settings["reranker"]) == (10, "hybrid", "convex", None)
    assert 0 < settings["weight"] < 1
    assert "fusion" not in lexical.settings, "it has no say there"
    for run in found:
        assert (run.kind, run.task, run.queries, len(run.task_sha256)) == ("retrieval", "작은 모음", 5, 64)
        assert run.data["versions"].keys() >= {"kure_rag", "python", "torch"}
        assert run.data["hardware"].keys() == {"cpu", "cores", "gpu"}
        assert len(run.metrics) == 24
        mean = run.metrics["ndcg@10"]
        values = run.per_query("ndcg@10")
        assert mean.low <= mean.mean <= mean.high
        assert mean.mean == pytest.approx(sum(values.values()) / 5)
        assert values.keys() == QUESTIONS.keys()
        assert run.domains.keys() == {"금융", "노동"}
        assert run.measured["latency_ms"]["queries"] == 3
        assert 0 < run.measured["latency_ms"]["p50"] <= run.measured["latency_ms"]["p99"]
        assert run.measured["index_seconds"] > 0
        assert run.measured["index_bytes"] > 10_000
        assert run.measured["peak_memory_bytes"] > 10_000_000
        assert run.measured["started"] <= run.measured["finished"]
        assert sorted(path.name for path in run.folder.iterdir()) == ["measured.json", "ranking.tsv", "run.json"]
    assert read_run(lexical.folder / "ranking.tsv")["q1"][0][0] == "연차"


def test_the_table_says_what_the_files_say(saved: tuple[Path, Said]) -> None:
    runs, said = saved
    lines = said.out.splitlines()
    assert lines[0] == "작은 모음, tiny-syllables, 5 questions"
    for run in list_saved_runs(runs):
        told = next(line for line in lines if line.split()[:1] == [run.pipeline])
        interval = run.metrics["ndcg@10"]
        assert f"{interval.mean:.4f} {interval.low:.3f}-{interval.high:.3f}" in told
        assert f"{run.pipeline}: saved in {run.folder}" in lines
        labour = next(line for line in lines if line.startswith("노동"))
        assert f"{run.domains['노동']['ndcg@10'].mean:.4f}" in labour


def test_the_same_command_again_asks_nothing_and_changes_nothing(
    saved: tuple[Path, Said], set_dir: Path, tiny_model: Path
) -> None:
    runs, first = saved
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    said = call("eval", set_dir, "--model", tiny_model, "--mode", "all", "--save", runs, "--latency", "3")
    assert said.out == first.out.replace("saved in", "was finished before, in")
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-k", "5"], "settings.k: 10 there, 5 now"),
        (["--fusion", "rrf"], 'settings.fusion: "convex" there, "rrf" now'),
        (["--weight", "0.9"], "settings.weight: "),
        (["--query-prefix", "질문: "], 'fingerprint.query_prefix: "" there, "질문: " now'),
    ],
)
def test_other_settings_never_take_a_finished_runs_place(
    saved: tuple[Path, Said], set_dir: Path, tiny_model: Path, options: list[str], told: str
) -> None:
    runs, _ = saved
    folder = runs / "작은-모음-tiny-syllables-hybrid"
    before = (folder / "run.json").read_bytes()
    told_now = errors(call("eval", set_dir, "--model", tiny_model, "--save", runs, *options))
    assert "holds a finished run of something else" in told_now
    assert told in told_now
    assert "choose another --name" in told_now
    assert (folder / "run.json").read_bytes() == before
    assert not list(folder.glob(".eval-index*"))


def test_a_changed_set_never_takes_a_finished_runs_place(
    saved: tuple[Path, Said], tmp_path: Path, tiny_model: Path
) -> None:
    runs, _ = saved
    changed = write_set(tmp_path / "작은 모음", corpus='{"_id": "주차", "text": "주차장은 지하 2층에 있다."}\n')
    assert "task_sha256: " in errors(call("eval", changed, "--model", tiny_model, "--mode", "dense", "--save", runs))


def test_a_run_has_fewer_cuts_where_fewer_are_asked_for(set_dir: Path, index: Path, tiny_model: Path) -> None:
    options = ("--mode", "lexical", "-k", "4", "--latency", "0")
    told = call("eval", set_dir, "--model", tiny_model, "--index", index, *options, "--json").json()
    assert {name.partition("@")[2] for name in told["metrics"]} == {"1", "3", "4"}
    assert "ndcg@10" not in told
    assert told["measured"]["latency_ms"] is None
    assert told["model"] == "BM25 (Kiwi)"


def test_a_weight_and_a_fusion_change_the_ranking(set_dir: Path, index: Path, tiny_model: Path, tmp_path: Path) -> None:
    def ranked(*options: str) -> dict[str, float]:
        run = tmp_path / "run.tsv"
        asked = ("--model", tiny_model, "--index", index, "--run", run, "--latency", "0", *options)
        assert call("eval", set_dir, *asked).status == 0
        return dict(read_run(run)["q3"])

    lexical, dense = list(ranked("--mode", "lexical")), list(ranked("--mode", "dense"))
    assert lexical != dense
    assert list(ranked("--weight", "1")) == dense
    assert list(ranked("--weight", "0"))[: len(lexical)] == lexical
    for name, score in ranked("--fusion", "rrf", "--weight", "0.3").items():
        parts = [weight / (60 + of.index(name) + 1) for weight, of in ((0.7, lexical), (0.3, dense)) if name in of]
        assert score == pytest.approx(sum(parts), abs=1e-4), name  # a leg may rank what it would not show


def test_an_index_with_more_than_the_set_is_refused(index: Path, tiny_model: Path, tmp_path: Path) -> None:
    smaller = write_set(tmp_path / "더 작은 모음")
    lines = (smaller / "corpus.jsonl").read_text(encoding="utf-8").splitlines()
    (smaller / "corpus.jsonl").write_text("\n".join(line for line in lines if "대출" not in line), encoding="utf-8")
    told = errors(call("eval", smaller, "--model", tiny_model, "--index", index))
    assert "holds 1 documents that are not in corpus.jsonl, first '대출'" in told


@pytest.fixture
def own_rules(tmp_path: Path, tiny_model: Path) -> Path:
    """An index that somebody has made of documents of their own."""
    folder = tmp_path / "proj" / "mine" / "index"
    with KureIndex.open(folder, embeddings=str(tiny_model)) as index:
        index.add_records([Record("주차", "", "주차장은 지하 2층에 있다."), Record("식당", "", "식당은 정오에 연다.")])
    return folder


def held_by(folder: Path) -> tuple[list[str], int]:
    with KureIndex.open(folder, create=False) as index:
        return [row.source for row in index.documents()], index.info()["generation"]


def test_nothing_is_written_into_an_index_of_other_documents(own_rules: Path, set_dir: Path, tiny_model: Path) -> None:
    before = held_by(own_rules)
    for kept in ([], ["--save", own_rules.parent / "runs"]):
        told = errors(call("eval", set_dir, "--model", tiny_model, "--index", own_rules, *kept))
        assert "holds 2 documents that are not in corpus.jsonl, first '식당'" in told
        assert "Nothing was added to it" in told
    assert held_by(own_rules) == before == (["식당", "주차"], before[1])
    assert not (own_rules.parent / "runs").exists()


def test_an_index_in_the_folder_of_a_saved_run_is_neither_used_nor_removed(
    own_rules: Path, set_dir: Path, tiny_model: Path
) -> None:
    before = held_by(own_rules)
    runs = own_rules.parent.parent
    asked = ("--model", tiny_model, "--save", runs, "--name", "mine", "--latency", "0")
    for when in ("saved in", "was finished before"):
        said = call("eval", set_dir, *asked)
        assert said.status == 0, said.err
        assert when in said.out
        assert held_by(own_rules) == before
        assert sorted(path.name for path in (runs / "mine").iterdir()) == [
            "index",
            "measured.json",
            "ranking.tsv",
            "run.json",
        ]


def test_an_index_stays_for_the_runs_that_are_not_finished_and_its_cost_is_known_to_all(
    set_dir: Path, tiny_model: Path, tmp_path: Path
) -> None:
    every = ("eval", set_dir, "--model", tiny_model, "--save", tmp_path, "--latency", "0", "--mode")
    first, second, third = (tmp_path / f"작은-모음{NAMES[place]}" for place in (2, 0, 1))
    in_the_way = second / "ranking.tsv"
    in_the_way.mkdir(parents=True)  # so that the second of three cannot be saved
    assert call(*every, "all").status == 1
    assert [run.folder for run in list_saved_runs(tmp_path)] == [first]
    [place] = first.glob(".eval-index-*")
    assert held_by(place / "index")[0] == sorted(DOCUMENTS)

    said = call(*every, "hybrid")  # it is finished; the others' index is not its business
    assert "was finished before" in said.out
    assert held_by(place / "index")[0] == sorted(DOCUMENTS)

    in_the_way.rmdir()
    with FileLock(first / ".eval-index.lock"):  # as another process at work holds it
        assert "another process is evaluating" in errors(call(*every, "all"))
    assert place.is_dir()

    assert call(*every, "all").status == 0
    for folder in (first, second, third):
        assert sorted(path.name for path in folder.iterdir()) == ["measured.json", "ranking.tsv", "run.json"]
    costs = [(run.measured["index_seconds"], run.measured["index_bytes"]) for run in list_saved_runs(tmp_path)]
    assert costs == [costs[0]] * 3
    assert costs[0][0] > 0


def test_what_a_kill_left_is_removed_only_where_it_was_made_by_an_evaluation_that_is_finished(
    saved: tuple[Path, Said], set_dir: Path, tiny_model: Path, tmp_path: Path
) -> None:
    runs = Path(shutil.copytree(saved[0], tmp_path / "runs"))
    asked = ("eval", set_dir, "--model", tiny_model, "--save", runs, "--mode")
    first = runs / f"작은-모음{NAMES[2]}"
    ours, theirs = first / ".eval-index-0123456789ab", first / ".eval-index-of-mine"
    for folder in (ours, theirs):
        (folder / "index").mkdir(parents=True)
        (folder / "index" / "catalog.sqlite3").write_bytes(b"")
    named = [f"작은-모음{name}" for name in NAMES]
    (ours / "runs.json").write_text(json.dumps([*named, "아직"]), encoding="utf-8")
    assert call(*asked, "all").status == 0
    assert (ours / "index" / "catalog.sqlite3").is_file(), "one of its runs is not finished"
    (ours / "runs.json").write_text(json.dumps(named), encoding="utf-8")
    with FileLock(first / ".eval-index.lock"):
        assert call(*asked, "all").status == 0
        assert ours.is_dir(), "another process is at work with it"
    assert call(*asked, "all").status == 0
    assert not ours.exists()
    assert (theirs / "index" / "catalog.sqlite3").is_file()


def test_a_domain_has_the_scores_of_the_queries_about_it_alone(tmp_path: Path, tiny_model: Path) -> None:
    folder = write_set(tmp_path / "모음", qrels="q2\t대출\t1\n")  # q2 is about both domains now
    run = tmp_path / "run.tsv"
    asked = ("--model", tiny_model, "--mode", "lexical", "--latency", "0", "--run", run)
    said = call("eval", folder, *asked)
    told = call("eval", folder, *asked, "--json").json()
    ranked = {query: [name for name, _ in found] for query, found in read_run(run).items()}
    of = {"노동": ["q1", "q3"], "금융": ["q4", "q5"]}
    assert {domain: group["queries"] for domain, group in told["domains"].items()} == {"금융": 2, "노동": 2}
    for domain, queries in of.items():
        ranks = [next(i for i, name in enumerate(ranked[q], 1) if name in QUESTIONS[q][1]) for q in queries]
        mean = told["domains"][domain]["metrics"]["mrr@10"]["mean"]
        assert mean == pytest.approx(sum(1 / rank for rank in ranks) / 2)
        line = next(line for line in said.out.splitlines() if line.startswith(domain))
        assert line.split()[1:3] == ["2", f"{told['domains'][domain]['metrics']['ndcg@10']['mean']:.4f}"]
    assert told["queries"] == 5


def test_a_reranker_orders_the_candidates_and_names_the_pipeline(
    set_dir: Path, index: Path, tiny_model: Path, tmp_path: Path
) -> None:
    from small_other_models import reranker

    from kure_rag import KureReranker

    texts = [text for text, _ in QUESTIONS.values()] + [text for _, text in DOCUMENTS.values()]
    model = reranker(tmp_path / "재정렬", "".join(sorted({letter for text in texts for letter in text} - {" "})))
    run = tmp_path / "run.tsv"
    asked = ("--model", tiny_model, "--index", index, "--latency", "0", "--rerank", model)
    told = call("eval", set_dir, *asked, "--run", run, "--json").json()
    assert (told["mode"], told["pipeline"]) == ("hybrid", "hybrid+rerank")
    question, found = QUESTIONS["q1"][0], [name for name, _ in read_run(run)["q1"]]
    scores = KureReranker(str(model)).scores([(question, DOCUMENTS[name][1]) for name in found])
    assert list(scores) == sorted(scores, reverse=True)
    assert len(found) > 1


def test_a_reranker_that_is_not_there_is_told_before_the_corpus_is_embedded(set_dir: Path, tmp_path: Path) -> None:
    asked = ("--model", "static-ko", "--index", tmp_path / "ix", "--rerank", tmp_path / "없는 모델")
    assert "없는 모델" in errors(call("eval", set_dir, *asked))
    assert not list((tmp_path / "ix").glob("lexical/*"))


# Comparing


def test_compare_says_both_intervals_the_difference_and_a_verdict(saved: tuple[Path, Said]) -> None:
    runs, _ = saved
    first, second = runs / "작은-모음-lexical", runs / "작은-모음-tiny-syllables-dense"
    said = call("eval", "compare", first, second)
    assert said.status == 0
    a, b = read_saved_run(first), read_saved_run(second)
    assert said.out.splitlines()[:3] == [
        "작은 모음, 5 queries",
        "  A  작은-모음-lexical: BM25 (Kiwi), lexical",
        "  B  작은-모음-tiny-syllables-dense: tiny-syllables, dense",
    ]
    for metric in ("ndcg@10", "mrr@10", "recall@10"):
        assert f"\n{metric}\n" in said.out
    told = call("eval", "compare", first, second, "--metric", "ndcg@10", "--json").json()
    [row] = told["metrics"]
    assert row["first"] == a.metrics["ndcg@10"].to_dict(), "the interval that was saved"
    assert row["difference"] == pytest.approx(b.metrics["ndcg@10"].mean - a.metrics["ndcg@10"].mean)
    assert row["verdict"] in said.out
    same = call("eval", "compare", first, first)
    assert same.out.count("no query differs: A and B score the same") == 3


def test_compare_refuses_what_cannot_be_compared(saved: tuple[Path, Said], tmp_path: Path) -> None:
    runs, _ = saved
    first = runs / "작은-모음-lexical"
    assert "no run.json in this folder" in errors(call("eval", "compare", first, runs))
    assert "has no recall@7 of single queries; it has ndcg@10" in errors(
        call("eval", "compare", first, first, "--metric", "recall@7")
    )
    data: dict[str, Any] = json.loads((first / "run.json").read_text(encoding="utf-8"))
    for key, value, told in (
        ("task_sha256", "0" * 64, "runs of different sets (the same name, but other files)"),
        ("kind", "sts", "a run of kind 'sts'; compare takes two of kind 'retrieval'"),
    ):
        other = tmp_path / key
        other.mkdir()
        (other / "run.json").write_text(json.dumps({**data, key: value}), encoding="utf-8")
        assert told in errors(call("eval", "compare", first, other))


# Sets


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ({"qrels": "q9\t연차\t1\n"}, "qrels.tsv: line 8: query 'q9' is not in queries.jsonl"),
        ({"qrels": "q5\t없는 규정\t1\n"}, "1 of 7 judgements name a document not in corpus.jsonl, first '없는 규정'"),
        ({"qrels": "q5\t없는 규정\t1\n"}, "for query 'q5' (qrels.tsv line 8)"),
        ({"corpus": '{"_id": "연차", "text": "다른 글"}\n'}, "corpus.jsonl: line 7: _id '연차' is already on line 1"),
        ({"corpus": '{"_id": "빈 글", "title": "", "text": " "}\n'}, "corpus.jsonl: line 7: title and text are both"),
        ({"queries": '{"_id": "q6", "text": ""}\n'}, "queries.jsonl: line 6: text is empty"),
        ({"queries": '{"_id": "q1", "text": "또"}\n'}, "queries.jsonl: line 6: _id 'q1' is already on line 1"),
    ],
)  # fmt: skip
def test_a_wrong_set_is_named_by_file_and_line_before_anything_is_made(
    tmp_path: Path, tiny_model: Path, extra: dict[str, str], told: str
) -> None:
    folder = write_set(tmp_path / "모음", **extra)
    assert told in errors(call("eval", folder, "--model", tiny_model, "--save", tmp_path / "runs"))
    assert not (tmp_path / "runs").exists()


def test_autorags_files_are_evaluated_too(tmp_path: Path, tiny_model: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "오토래그"
    folder.mkdir()
    rows = {"doc_id": list(DOCUMENTS), "contents": [text for _, text in DOCUMENTS.values()], "path": ["규정.pdf"] * 6}
    parquet.write_table(pa.table(rows), folder / "corpus.parquet")
    gold = [[["연차"]], [["급여"]], [["병가"], ["연차"]], [["철회"]], [["예금", "대출"]]]
    asked = {"qid": list(QUESTIONS), "query": [text for text, _ in QUESTIONS.values()], "retrieval_gt": gold}
    parquet.write_table(pa.table(asked), folder / "qa.parquet")

    run = tmp_path / "run.tsv"
    options = ("--model", tiny_model, "--index", tmp_path / "ix", "--mode", "lexical", "--latency", "0")
    told = call("eval", folder, *options, "--run", run, "--json").json()
    assert (told["set"], told["queries"], told["domains"]) == ("오토래그", 5, {})
    ranked = {query: [name for name, _ in found] for query, found in read_run(run).items()}
    assert ranked["q1"][0] == "연차"
    assert ranked["q5"].index("예금") < 2
    shares = [1.0, 1.0, len({"병가", "연차"} & set(ranked["q3"])) / 2, 1.0, 1.0]
    assert told["recall@10"] == pytest.approx(sum(shares) / 5), "one of 예금 and 대출 is enough"

    named = call("eval", folder / "qa.parquet", "--corpus", folder / "corpus.parquet", *options, "--json")
    assert named.json()["metrics"] == told["metrics"]
    (folder / "corpus.parquet").rename(tmp_path / "다른 곳.parquet")
    assert "no corpus.parquet beside it; name the corpus with --corpus FILE" in errors(
        call("eval", folder / "qa.parquet", "--mode", "lexical")
    )


# Arguments


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--name", "이름"], "give --save DIR with it"),
        (["--save", "runs", "--name", "a/b"], "the name of one folder"),
        (["--corpus", "corpus.parquet"], "a folder brings its own corpus"),
        (["--latency", "-1"], "0 times none"),
        (["--batch", "0"], "give 1 or more"),
        (["--mode", "all", "--run", "run.tsv"], "give one --mode with it"),
    ],
)
def test_arguments_that_do_not_go_together(set_dir: Path, options: list[str], told: str) -> None:
    said = call("eval", set_dir, *options)
    assert said.status == 2
    assert told in said.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["-k", "0"], "k is 0"),
        (["--weight", "1.5"], "weight is 1.5"),
        (["--rerank", "모델", "--rerank-candidates", "5"], "reads 5 candidates, fewer than the 10"),
    ],
)
def test_settings_that_make_no_sense_are_told_before_the_work(set_dir: Path, options: list[str], told: str) -> None:
    assert told in errors(call("eval", set_dir, *options))


def test_without_its_extra_it_says_how_to_install_it_before_the_work(
    set_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytrec_eval", None)
    told = errors(call("eval", set_dir, "--model", "static-ko", "--save", tmp_path / "runs"))
    assert 'pip install "kure-rag[eval]"' in told
    assert not (tmp_path / "runs").exists()


def test_a_folder_named_like_a_word_is_reached_by_its_path(
    tmp_path: Path, index: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path / "compare")
    monkeypatch.chdir(tmp_path)
    asked = ("--model", tiny_model, "--index", index, "--mode", "lexical", "--latency", "0")
    assert call("eval", "./compare", *asked, "--json").json()["set"] == "compare"
    assert "RUN_A" in call("eval", "compare", "--help").out
    assert "\n  eval compare  whether" in call("eval", "--help").out


def test_a_path_that_is_not_there_is_no_task_of_mteb(tmp_path: Path) -> None:
    assert "no such folder; a retrieval set is a folder with corpus.jsonl" in errors(call("eval", tmp_path / "없음"))
