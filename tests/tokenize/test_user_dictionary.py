"""Domain terms of the user's own."""

from pathlib import Path

import pytest

from kure_rag.errors import ConfigError
from kure_rag.tokenize import KiwiTokenizer, UserWord
from kure_rag.tokenize.user_dictionary import read_dictionary

FILE = "\ufeff# 은행 말\n돌봄크레딧\n온누리적금\tNNP\t3.5   # 상품\n\nC#자격증\tNNG\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "용어.txt"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_file_a_list_and_words_say_the_same(file: Path) -> None:
    words = read_dictionary(file)
    assert words == read_dictionary(str(file))
    assert words == read_dictionary([("C#자격증", "NNG"), "돌봄크레딧", UserWord("온누리적금", "NNP", 3.5)])
    assert words == read_dictionary(words)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("말\tXX", "no tag named 'XX'"),
        ("말\tNNP\t높음", "'높음' is no number"),
        ("말\tNNP\tnan", "no finite number"),
        ("말\tNNP\t1\t2", "4 columns"),
        ("\x00", "is no term"),
        ("가" * 101, "is no term"),
        ("돌봄크레딧\tNNP\t1", "another score"),
    ],
)
def test_a_bad_line_is_named(file: Path, line: str, said: str) -> None:
    file.write_text(FILE + line + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as caught:
        KiwiTokenizer(user_dictionary=file)
    assert "line 6" in str(caught.value)


def test_a_file_that_is_not_there_or_not_utf8(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        KiwiTokenizer(file.with_name("없음.txt"))
    file.write_bytes("돌봄\n".encode() + "온누리".encode("cp949"))
    with pytest.raises(ConfigError, match="line 2: is not UTF-8"):
        KiwiTokenizer(file)


def test_a_word_stays_whole_with_its_parts_beside_it() -> None:
    word = "중도해지이율"
    plain, own = KiwiTokenizer(), KiwiTokenizer([word])
    text = f"{word}은 상품설명서에 있다."
    assert word not in plain.terms(text)
    assert own.terms(text)[0] == word
    assert set(plain.terms(text)) < set(own.terms(text))
    places = {term.form: text[term.start : term.end] for term in own.analyse(text)}
    assert places[word] == word
    assert places["해지"] == "해지"
    assert own.terms_batch([text]) == [own.terms(text)]
    (found,) = own.sentences([text])
    assert [term.form for s in found for term in s.terms] == own.terms(text)


def test_an_unknown_name_is_found_in_every_phrase() -> None:
    own = KiwiTokenizer(["해오름이"])
    assert all("해오름이" in own.terms(text) for text in ("해오름이를 든다", "해오름이의 이자", "해오름이"))


def test_the_fingerprint_names_the_words_whatever_their_order() -> None:
    assert KiwiTokenizer(["가나다", "라마바"]).fingerprint == KiwiTokenizer(["라마바", "가나다"]).fingerprint
    prints = {
        KiwiTokenizer(words).fingerprint for words in ([], ["가나다"], [("가나다", "NNG")], [("가나다", "NNP", 1)])
    }
    assert len(prints) == 4
