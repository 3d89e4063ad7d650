"""Settings are checked when they are made, by name."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_models

from kure_rag import KureEmbeddings
from kure_rag.embed import Embedder, EmbedSettings

WRONG: dict[str, list[Any]] = {
    "revision": [5, b"main", "\ud800"],
    "query_prefix": [5, b"query: ", ["query: "], "\ud800", "질의\udfff: "],
    "passage_prefix": [5, True, "\ud800"],
    "pooling": ["first", 1, ["cls"]],
    "normalize": ["no", 0, 1],
    "dense_weight": [7, -0.1, float("nan"), "0.5", True],
    "dimension": [16.0, "16", 0, -1, True, 1 << 17],
    "max_tokens": [0, 512.0, True, "512"],
    "too_long": ["cut", None, ["warn"]],
    "backend": ["tensorflow", None],
    "precision": ["fp8", None, 16],
    "device": [0, b"cpu"],
    "batch_tokens": [0, 1.5, 1 << 23],
    "endpoint": [5],
    "batch_texts": [0, 64.0],
    "timeout": [0, -1, "60", float("nan"), True],
    "retries": [-1, 2.0, "5"],
    "cache": [5, b"folder"],
    "cache_bytes": [1, 2.0**30],
    "cache_folder": [5],
    "local_files_only": [None, "no", 1],
    "trust_remote_code": [None, "no", 1],
}


def test_every_setting_is_checked() -> None:
    assert set(WRONG) == {field.name for field in fields(EmbedSettings)}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_an_error_that_names_its_setting(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name}=") as caught:
        EmbedSettings(**{name: value})
    assert type(caught.value) is ValueError
    json.dumps(str(caught.value)).encode()


def test_right_values_are_taken() -> None:
    EmbedSettings()
    EmbedSettings(dense_weight=0, dimension=np.int64(16), timeout=0.5, cache=Path("여기"), normalize=False, retries=0)
    EmbedSettings(dense_weight=1.0, max_tokens=1, cache_bytes=1 << 20, query_prefix="", cache="여기")


def test_an_address_is_not_told_as_it_may_hold_a_key() -> None:
    with pytest.raises(ValueError, match="endpoint=…") as caught:
        EmbedSettings(endpoint="http://localhost/?key=secret\ud800")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["query_prefix", "passage_prefix"])
def test_a_prefix_with_half_a_character_is_a_clear_error_through_langchain(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=.*give a string of whole characters"):
        KureEmbeddings("static-ko", **{name: "\ud800"})


def test_a_prefix_in_another_unicode_form_gives_the_same_vectors(tmp_path: Path) -> None:
    folder = str(small_models.transformer(tmp_path / "model", small_models.bert))
    apart = unicodedata.normalize("NFD", "질문: ")
    assert apart != "질문: "
    composed, decomposed = (
        Embedder(folder, EmbedSettings(query_prefix=prefix, passage_prefix=prefix, device="cpu"))
        for prefix in ("질문: ", apart)
    )
    assert composed.settings == decomposed.settings
    assert decomposed.prefixes == ("질문: ", "질문: ")
    assert composed.fingerprint == decomposed.fingerprint
    for text in ("휴가", "질문: 휴가", apart + "휴가", unicodedata.normalize("NFD", "휴가")):
        found = [[e.embed_queries([text]), e.embed_passages([text])] for e in (composed, decomposed)]
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_allclose(found[0][0], composed.embed_queries(["휴가"]), atol=1e-6)
