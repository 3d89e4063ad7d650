"""ko-sentence-transformers: mirrored triplets, losses by hand, Matryoshka, KoBERT as a base, and a whole training."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import small_models
from made_up_sentences import given, inferences, pairs, write_nli, write_sts
from training_kit import RecipeContract

from kure_rag.embed.kobert import KoBertTokenizer
from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.bases import find_base, load_base
from kure_rag.train.readers import NliRow, read_nli
from kure_rag.train.recipe import Plan, Sources
from kure_rag.train.recipes import find_recipe
from kure_rag.train.recipes.ko_sbert import KoSentenceTransformersRecipe, KoSentenceTransformersSettings
from kure_rag.train.recipes.nli_sts_stages import contrast, make_triplets
from kure_rag.train.report import TrainReport
from kure_rag.train.run import train

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("datasets")

DATA = Path(os.environ.get("KURE_RAG_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")


@pytest.mark.train
class TestKoSbertMultitask(RecipeContract):
    recipe = "ko-sbert"
    settings: ClassVar[dict[str, Any]] = {"matryoshka": (32, 16), "sts_batch_size": 8}

    def data(self, folder: Path) -> tuple[list[Path], list[Path]]:
        return given(folder)

    def test_its_vectors_can_be_cut(self, trained: TrainReport) -> None:
        from kure_rag import KureEmbeddings

        texts = ["의사가 마당에서 책을 판다.", "꼬마가 상점에서 밥을 나눈다."]
        whole = np.asarray(KureEmbeddings(model=str(trained.out)).embed_documents(texts))
        cut = np.asarray(KureEmbeddings(model=str(trained.out), dimension=16).embed_documents(texts))
        expected = whole[:, :16] / np.linalg.norm(whole[:, :16], axis=1, keepdims=True)
        np.testing.assert_allclose(cut, expected, atol=1e-5)
        assert any("32, 16" in note for note in trained.notes)


def planned(folder: Path, *files: Path, dev: tuple[Path, ...] = (), **changes: Any) -> Plan:
    recipe = KoSentenceTransformersRecipe()
    settings = replace(recipe.smallest(recipe.settings), **changes)
    return recipe.plan(Sources(train=files, dev=dev, work=folder / "work"), settings, lambda _: None)


class Given(torch.nn.Module):
    """Stands for a model: the vectors of its texts are what it is given."""

    def get_embedding_dimension(self) -> int:
        return 4

    def forward(self, features: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"sentence_embedding": features["vectors"]}


def row(premise: str, hypothesis: str, label: Any) -> NliRow:
    return NliRow(premise=premise, hypothesis=hypothesis, label=label)


ROWS = (
    row("개가 뛴다", "동물이 뛴다", "entailment"),
    row("개가 뛴다", "개가 움직인다", "entailment"),
    row("개가 뛴다", "개가 크다", "neutral"),
    row("한 남자가 잔다", "아무도 자지 않는다", "contradiction"),
    row("개가 뛴다", "개가 잔다", "contradiction"),
    row("한 남자가 잔다", "누군가 잔다", "entailment"),
    row("고양이가 운다", "동물이 운다", "entailment"),
)


def test_its_values_are_the_repositorys() -> None:
    recipe = find_recipe("ko-sbert")
    settings = recipe.settings
    assert (settings.epochs, settings.batch_size, settings.max_length) == (1, 64, 128)
    assert (settings.sts_epochs, settings.sts_batch_size, settings.warmup) == (5, 8, 0.1)
    assert settings.matryoshka == ()
    assert recipe.pooling == "mean"


def test_each_entailment_is_mirrored_with_a_contradiction_of_its_own_premise() -> None:
    made = make_triplets(ROWS, mirrored=True)
    got = [(one.anchor, one.positive, one.negative) for one in made.rows]
    assert got == [
        ("개가 뛴다", "동물이 뛴다", "개가 잔다"),
        ("동물이 뛴다", "개가 뛴다", "개가 잔다"),
        ("개가 뛴다", "개가 움직인다", "개가 잔다"),
        ("개가 움직인다", "개가 뛴다", "개가 잔다"),
        ("한 남자가 잔다", "누군가 잔다", "아무도 자지 않는다"),
        ("누군가 잔다", "한 남자가 잔다", "아무도 자지 않는다"),
    ]
    assert made.premises == 2
    assert made.notes == ("1 entailments whose premise has no contradiction were left out",)
    assert [one.anchor for one in make_triplets(ROWS, mirrored=False).rows] == [got[0][0], got[2][0], got[4][0]]


def test_contradictions_take_turns_and_doubtful_rows_are_left_out() -> None:
    rows = (
        *ROWS[:2],
        row("개가 뛴다", "개가 잔다", "contradiction"),
        row("개가 뛴다", "개가 눕는다", "contradiction"),
        row("개가 뛴다", "개가 논다", "contradiction"),
        row("개가 뛴다", "개가 논다", "entailment"),
        row("개가 뛴다", "개가 뛴다", "entailment"),
    )
    made = make_triplets(rows, mirrored=False)
    assert [(one.positive, one.negative) for one in made.rows] == [
        ("동물이 뛴다", "개가 잔다"),
        ("개가 움직인다", "개가 눕는다"),
    ]
    assert made.notes == ("2 entailments equal to their premise or to a contradiction of it were left out",)


@pytest.mark.parametrize(
    ("task", "batches", "no_duplicates", "epochs"),
    [("nli", {"nli": 6}, True, 3.0), ("sts", {"sts": 4}, False, 2.0), ("multitask", {"nli": 6, "sts": 4}, True, 2.0)],
)
def test_each_task_has_its_data_and_batches(
    tmp_path: Path, task: str, batches: dict[str, int], no_duplicates: bool, epochs: float
) -> None:
    files, dev = given(tmp_path, nli=task != "sts", sts=task != "nli")
    told = {"task": task, "batch_size": 6, "sts_batch_size": 4, "epochs": 3.0, "sts_epochs": 2.0}
    plan = planned(tmp_path, *files, dev=tuple(dev), **told)
    (stage,) = plan.stages
    assert stage.name == task
    assert {name: stage.batch_size(name) for name in stage.datasets} == batches
    assert (stage.no_duplicates, stage.mix) == (no_duplicates, "round-robin")
    assert (stage.settings.batch_size, stage.settings.epochs) == (next(iter(batches.values())), epochs)
    if "nli" in batches:
        assert len(stage.datasets["nli"]) == 2 * len(list(inferences())) // 3
        assert stage.datasets["nli"].column_names == ["anchor", "positive", "negative"]


def test_triplets_and_pairs_take_turns_in_batches_of_their_own_size(tmp_path: Path) -> None:
    """Alone, and shared out among two processes, none of which may leave out those of the other size."""
    from accelerate.data_loader import BatchSamplerShard

    from kure_rag.train.trainer import make_trainer, steps_of

    files, dev = given(tmp_path)
    plan = planned(tmp_path, *files, dev=tuple(dev), batch_size=20, sts_batch_size=6, max_steps=None, sts_epochs=2.0)
    (stage,) = plan.stages
    base = load_base(
        find_base("scratch:bert-1x32", find_recipe("ko-sbert")),
        find_recipe("ko-sbert"),
        texts=plan.texts,
        work=tmp_path / "base",
        max_length=32,
        seed=1,
    )
    losses = stage.losses(base)
    trainer = make_trainer(stage, base, tmp_path / "out", losses, kind="dense", development=(), callbacks=())
    sampler = trainer.get_train_dataloader().batch_sampler
    batches = list(sampler)
    turns = min(len(stage.datasets["nli"]) // 20, len(stage.datasets["sts"]) // 6)
    assert [len(batch) for batch in batches] == [20, 6] * turns
    assert steps_of(stage) == 2 * 2 * turns  # two datasets, two epochs
    first = len(stage.datasets["nli"])
    assert all((index >= first) == (len(batch) == 6) for batch in batches for index in batch)
    shards = [BatchSamplerShard(sampler, 2, number, even_batches=False) for number in range(2)]
    assert [batch for pair in zip(*shards, strict=True) for batch in pair] == batches


def test_no_text_is_twice_in_a_batch(tmp_path: Path) -> None:
    """Not even a premise as an anchor in one row and as a positive in its mirror."""
    from sentence_transformers.base.sampler import NoDuplicatesBatchSampler

    files, dev = given(tmp_path, sts=False)
    plan = planned(tmp_path, *files, dev=tuple(dev), task="nli")
    dataset = plan.stages[0].datasets["nli"]
    batches = list(NoDuplicatesBatchSampler(dataset, batch_size=16, drop_last=True, valid_label_columns=[]))
    assert len(batches) > 20
    for batch in batches:
        texts = [text for i in batch for text in dataset[i].values()]
        assert len(texts) == len(set(texts)) == 48


def test_the_contrast_is_info_nce_over_all_positives_and_negatives() -> None:
    chance = np.random.default_rng(1)
    anchors, positives, negatives = chance.normal(size=(3, 3, 4))
    temperature = 0.05

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / math.sqrt(a @ a) / math.sqrt(b @ b))

    expected, slope = 0.0, np.zeros_like(anchors)
    seen = [*positives, *negatives]
    for i, anchor in enumerate(anchors):
        shares = np.exp([cosine(anchor, other) / temperature for other in seen])
        expected -= math.log(shares[i] / shares.sum()) / 3
        for k, other in enumerate(seen):
            unit, length = other / np.linalg.norm(other), np.linalg.norm(anchor)
            turn = unit / length - cosine(anchor, other) * anchor / length**2
            slope[i] += (shares[k] / shares.sum() - (k == i)) * turn / temperature / 3
    vectors = [torch.tensor(one, dtype=torch.float64, requires_grad=True) for one in (anchors, positives, negatives)]
    value = contrast(Given(), temperature)([{"vectors": one} for one in vectors], None)
    value.backward()
    assert value.item() == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(vectors[0].grad, slope, atol=1e-9)


def test_matryoshka_adds_the_losses_of_the_first_numbers(tmp_path: Path) -> None:
    files, dev = given(tmp_path)
    plan = planned(tmp_path, *files, dev=tuple(dev), task="multitask", matryoshka=(2,), temperature=0.1)
    losses = plan.stages[0].losses(Given())
    chance = np.random.default_rng(2)
    columns = chance.normal(size=(3, 3, 4))
    features = [{"vectors": torch.tensor(one)} for one in columns]
    alone = contrast(Given(), 0.1)
    expected = sum(alone([{"vectors": torch.tensor(one[:, :n])} for one in columns], None).item() for n in (4, 2))
    assert losses["nli"](features, None).item() == pytest.approx(expected, rel=1e-6)
    scores = torch.tensor([0.1, 0.9, 0.5], dtype=torch.float64)
    squared = 0.0
    for n in (4, 2):
        a, b = columns[0][:, :n], columns[1][:, :n]
        cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        squared += float(((cosines - scores.numpy()) ** 2).mean())
    assert losses["sts"](features[:2], scores).item() == pytest.approx(squared, rel=1e-6)
    too_long = planned(tmp_path, *files, dev=tuple(dev), matryoshka=(8, 2))
    with pytest.raises(ConfigError, match="matryoshka: 8 numbers of vectors that have 4"):
        too_long.stages[0].losses(Given())


def test_premises_are_held_back_where_there_are_no_pairs(tmp_path: Path) -> None:
    files, _ = given(tmp_path, sts=False)
    plan = planned(tmp_path, *files, task="nli")
    (held,) = plan.development
    assert held.name == "NLI-held-back"
    assert held.main == "ndcg@10"
    texts = {text for triplet in plan.stages[0].datasets["nli"] for text in triplet.values()}
    assert texts.isdisjoint(held._queries)  # type: ignore[attr-defined]
    assert texts.isdisjoint(held._passages)  # type: ignore[attr-defined]
    assert len(held._queries) == len(list(inferences())) // 3 // 10  # type: ignore[attr-defined]


def test_what_cannot_be_trained_on_is_said_at_once(tmp_path: Path) -> None:
    (nli, sts), (dev,) = given(tmp_path)

    def only(name: str, *labels: str) -> Path:
        return write_nli(tmp_path / name, [one for one in inferences() if one[2] in labels])

    with pytest.raises(CorpusFormatError, match=r"no contradiction in it \(267 entailment, 267 neutral\)"):
        planned(tmp_path, only("a.tsv", "entailment", "neutral"), dev=(dev,), task="nli")
    with pytest.raises(CorpusFormatError, match="no entailment in it"):
        planned(tmp_path, only("b.tsv", "contradiction"), dev=(dev,), task="nli")
    apart = write_nli(
        tmp_path / "c.tsv", [("개가 뛴다", "개가 잔다", "contradiction"), ("비가 온다", "젖는다", "entailment")]
    )
    with pytest.raises(CorpusFormatError, match="no premise has both"):
        planned(tmp_path, apart, dev=(dev,), task="nli")
    with pytest.raises(ConfigError, match="a batch of 512 is larger than"):
        planned(tmp_path, nli, dev=(dev,), task="nli", batch_size=512)
    same = write_sts(tmp_path / "same.tsv", [(4.0, a, b) for _, a, b in pairs(40)])
    with pytest.raises(CorpusFormatError, match="every row has the score 4"):
        planned(tmp_path, same, dev=(dev,), task="sts")
    with pytest.raises(CorpusFormatError, match="holds NLI, which this recipe does not take"):
        planned(tmp_path, nli, dev=(dev,), task="sts")
    with pytest.raises(ConfigError, match="no NLI rows"):
        planned(tmp_path, sts, dev=(dev,), task="multitask")
    with pytest.raises(ValueError, match="choose one of nli, sts, multitask"):
        KoSentenceTransformersSettings(task="both")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lengths must be 1 or more"):
        KoSentenceTransformersSettings(matryoshka=(64, 0))


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "sts").is_dir(), reason="the shared data is absent")
def test_xnlis_inferences_make_two_triplets_each() -> None:
    rows = [row for part in ("dev", "test") for row in read_nli(DATA / f"sts/kornlu/KorNLI/xnli.{part}.ko.tsv")]
    made = make_triplets(rows, mirrored=True)
    entailed = {(row.premise, row.hypothesis) for row in rows if row.label == "entailment"}
    contradicted = {(row.premise, row.hypothesis) for row in rows if row.label == "contradiction"}
    assert len(entailed) == 2500
    assert len(made.rows) == 2 * (len(entailed) - 2)
    assert made.notes == ("2 entailments equal to their premise or to a contradiction of it were left out",)
    for one, mirror in zip(made.rows[::2], made.rows[1::2], strict=True):
        assert (one.anchor, one.positive) == (mirror.positive, mirror.anchor)
        assert one.negative == mirror.negative
        assert (one.anchor, one.positive) in entailed
        assert (one.anchor, one.negative) in contradicted


@pytest.mark.train
def test_a_kobert_is_a_base_with_its_own_tokenizer(tmp_path: Path) -> None:
    pytest.importorskip("sentencepiece")
    from kure_rag import KureEmbeddings

    files, dev = given(tmp_path)
    lines = tmp_path / "문장.txt"
    lines.write_text("\n".join(dict.fromkeys(one for three in inferences() for one in three[:2])), encoding="utf-8")
    (folder := tmp_path / "kobert").mkdir()
    small_models.kobert(folder, lines)
    recipe = KoSentenceTransformersRecipe()
    settings = replace(recipe.smallest(recipe.settings), max_steps=20, checkpoints=4)
    whole = train(recipe, files, out=tmp_path / "whole", base=str(folder), dev=dev, settings=settings)
    assert whole.changes[0].after.mean != whole.changes[0].before.mean

    def breaks(done: int, *_: object) -> None:
        if done == 12:
            raise RuntimeError("the power is gone")

    with pytest.raises(RuntimeError, match="the power is gone"):
        train(recipe, files, out=tmp_path / "out", base=str(folder), dev=dev, settings=settings, progress=breaks)
    report = train(recipe, files, out=tmp_path / "out", base=str(folder), dev=dev, settings=settings)
    assert report.resumed
    assert report.loss == whole.loss
    assert report.changes[0].after.mean == whole.changes[0].after.mean
    embeddings = KureEmbeddings(model=str(report.out))
    texts = ["의사가 마당에서 책을 판다.", "밥"]
    vectors = np.asarray(embeddings.embed_documents(texts))
    tokenizer, files_kept = KoBertTokenizer(folder), KoBertTokenizer(report.out)
    assert [tokenizer(texts), len(tokenizer)] == [files_kept(texts), len(files_kept)]
    # What the trained weights make of the tokenizer's ids, by hand.
    from transformers import BertModel

    with torch.no_grad():
        ids = torch.tensor(tokenizer(texts[:1])["input_ids"])
        mean = BertModel.from_pretrained(report.out).eval()(ids).last_hidden_state[0].mean(0).numpy()
    np.testing.assert_allclose(vectors[0], mean / np.linalg.norm(mean), atol=1e-5)
