"""Token ids are the library's own, cut where it cuts, whatever the tokenizer's file stores."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast
from transformers.tokenization_python import PreTrainedTokenizer

from kure_rag.embed.tokens import TextTokenizer
from kure_rag.errors import EmbeddingError

WORDS = ["연차", "휴가", "는", "며칠", "인가요", "보험금", "을", "청구", "한다", "3", "15", "일", ",", "?", ":"]
VOCABULARY = {token: i for i, token in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *WORDS])}
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
KINDS = ["bert", "left", "stored", "bare", "suffix", "slow", "slow-left"]

texts_of_words = st.lists(
    st.lists(st.sampled_from([*WORDS, "없는말", "[SEP]", "\u200b"]), min_size=1, max_size=30).map(" ".join),
    min_size=1,
    max_size=6,
)


class SlowTokenizer(PreTrainedTokenizer):
    """One word, one token, in Python."""

    vocab_files_names: dict[str, str] = {}  # noqa: RUF012 - so declared by transformers

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**SPECIAL, **kwargs)

    @property
    def vocab_size(self) -> int:
        return len(VOCABULARY)

    def get_vocab(self) -> dict[str, int]:
        return VOCABULARY

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return text.split()

    def _convert_token_to_id(self, token: str) -> int:
        return VOCABULARY.get(token, 1)

    def _convert_id_to_token(self, index: int) -> str:
        return list(VOCABULARY)[index]

    def build_inputs_with_special_tokens(self, ids: list[int], second: list[int] | None = None) -> list[int]:
        return [2, *ids, 3]


def word_level() -> Tokenizer:
    made = Tokenizer(models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    made.normalizer = normalizers.Replace("\u200b", "")
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return made


def with_frame(template: str = "[CLS] $A [SEP]") -> Tokenizer:
    made = word_level()
    tokens = [(token, VOCABULARY[token]) for token in ("[CLS]", "[SEP]") if token in template]
    made.post_processor = processors.TemplateProcessing(template, None, tokens)
    return made


def tokenizer_of(kind: str, folder: Path) -> Any:
    if kind == "slow":
        return SlowTokenizer()
    if kind == "slow-left":
        return SlowTokenizer(truncation_side="left")
    backend = word_level() if kind == "bare" else with_frame("$A [SEP]" if kind == "suffix" else "[CLS] $A [SEP]")
    if kind == "stored":
        backend.enable_truncation(5, direction="left")
        backend.enable_padding(direction="left", length=40)
    sides = {"truncation_side": "left", "padding_side": "left"} if kind == "left" else {}
    PreTrainedTokenizerFast(tokenizer_object=backend, **SPECIAL, **sides).save_pretrained(folder)
    if kind == "stored":  # as in the files of many models: saving takes both off
        backend.save(str(folder / "tokenizer.json"))
    return PreTrainedTokenizerFast.from_pretrained(folder)


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The library's tokenizer, and another object of it to be wrapped."""
    folder = tmp_path_factory.mktemp(request.param)
    return tokenizer_of(request.param, folder), tokenizer_of(request.param, folder)


def library(tokenizer: Any, texts: list[str], limit: int | None) -> list[list[int]]:
    out = tokenizer(texts, truncation=limit is not None, max_length=limit, padding=False)["input_ids"]
    return [list(row) for row in out]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=texts_of_words, limit=st.one_of(st.none(), st.integers(3, 20)))
def test_ids_and_cuts_are_those_of_the_library(pair: tuple[Any, Any], texts: list[str], limit: int | None) -> None:
    plain, wrapped = pair
    found = TextTokenizer(wrapped, limit).encode(texts)
    assert found.ids == [row or [VOCABULARY["[UNK]"]] for row in library(plain, texts, limit)]
    whole = [len(row) for row in library(plain, texts, None)]
    assert found.too_long == [(i, n) for i, n in enumerate(whole) if limit is not None and n > limit]


def test_a_text_at_the_limit_is_not_too_long_and_one_above_is(pair: tuple[Any, Any]) -> None:
    special = pair[1].num_special_tokens_to_add()
    tokens = TextTokenizer(pair[1], 5 + special).encode(["휴가 " * 5, "휴가 " * 6, "휴가 " * 600])
    assert [len(row) for row in tokens.ids] == [5 + special] * 3
    assert tokens.too_long == [(1, 6 + special), (2, 600 + special)]


def test_special_tokens_survive_the_cut(tmp_path: Path) -> None:
    ids = TextTokenizer(tokenizer_of("bert", tmp_path), 4).encode(["연차 휴가 는 며칠"]).ids
    assert ids == [[VOCABULARY[token] for token in ("[CLS]", "연차", "휴가", "[SEP]")]]


def test_a_tokenizer_that_cuts_on_the_left_keeps_the_end(tmp_path: Path) -> None:
    ids = TextTokenizer(tokenizer_of("left", tmp_path), 4).encode(["연차 휴가 는 며칠"]).ids
    assert ids == [[VOCABULARY[token] for token in ("[CLS]", "는", "며칠", "[SEP]")]]


@pytest.mark.parametrize(("kind", "most"), [("bert", 2), ("suffix", 1), ("slow", 2), ("bare", 0)])
def test_a_limit_without_room_for_the_text_is_an_error(tmp_path: Path, kind: str, most: int) -> None:
    tokenizer = tokenizer_of(kind, tmp_path)
    for limit in range(1, most + 1):
        with pytest.raises(EmbeddingError, match=f"{most} special tokens around each; choose {most + 1} or more"):
            TextTokenizer(tokenizer, limit)
    assert len(TextTokenizer(tokenizer, most + 1).encode(["연차 휴가"]).ids[0]) == most + 1


def test_the_library_s_word_for_no_limit_is_no_limit(tmp_path: Path) -> None:
    tokenizer = tokenizer_of("bert", tmp_path)
    assert tokenizer.model_max_length > 10**20
    wrapped = TextTokenizer(tokenizer, tokenizer.model_max_length)
    assert wrapped.max_tokens is None
    assert wrapped.encode(["휴가 " * 5000]).too_long == []


def test_a_text_of_nothing_known_is_one_unknown_token_not_an_empty_row(tmp_path: Path) -> None:
    assert TextTokenizer(tokenizer_of("bare", tmp_path), 8).encode(["\u200b", "휴가"]).ids == [
        [VOCABULARY["[UNK]"]],
        [VOCABULARY["휴가"]],
    ]


def test_a_tokenizer_without_padding_has_a_padding_id_all_the_same() -> None:
    assert TextTokenizer(PreTrainedTokenizerFast(tokenizer_object=with_frame(), unk_token="[UNK]"), None).pad_id == 0


def test_threads_do_not_disturb_each_other(pair: tuple[Any, Any]) -> None:
    wrapped = TextTokenizer(pair[1], 9)
    jobs = [[f"휴가 {'보험금 ' * (i % 14)}", "연차 휴가 는 " * (i % 5 + 1)] for i in range(200)]
    expected = [TextTokenizer(pair[0], 9).encode(job) for job in jobs]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(wrapped.encode, jobs)) == expected


def test_no_texts_have_no_tokens(pair: tuple[Any, Any]) -> None:
    tokens = TextTokenizer(pair[1], 9).encode([])
    assert (tokens.ids, tokens.too_long) == ([], [])
