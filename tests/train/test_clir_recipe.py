"""``clir`` end to end on a made-up dictionary, and the files that it reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from support import DIMENSION, HashEmbedder

pytest.importorskip("torch")
pytest.importorskip("datasets")

from training_kit import RecipeContract

from kure_rag.errors import ConfigError, CorpusFormatError, SourceNotFoundError
from kure_rag.train.cross_lingual_data import (
    CrossLingualDev,
    Pair,
    find_pairs,
    partner_ranks,
    read_questions,
)
from kure_rag.train.recipe import Sources
from kure_rag.train.recipes.clir import ClirRecipe, ClirSettings

WORDS = (
    *(
        ("강물", "river"),
        ("산길", "trail"),
        ("바다", "ocean"),
        ("시장", "market"),
        ("학교", "school"),
        ("병원", "clinic"),
    ),
    *(
        ("은행", "bank"),
        ("공원", "park"),
        ("농부", "farmer"),
        ("의사", "doctor"),
        ("교사", "teacher"),
        ("어부", "fisher"),
    ),
    *(
        ("아침", "morning"),
        ("저녁", "evening"),
        ("여름", "summer"),
        ("겨울", "winter"),
        ("사과", "apple"),
        ("편지", "letter"),
    ),
)


def pairs(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Three different words in each sentence, in another order in English."""
    chance = np.random.default_rng(seed)
    for _ in range(count):
        chosen = [WORDS[int(i)] for i in chance.choice(len(WORDS), 3, replace=False)]
        yield " ".join(korean for korean, _ in chosen), " ".join(english for _, english in reversed(chosen))


def write_bitext(path: Path, rows: Iterator[tuple[str, str]]) -> Path:
    path.write_text("ko\ten\n" + "".join(f"{korean}\t{english}\n" for korean, english in rows), encoding="utf-8")
    return path


def write_questions(path: Path, rows: Iterator[tuple[str, str]]) -> Path:
    lines = [
        json.dumps({"query_ko": f"{korean} 무엇인가", "query_en": f"what {english}", "passage_en": f"{english} is it"})
        for korean, english in rows
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.train
class TestClirContract(RecipeContract):
    recipe = "clir"
    base = "scratch:static-64"
    settings: ClassVar[dict[str, Any]] = {"epochs": 6.0}

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        files = [
            write_questions(folder / "questions.jsonl", pairs(200, 1)),
            write_bitext(folder / "bitext.tsv", pairs(400, 2)),
        ]
        return files, [write_bitext(folder / "held_back.tsv", pairs(150, 3))]


def sources(tmp_path: Path, *train: Path, dev: tuple[Path, ...] = ()) -> Sources:
    return Sources(train=train, dev=dev, work=tmp_path / "work")


def plan(tmp_path: Path, *train: Path, dev: tuple[Path, ...] = (), said: list[str] | None = None) -> Any:
    recipe = ClirRecipe()
    say = (lambda _: None) if said is None else said.append
    return recipe.plan(sources(tmp_path, *train, dev=dev), recipe.smallest(recipe.settings), say)


def test_a_stage_without_data_is_left_out_and_said(tmp_path: Path) -> None:
    said: list[str] = []
    made = plan(tmp_path, write_bitext(tmp_path / "pairs.tsv", pairs(100, 1)), said=said)
    assert [stage.name for stage in made.stages] == ["bitext"]
    assert any("stage questions is left out" in line for line in said)
    made = plan(tmp_path, write_questions(tmp_path / "questions.jsonl", pairs(100, 1)))
    assert [stage.name for stage in made.stages] == ["questions"]


def test_nothing_that_is_scored_on_is_trained_on(tmp_path: Path) -> None:
    train = write_bitext(tmp_path / "pairs.tsv", pairs(200, 1))
    dev = write_bitext(tmp_path / "scored.tsv", iter([*pairs(30, 5), *list(pairs(200, 1))[:20]]))
    made = plan(tmp_path, train, dev=(dev,))
    learnt = {row["passage_ko"] for row in made.stages[0].datasets["bitext"]}
    scored = {line.split("\t")[0] for line in dev.read_text(encoding="utf-8").splitlines()}
    assert learnt
    assert not learnt & scored
    assert any("left out: a text of theirs is in the development data" in note for note in made.notes)


def test_a_tenth_is_held_back_and_always_the_same(tmp_path: Path) -> None:
    train = write_bitext(tmp_path / "pairs.tsv", pairs(200, 1))
    first, second = plan(tmp_path, train), plan(tmp_path, train)
    learnt = [[row["passage_ko"] for row in one.stages[0].datasets["bitext"]] for one in (first, second)]
    assert learnt[0] == learnt[1]
    (dev,) = first.development
    assert 18 <= len(dev._queries) <= 22
    assert not set(dev._queries) & set(learnt[0])


def test_both_prefixes_are_learnt_with_half_of_the_sentences_each(tmp_path: Path) -> None:
    recipe = ClirRecipe()
    each_once = iter(dict.fromkeys(pairs(200, 1)))
    given = Sources(
        train=(write_bitext(tmp_path / "pairs.tsv", each_once),),
        work=tmp_path / "work",
        query_prefix="query: ",
        passage_prefix="passage: ",
    )
    (stage,) = recipe.plan(given, recipe.smallest(recipe.settings), lambda _: None).stages
    sizes = {name: len(dataset) for name, dataset in stage.datasets.items()}
    assert abs(sizes["bitext_as_queries"] - sizes["bitext_as_passages"]) <= 1
    texts = [row["query_ko"] for row in stage.datasets["bitext_as_queries"]]
    assert not set(texts) & {row["passage_ko"] for row in stage.datasets["bitext_as_passages"]}


def test_questions_are_read_and_their_faults_named(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    path.write_text('{"query_ko": "물은 언제 끓는가", "passage_en": "Water boils at 100 degrees."}\n', encoding="utf-8")
    assert list(read_questions(path)) == [Pair(korean="물은 언제 끓는가", english="Water boils at 100 degrees.")]
    path.write_text('{"query_ko": "a", "passage_en": "b"}\n{"query_ko": "물"}\n', encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"questions\.jsonl: line 2: passage_en is missing"):
        list(read_questions(path))
    path.write_text('{"query_ko": "When?", "passage_en": "물은 100도에서 끓는다."}\n', encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"line 1: .*swapped"):
        list(read_questions(path))


def test_what_is_neither_is_refused_before_anything_begins(tmp_path: Path) -> None:
    empty = tmp_path / "empty.tsv"
    empty.write_text("", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"empty\.tsv"):
        find_pairs([empty])
    nli = tmp_path / "nli.tsv"
    nli.write_text("sentence1\tsentence2\tgold_label\n가\t나\tneutral\n", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"nli\.tsv: .*query_ko"):
        find_pairs([nli])
    with pytest.raises(SourceNotFoundError):
        find_pairs([tmp_path / "missing.tsv"])
    few = write_bitext(tmp_path / "few.tsv", pairs(12, 1))
    with pytest.raises(ConfigError, match="a batch of 32"):
        plan(tmp_path, few)


def test_accuracy_is_the_share_whose_partner_is_nearest() -> None:
    class Model:
        vectors: ClassVar[dict[str, list[float]]] = {
            "가": [1, 0, 0],
            "나": [0, 1, 0],
            "다": [0, 0, 1],
            "A": [1, 0, 0],
            "B": [1, 0.1, 0],
            "C": [0, 0, 1],
        }

        def encode(self, texts: list[str], **_: Any) -> Any:
            return np.array([self.vectors[text.removeprefix("q ").removeprefix("p ")] for text in texts], float)

    rows = [Pair(korean=k, english=e) for k, e in (("가", "A"), ("나", "B"), ("다", "C"))]
    found = CrossLingualDev("three", rows, "q ", "p ").score(Model())
    assert found.values["accuracy@1"] == pytest.approx(1.0)
    Model.vectors["나"] = [1, 0, 0]
    found = CrossLingualDev("three", rows).score(Model())
    assert found.values["accuracy@1"] == pytest.approx(2 / 3)
    assert found.values["mrr@10"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found.each == {"0": 1.0, "1": 0.0, "2": 1.0}


def test_questions_about_one_passage_are_one_draw() -> None:
    class Model:
        def encode(self, texts: list[str], **_: Any) -> Any:
            return HashEmbedder().embed_queries(texts)

    rows = [Pair(korean=f"질문 {i}", english=f"passage {i // 5}") for i in range(20)]
    found = CrossLingualDev("four", rows).score(Model())
    assert found.groups is not None
    assert len(set(found.groups.values())) == 4
    assert set(found.groups) == set(found.each)
    assert CrossLingualDev("each its own", rows[::5]).score(Model()).groups is None


def test_a_batch_of_one_pair_has_no_neighbourhood() -> None:
    with pytest.raises(ValueError, match="batch_size is 1"):
        ClirSettings(batch_size=1)


def test_one_vector_for_every_text_finds_nothing() -> None:
    same = np.ones((5, 3))
    assert partner_ranks(same, same, range(5)).tolist() == [5] * 5


def test_a_model_that_shares_letters_is_scored_through_its_own_vectors() -> None:
    class Model:
        def encode(self, texts: list[str], **_: Any) -> Any:
            return HashEmbedder().embed_queries(texts)

    rows = [Pair(korean=f"{name} 서울", english=f"{name} Seoul") for name in ("Toyota", "Samsung", "Hyundai", "Naver")]
    assert CrossLingualDev("names", rows).score(Model()).values["accuracy@1"] == 1.0
    assert DIMENSION == 48
