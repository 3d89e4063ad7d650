import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.tokenize import NgramTokenizer, Sentence, Term, Tokenizer, WhitespaceTokenizer

ALL = [WhitespaceTokenizer(), NgramTokenizer(1), NgramTokenizer(2), NgramTokenizer(3)]
TEXTS = st.text("가나다 라\n\tABc1.,é①漢😀", max_size=60).map(lambda text: unicodedata.normalize("NFC", text))


def test_words() -> None:
    assert WhitespaceTokenizer().terms(" 연차휴가는  15일,\nKB카드 ") == ["연차휴가는", "15일,", "kb카드"]


def test_bigrams_stay_inside_words() -> None:
    assert NgramTokenizer().terms("연차휴가, AB 1") == ["연차", "차휴", "휴가", "ab", "1"]


def test_short_words_are_terms_of_their_own() -> None:
    assert NgramTokenizer(3).terms("법 제도 시행령") == ["법", "제도", "시행령"]


@pytest.mark.parametrize("n", [0, -1])
def test_n_must_be_positive(n: int) -> None:
    with pytest.raises(ValueError, match="at least one character"):
        NgramTokenizer(n)


def test_lines_stand_for_sentences() -> None:
    (found,) = WhitespaceTokenizer().sentences(["휴가 규정\n\n제1조 목적"])
    assert found == [
        Sentence(0, 5, (Term("휴가", 0, 2), Term("규정", 3, 5))),
        Sentence(7, 13, (Term("제1조", 7, 10), Term("목적", 11, 13))),
    ]


def test_fingerprints_are_distinct() -> None:
    assert len({tokenizer.fingerprint for tokenizer in ALL}) == len(ALL)
    assert NgramTokenizer(2).fingerprint == NgramTokenizer(2).fingerprint


@pytest.mark.parametrize("tokenizer", ALL, ids=lambda t: t.fingerprint)
def test_protocol_and_decomposed_text(tokenizer: Tokenizer) -> None:
    assert isinstance(tokenizer, Tokenizer)
    text = "근로자의 연차휴가를 정한다"
    assert tokenizer.terms(unicodedata.normalize("NFD", text)) == tokenizer.terms(text)


@pytest.mark.parametrize("tokenizer", ALL, ids=lambda t: t.fingerprint)
@given(texts=st.lists(TEXTS, max_size=4))
def test_offsets_coverage_and_batches(tokenizer: Tokenizer, texts: list[str]) -> None:
    assert tokenizer.terms_batch(texts) == [tokenizer.terms(text) for text in texts]
    for text, found in zip(texts, tokenizer.sentences(texts), strict=True):
        assert "".join("".join(text[s.start : s.end].split()) for s in found) == "".join(text.split())
        terms = [term for s in found for term in s.terms]
        assert terms == tokenizer.analyse(text)
        assert [term.form for term in terms] == tokenizer.terms(text)
        assert all(text[term.start : term.end].lower() == term.form for term in terms)
        assert all(s.start <= term.start < term.end <= s.end for s in found for term in s.terms)
