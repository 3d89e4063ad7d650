"""What is looked at before a training begins: texts that are cut, limits without room, half precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_up_sentences import inferences

from kure_rag.errors import ConfigError
from kure_rag.train.bases import find_base, load_base
from kure_rag.train.recipes import find_recipe
from kure_rag.train.settings import TrainSettings
from kure_rag.train.trainer import _precision, longer_than

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
pytest.importorskip("datasets")

TEXTS = [text for row in inferences() for text in row[:2]][:200]


def base_of(folder: Path, recipe: str, name: str, max_length: int) -> Any:
    chosen = find_recipe(recipe)
    base = find_base(name, chosen)
    return load_base(base, chosen, texts=lambda: iter(TEXTS), work=folder, max_length=max_length, seed=1)


@pytest.mark.parametrize(
    ("recipe", "name", "least"),
    [
        ("kosimcse", "scratch:bert-1x32", 3),
        ("kosentence-t5", "scratch:t5-1x32", 3),
        ("reranker", "scratch:bert-1x32", 5),
    ],
)
def test_a_limit_without_room_for_a_text_is_refused(tmp_path: Path, recipe: str, name: str, least: int) -> None:
    """It would not cut at all, or leave only the tokens that begin and end a text."""
    for limit in range(1, least):
        model = base_of(tmp_path, recipe, name, limit)
        with pytest.raises(ConfigError, match=f"max_length is {limit}, .* choose {least} or more"):
            longer_than(model, iter(TEXTS))
    assert longer_than(base_of(tmp_path, recipe, name, least), iter(TEXTS)) is not None


def test_a_table_of_vectors_has_no_such_limit(tmp_path: Path) -> None:
    assert longer_than(base_of(tmp_path, "koe5", "scratch:static-32", 1), iter(TEXTS)) is None


def test_a_cross_encoder_cuts_pairs_and_so_pairs_are_counted(tmp_path: Path) -> None:
    pairs = [(text, " ".join(TEXTS[40 : 41 + i % 4])) for i, text in enumerate(TEXTS[:40])]
    model = base_of(tmp_path, "reranker", "scratch:bert-1x32", 64)
    tokenizer = model.tokenizer
    lengths = sorted(len(tokenizer(a, b, truncation=False)["input_ids"]) for a, b in pairs)
    limit = model.max_seq_length = lengths[len(pairs) // 2] - 1
    over = sum(length > limit for length in lengths)
    singly = sum(len(tokenizer(text, truncation=False)["input_ids"]) > limit for pair in pairs for text in pair)
    assert singly < over < len(pairs)
    said = longer_than(model, (f"{a} {b}" for a, b in pairs))
    assert said is not None
    assert said.startswith(f"query and passage together: {over} of {len(pairs)} texts")


def test_that_only_the_first_texts_were_counted_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kure_rag.train import trainer

    model = base_of(tmp_path, "kosimcse", "scratch:bert-1x32", 4)
    monkeypatch.setattr(trainer, "_COUNTED", 50)
    said = longer_than(model, iter(TEXTS[:60]))
    assert said is not None
    assert said.startswith("the training texts, the first 50: 50 of 50 texts")
    said = longer_than(model, iter(TEXTS[:50]))
    assert said is not None
    assert said.startswith("the training texts: 50 of 50 texts")


@pytest.mark.parametrize("native", [True, False])
def test_half_precision_is_bf16_only_where_the_gpu_has_it(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    """Emulated, as on a T4 or V100, it is slower than their fp16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    assert _precision(TrainSettings()) == {"bf16": native, "fp16": not native}
