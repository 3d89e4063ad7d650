"""The domain recipe: what it makes of documents, what it holds back, and all that a recipe has to hold."""

from __future__ import annotations

import gzip
import json
import os
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from training_kit import RecipeContract

from kure_rag import KureIndex
from kure_rag.cli.main import build_parser
from kure_rag.cli.train_options import chosen_settings
from kure_rag.errors import ConfigError, CorpusFormatError, SourceNotFoundError
from kure_rag.evaluate.sets import read_set
from kure_rag.train.domain_data import DomainData, read_domain, without
from kure_rag.train.domain_mine import CANDIDATES, TRIPLETS, Unheld
from kure_rag.train.domain_split import By, developments, split_domain
from kure_rag.train.recipe import Plan, Sources
from kure_rag.train.recipes import find_recipe
from kure_rag.train.recipes.domain import DomainRecipe, DomainSettings, blend, is_table
from kure_rag.train.run import train
from kure_rag.train.trainer import left_out
from kure_rag.train.workdir import hashes

RULES = (
    "연차휴가",
    "출장여비",
    "재택근무",
    "퇴직급여",
    "징계절차",
    "건강검진",
    "교육훈련",
    "비밀유지",
    "복무점검",
    "육아시간",
)
BODIES = (
    "쉬는 날은 해마다 열닷새로 한다",
    "길을 떠난 사람에게 드는 돈을 나누어 준다",
    "집에서 일하려면 윗사람의 허락을 받는다",
    "회사를 떠날 때에 밀린 돈을 한꺼번에 준다",
    "잘못한 사람은 위원들 앞에서 말할 수 있다",
    "해마다 한 번 병원에서 몸을 살핀다",
    "새로 온 사람은 이레 동안 배운다",
    "들은 것을 밖에 말하지 아니한다",
    "자리에 있는지 달마다 살펴본다",
    "어린 아이가 있으면 두 시간을 덜 일한다",
)
HOUSES = (
    "한빛은행",
    "새여울병원",
    "모아보험",
    "가람대학",
    "누리법원",
    "다온약국",
    "마루증권",
    "바른구청",
    "솔재단",
    "아라공사",
)


DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
STATUTES = DATA / "statutes" / "articles.jsonl.gz"
LAWS = (
    "국민건강보험법",
    "검역법",
    "주식회사 등의 외부감사에 관한 법률",
    "외국환거래법",
    "지역보건법",
    "최저임금법",
)

TOWNS = ("가평", "나주", "담양", "마산", "보령", "사천")
KINDS = ("은행", "병원", "대학", "보험", "약국", "법원")


def articles(folder: Path, houses: Sequence[str] = HOUSES) -> Path:
    """Statutes of houses with ten articles each: the headings' words stand in no body."""
    rows = [
        {
            "law": f"{house} 규정",
            "title": rule,
            "article": f"제{i}조",
            "text": f"{body}. 이 일은 {house}의 맡은 사람이 {i}월에 처리하고 그 결과를 적어 두어야 한다. "
            f"자세한 것은 {house}의 장이 따로 정하는 바에 따른다.",
        }
        for house in houses
        for i, (rule, body) in enumerate(zip(RULES, BODIES, strict=True), 1)
    ]
    path = folder / "articles.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def small(**changed: Any) -> DomainSettings:
    recipe = DomainRecipe()
    return replace(recipe.smallest(recipe.settings), **changed)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DomainData:
    folder = tmp_path_factory.mktemp("domain")
    return read_domain([articles(folder)], folder, model="static-ko", sentences=1)


def test_articles_become_passages_and_three_kinds_of_questions(data: DomainData) -> None:
    assert len(data.passages) == 100
    kinds = Counter(question.kind for question in data.questions)
    assert kinds["heading"] == kinds["keywords"] == 100
    assert 0 < kinds["sentence"] <= 100
    by_text = {question.text: question for question in data.questions}
    asked = by_text["한빛은행 규정에서 연차휴가에 관한 내용은 무엇인가요?"]
    assert data.passages[asked.passages[0]].text.startswith("한빛은행 규정 > 제1조(연차휴가)\n쉬는 날은")
    assert by_text["한빛은행 규정 연차휴가"].passages == asked.passages
    assert data.passages[asked.passages[0]].document == "한빛은행 규정"


def test_a_question_that_many_passages_answer_is_left_out(data: DomainData) -> None:
    """A body that stands in the rules of all ten houses asks for none of them."""
    assert max(len(question.passages) for question in data.questions) <= 5
    assert any("more than 5 passages answer each" in note for note in data.notes)


@pytest.mark.parametrize("by", ["document", "passage"])
def test_nothing_of_what_is_held_back_is_trained_on(data: DomainData, by: By) -> None:
    split = split_domain(data, by=by, share=0.2)
    assert split.held
    assert {id_ for question in split.scored for id_ in question.passages} <= split.held
    assert not {id_ for question in split.training for id_ in question.passages} & split.held
    assert not {question.text for question in split.scored} & {question.text for question in split.training}
    assert {question.kind for question in split.scored} == {"heading"}
    held = {data.passages[id_].document for id_ in split.held}
    others = {one.document for id_, one in data.passages.items() if id_ not in split.held}
    assert bool(held & others) == (by == "passage")
    assert len(split.scored) == pytest.approx(20, abs=10)


def test_a_split_by_question_keeps_the_words_unseen(data: DomainData) -> None:
    split = split_domain(data, by="question", share=0.2)
    assert len(split.scored) == 20
    assert not split.held
    assert not {question.text for question in split.scored} & {question.text for question in split.training}


def test_the_split_does_not_depend_on_the_order(data: DomainData) -> None:
    turned = DomainData(
        passages=dict(reversed(data.passages.items())), questions=data.questions[::-1], index=None, notes=[]
    )
    assert split_domain(turned, by="document", share=0.2).held == split_domain(data, by="document", share=0.2).held


def test_held_back_passages_are_searched_and_never_trained_on(tmp_path: Path) -> None:
    plan = planned(tmp_path, small())
    development: Any = plan.development[0]
    assert development.name == "unseen-headings"
    assert len(development._passages) == 100
    held = {development._passages[development._ids.index(id_)] for one in development.relevant.values() for id_ in one}
    rows = [json.loads(line) for line in (tmp_path / "work" / TRIPLETS).read_text(encoding="utf-8").splitlines()]
    houses = {text.split(" ")[0] for text in held}
    for row in rows:
        assert not {text.split(" ")[0] for text in (row["positive"], *row["negatives"])} & houses
        assert len(row["negatives"]) == 1
    assert len(plan.stages[0].datasets["triplets"]) == len(rows)
    assert any("were held back whole: scored are unseen questions about unseen passages" in note for note in plan.notes)


def test_a_sentence_is_taken_out_of_the_passage_that_it_asks_for(tmp_path: Path) -> None:
    planned(tmp_path, small())
    rows = [json.loads(line) for line in (tmp_path / "work" / TRIPLETS).read_text(encoding="utf-8").splitlines()]
    asked = [row for row in rows if row["query"].endswith(("하고", ".")) or "규정" not in row["query"]]
    assert asked
    assert not [row for row in asked if row["query"] in row["positive"]]
    assert without("가 나\n다. 라 마.", "가 나 다.") == "라 마."
    assert without("가 나.", "가 나.") == "가 나."  # never empty


def test_no_question_stands_in_what_a_batch_calls_wrong(tmp_path: Path) -> None:
    """Whichever rows come together: a sentence is in no text, and a passage is one text in all of its rows."""
    planned(tmp_path, small(most=None, sentences=2))
    rows = [json.loads(line) for line in (tmp_path / "work" / TRIPLETS).read_text(encoding="utf-8").splitlines()]
    texts = {text for row in rows for text in (row["positive"], *row["negatives"])}
    sentences = {row["query"] for row in rows if row["query"].endswith(".")}
    assert len(sentences) > 50
    assert not [query for query in sentences if any(query in text for text in texts)]
    headings = [text.split("\n")[0] for text in texts]
    assert len(set(headings)) == len(headings)


def test_batches_that_cannot_be_filled_with_different_passages_are_made_smaller(tmp_path: Path) -> None:
    plan = planned(tmp_path, small(batch_size=128, negatives=0))
    (stage,) = plan.stages
    fitting = stage.settings.batch_size
    assert 8 <= fitting < 128
    assert len(set(stage.datasets["triplets"]["positive"])) >= 2 * fitting
    assert any(f"batches are of {fitting} rows in place of 128" in note for note in plan.notes)


def test_without_negatives_nothing_is_searched(tmp_path: Path) -> None:
    plan = planned(tmp_path, small(negatives=0))
    assert plan.stages[0].datasets["triplets"].column_names == ["query", "positive"]
    assert not (tmp_path / "work" / "passages").exists()


def test_rows_that_fill_no_batch_are_told(tmp_path: Path) -> None:
    """Of each passage several questions ask, and no two of these can be in one batch."""
    plan = planned(tmp_path, small(most=None, sentences=3, batch_size=24))
    (stage,) = plan.stages
    (said,) = left_out(stage)
    assert said in plan.notes


def test_candidates_to_score_on_are_what_a_search_shows(tmp_path: Path) -> None:
    """Nine of them and the answer, whatever is trained on: no margin takes out what is hard to tell apart."""
    found = []
    for name, settings in (("few", small()), ("more", small(negatives=2, margin=0.8, depth=12))):
        planned(tmp_path / name, settings)
        work = tmp_path / name / "work"
        training = [json.loads(line) for line in (work / TRIPLETS).read_text(encoding="utf-8").splitlines()]
        assert {len(row["negatives"]) for row in training} == {settings.negatives}
        found.append((work / CANDIDATES).read_text(encoding="utf-8"))
    assert found[0] == found[1]
    rows = [json.loads(line) for line in found[0].splitlines()]
    assert len(rows) >= 10
    assert all(len(row["negatives"]) == 9 for row in rows)


@pytest.mark.parametrize("negatives", [0, 2])
def test_the_commands_of_the_card_fit_what_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, negatives: int
) -> None:
    """With the papers' values for millions of rows `koe5` and `kure` refuse a domain's."""
    plan = planned(tmp_path, small(negatives=negatives))
    monkeypatch.chdir(tmp_path / "work" / "kept")
    commands = [part for note in plan.notes for part in note.split("`") if part.startswith("kure-rag train ")]
    assert len(commands) == (2 if negatives else 1)
    commands.append(commands[0].replace("train koe5", "train kure") + " --guide static-ko")
    for command in commands:
        options = build_parser().parse_args(shlex.split(command)[1:])
        recipe = find_recipe(options.recipe)
        settings = chosen_settings(options, recipe.settings)
        sources = Sources(
            train=tuple(options.data), dev=tuple(options.dev), work=tmp_path / recipe.name, base="static-ko"
        )
        again = recipe.plan(sources, settings, lambda _: None)
        assert again.development
        (rows,) = again.rows.values()
        assert rows >= plan.rows["triplets"]


def test_a_model_in_the_folder_of_documents_is_not_learnt(tmp_path: Path) -> None:
    """As after `--data . --out ./m`: its card is no document of the domain, nor are those of an unfinished training."""
    documents = tmp_path / "docs"
    documents.mkdir()
    for house in HOUSES:
        text = "\n\n".join(
            f"# {house} {rule}\n\n{body}. 이 일은 {house}의 맡은 사람이 처리하고 그 결과를 적어 두어야 한다."
            for rule, body in zip(RULES, BODIES, strict=True)
        )
        (documents / f"{house}.md").write_text(text, encoding="utf-8")
    before, first = hashes([documents]), read_domain([documents], tmp_path / "a", model="static-ko", sentences=0)
    for folder, sign in (("m", "modules.json"), ("n.training", "training.json")):
        (documents / folder).mkdir()
        (documents / folder / sign).write_text("{}", encoding="utf-8")
        card = "# 모형의 카드\n\n이 모형은 문서로 익힌 것이며 문서가 아니다. 그러므로 여기에서 배울 것은 없다."
        (documents / folder / "README.md").write_text(f"{card} {folder}", encoding="utf-8")
    assert hashes([documents]) == before
    second = read_domain([documents], tmp_path / "b", model="static-ko", sentences=0)
    assert {one.text for one in second.passages.values()} == {one.text for one in first.passages.values()}
    for path in documents.glob("*.md"):
        path.unlink()
    with pytest.raises(SourceNotFoundError, match="nor one with PDF or text files in it"):
        read_domain([documents], tmp_path / "c", model="static-ko", sentences=0)


def test_a_base_that_is_a_table_has_its_own_learning_rate(tmp_path: Path) -> None:
    assert is_table("static-ko")
    assert is_table("scratch:static")
    assert not is_table("scratch:bert")
    settings = small(negatives=0, learning_rate=2e-5, static_learning_rate=0.004)
    assert planned(tmp_path / "a", settings).stages[0].settings.learning_rate == 0.004
    assert planned(tmp_path / "b", settings, base="scratch:bert").stages[0].settings.learning_rate == 2e-5


def test_an_index_and_questions_about_it(tmp_path: Path, tiny_model: Path) -> None:
    """Negatives are searched in it, and questions of `kure-rag qa` have rows of their own."""
    from kure_rag.autorag import make_questions
    from kure_rag.read import Record

    rows = [json.loads(line) for line in articles(tmp_path).read_text(encoding="utf-8").splitlines()]
    with KureIndex.open(tmp_path / "index", embeddings=str(tiny_model)) as index:
        index.add_records(
            [Record(f"{row['law']}-{row['article']}", f"{row['law']} {row['title']}", row["text"]) for row in rows],
            workers=1,
        )
        make_questions(index, tmp_path / "qa")
    settings = small(model=str(tiny_model), sentences=0)
    sources = Sources(train=(tmp_path / "index", tmp_path / "qa"), work=tmp_path / "work", base="static-ko")
    plan = DomainRecipe().plan(sources, settings, lambda _: None)
    names = [one.name for one in plan.development]
    assert names == ["unseen-headings", "unseen-questions"]
    assert not (tmp_path / "work" / "passages").exists()
    assert plan.rows["triplets"] > 16


def test_what_was_mined_is_not_mined_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with other versions of libraries either: a training that is taken up stays with its rows."""
    first = planned(tmp_path, small())
    before = (tmp_path / "work" / TRIPLETS).read_bytes()
    mine_module = import_module("kure_rag.train.mine.mine")
    monkeypatch.setattr(mine_module, "versions", lambda: {"torch": "99"})
    again = planned(tmp_path, small())
    assert (tmp_path / "work" / TRIPLETS).read_bytes() == before
    assert again.notes == first.notes
    with pytest.raises(ConfigError, match="choose another --out, or remove that file"):
        planned(tmp_path, small(margin=0.9))  # another question to the same folder


def test_few_held_back_documents_are_told_with_the_least_p(tmp_path: Path, data: DomainData) -> None:
    notes = split_domain(data, by="document", share=0.2).notes(data)
    assert any("about 2 documents" in note and "no p-value can be below 0.5," in note for note in notes), notes
    many = read_domain(
        [articles(tmp_path, [f"{town} {kind}" for town in TOWNS for kind in KINDS])],
        tmp_path / "work",
        model="static-ko",
        sentences=1,
    )
    assert not any("p-value" in note for note in split_domain(many, by="document", share=0.2).notes(many))


@pytest.mark.train
@pytest.mark.data
@pytest.mark.skipif(not STATUTES.is_file(), reason="the shared data is absent")
def test_the_smallest_setting_does_not_make_the_bundled_model_worse(tmp_path: Path) -> None:
    """Six statutes, as somebody has who tries it: with a learning rate of .005 they lost .16 in nDCG@10."""
    path = tmp_path / "articles.jsonl"
    with gzip.open(STATUTES, "rt", encoding="utf-8") as file:
        path.write_text("".join(line for line in file if json.loads(line)["law"] in LAWS), encoding="utf-8")
    report = train("domain", [path], out=tmp_path / "model", settings=small(checkpoints=0))
    assert report.changes[0].difference > 0, report.changes[0].to_dict()
    assert any("no p-value can be below 1," in note for note in report.notes)  # one document is held back


@pytest.mark.train
def test_other_recipes_are_trained_on_what_is_kept(tmp_path: Path) -> None:
    """In one command each: the triplets, and the questions that were held back, as a set and as candidates."""
    path = articles(tmp_path)
    out = train("domain", [path], out=tmp_path / "model", settings=small(max_steps=2, checkpoints=0)).out
    held = read_set(out / "held-back")
    asked = {question for question in held.queries.values() if "바른" in question or "규정" in question}
    assert len(asked) == len(held.queries) >= 10
    rows = [json.loads(line) for line in (out / TRIPLETS).read_text(encoding="utf-8").splitlines()]
    assert not {row["query"] for row in rows} & set(held.queries.values())
    told = json.loads((out / "training.json").read_text(encoding="utf-8"))
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "--data triplets.jsonl --dev held-back.jsonl" in card
    assert "remove them before the model goes to others" in card

    koe5 = find_recipe("koe5")
    dense = train(
        "koe5",
        [out / TRIPLETS],
        out=tmp_path / "dense",
        base="static-ko",
        dev=[out / "held-back"],
        settings=replace(koe5.smallest(koe5.settings), max_steps=2, checkpoints=0, negatives=1),
    )
    assert (dense.changes[0].name, dense.changes[0].count) == ("held-back", len(held.queries))
    # The same questions among the same passages: the same score of the same base, but for koe5's prefixes.
    assert told["changes"][0]["count"] == len(held.queries)

    reranker = find_recipe("reranker")
    scored = train(
        "reranker",
        [out / TRIPLETS],
        out=tmp_path / "reranker",
        base="scratch:bert-1x32",
        dev=[out / "held-back.jsonl"],
        settings=replace(reranker.smallest(reranker.settings), max_steps=2, checkpoints=0),
    )
    assert 0 < scored.changes[0].count <= len(held.queries)

    again = train("domain", [path], out=out, settings=small(max_steps=1, checkpoints=0))
    assert (again.out / "held-back" / "qrels.tsv").is_file()  # what it added does not hinder a training anew


def test_two_held_back_sets_give_other_negatives(small_index: KureIndex) -> None:
    """Else a finished mining would be taken for one of another split."""
    ids = [chunk.id for row in small_index.documents() for chunk in small_index.chunks(row.id)]
    first, second = (Unheld(small_index, frozenset(held)) for held in ([ids[0]], [ids[1]]))
    assert first.info() != second.info()
    found = first.search_batch(["연차휴가는 며칠인가"])[0]
    assert ids[0] not in {hit.chunk.id for hit in found}
    assert {hit.chunk.id for hit in found} <= set(ids)


def test_half_of_the_way_is_the_mean_of_both(tiny_model: Path) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    start, tuned = (SentenceTransformer(str(tiny_model), device="cpu") for _ in range(2))
    with torch.no_grad():
        tuned[0].embedding.weight.add_(2.0)
    blend(tuned, start, 0.25)
    torch.testing.assert_close(tuned[0].embedding.weight, start[0].embedding.weight + 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"like": "kure"}, "like=kure needs a base with layers"),
        ({"batch_size": 4096}, "a batch of 4096 is larger than"),
        ({"held_back": 0.001}, "too few"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_trained(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    settings = small(**change) if "held_back" not in change else small(split="question", **change)
    with pytest.raises(ConfigError, match=message):
        planned(tmp_path, settings)


def test_bad_sources_are_named(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    (tmp_path / "folder").mkdir()
    for path, error, message in (
        (empty, CorpusFormatError, "empty.jsonl"),
        (tmp_path / "folder", SourceNotFoundError, "neither an index"),
    ):
        with pytest.raises(error, match=message):
            read_domain([path], tmp_path / "work", model="static-ko", sentences=1)


@pytest.mark.parametrize("change", [{"held_back": 1.0}, {"way": 0.0}, {"margin": 2.0}, {"like": "x"}, {"most": 0}])
def test_settings_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        replace(DomainSettings(), **change)


def planned(folder: Path, settings: DomainSettings, base: str = "static-ko") -> Plan:
    folder.mkdir(exist_ok=True)
    sources = Sources(train=(articles(folder),), work=folder / "work", base=base)
    return DomainRecipe().plan(sources, settings, lambda _: None)


def test_general_sets_are_scored_beside(tmp_path: Path, data: DomainData) -> None:
    dev = tmp_path / "sts-dev.tsv"
    lines = [f"main-captions\tx\t2012\t{i}\t{i}.0\t문장 {i}\t다른 문장 {i}" for i in range(5)]
    dev.write_text(
        "\n".join(["genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2", *lines]) + "\n", encoding="utf-8"
    )
    sources = Sources(train=(articles(tmp_path),), dev=(dev,), work=tmp_path / "work", base="static-ko")
    plan = DomainRecipe().plan(sources, small(negatives=0), lambda _: None)
    assert [one.main for one in plan.development] == ["ndcg@10", "spearman"]
    assert len(developments(data, split_domain(data, by="document", share=0.2), "", "")) == 1


@pytest.mark.train
class TestDomain(RecipeContract):
    """Unseen houses, whose town and kind others have: which words of a question tell its passage is learnt of those."""

    recipe = "domain"
    base = "scratch:static-64"
    settings: ClassVar[dict[str, Any]] = {"static_learning_rate": 5e-3}  # a table of random numbers has far to go

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        return [articles(folder, [f"{town} {kind}" for town in TOWNS for kind in KINDS])], []
