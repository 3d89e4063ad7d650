"""Korean morphemes by Kiwi (https://github.com/bab2min/kiwipiepy). The only module that imports kiwipiepy.

Content morphemes only: on public Korean sets that is worth .05-.10 nDCG over all morphemes and .14 over white space.
One Kiwi serves a process: it takes seconds and hundreds of megabytes to build. A user dictionary has one of its own.
"""

from __future__ import annotations

import functools
import importlib.metadata
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import ConfigError
from kure_rag.tokenize.base import Sentence, Term
from kure_rag.tokenize.units import joined
from kure_rag.tokenize.user_dictionary import Dictionary, UserWord, dictionary_hash, read_dictionary

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

# Nouns, numerals, verbs, adjectives, adverbs, determiners, roots, Latin letters, Hanja and digits, and what stands for
# itself: 2025.1.2 and 02-123-4567 (W_SERIAL), addresses and hashtags. Dependent nouns (것, 수, 원, 조) are found with
# their number only, as one term: 2500만원, 12조의3.
# https://bab2min.github.io/kiwipiepy/v0.22.0/kr/#_14 lists the tags.
CONTENT_TAGS: Final[frozenset[str]] = frozenset(
    {"NNG", "NNP", "NR", "VV", "VA", "VV-R", "VV-I", "VA-R", "VA-I", "MAG", "MM", "XR", "SL", "SH", "SN"}
    | {"W_SERIAL", "W_EMAIL", "W_URL", "W_HASHTAG"}
)
# Verbs and adjectives that say nothing by themselves.
_LIGHT_VERBS: Final = (
    "하 되 있 없 위하 대하 관하 따르 의하 통하 가지 보 않 못하 같 받 주 알 나오 말하 이르 인하 오 가 들 그렇 어떻 "
    "어떠하 이렇 만들 쓰 맞 좋 많 크 갖 나 지나 놓 살 나가 얻 일어나 불리 일컫 부르 잇 달하 비하 그러하 이러하"
)
STOP_VERBS: Final[frozenset[str]] = frozenset(_LIGHT_VERBS.split())

_FEW: Final = 3  # texts that are done sooner here than handed to Kiwi's own threads
_WINDOW: Final = 10  # characters each side of a line break that decide whether a space belongs there
_FULL_WIDTH: Final = {0xFF01 + i: 0x21 + i for i in range(94)}  # ！ to ～
_lock = threading.Lock()
Parts = Mapping[tuple[str, str], tuple[Term, ...]]


@functools.cache
def _build(words: tuple[UserWord, ...]) -> tuple[Kiwi, Parts]:
    from kiwipiepy import Kiwi

    # Names of several words are cut into their words anyway: without that dictionary Kiwi takes 315 MB in place of 515,
    # loads twice as fast, and finds the same (nDCG@10 within .0006 on two sets).
    kiwi = Kiwi(num_workers=1, load_multi_dict=False)
    # What the words are made of without the dictionary, so that a question may hold only a part of one.
    parts = {
        (word.form, word.tag): tuple(_content(tokens, {}))
        for word, tokens in zip(words, kiwi.tokenize([word.form for word in words]), strict=True)
    }
    for word in words:
        try:
            kiwi.add_user_word(word.form, word.tag, word.score)
        except ValueError as error:
            raise ConfigError(f"user dictionary: {word.form!r} cannot be added as {word.tag} ({error})") from None
    return kiwi, parts


def shared_kiwi(words: tuple[UserWord, ...] = ()) -> Kiwi:
    """The process's one Kiwi, built at the first call (about a second, 315 MB); one more for each dictionary."""
    return _shared(words)[0]


def _shared(words: tuple[UserWord, ...]) -> tuple[Kiwi, Parts]:
    with _lock:
        return _build(words)


class KiwiTokenizer:
    """Content morphemes in lower case, in Unicode form NFC, and numbers with their units beside their parts.

    Analyses are serialised per call by Kiwi itself; the object is cheap and can be shared between threads.

    Args:
        user_dictionary: A file of domain terms, or a list of them, see :mod:`kure_rag.tokenize.user_dictionary`. A
            term of it is kept whole, and its parts stand beside it.

    Raises:
        ConfigError: A line or an entry of the dictionary makes no sense.
    """

    def __init__(self, user_dictionary: Dictionary = ()) -> None:
        self.user_words = read_dictionary(user_dictionary)

    @property
    def fingerprint(self) -> str:
        """``kiwi`` with the versions of engine and model, the set of terms, and a hash of the user dictionary."""
        own = f"/user-{dictionary_hash(self.user_words)}" if self.user_words else ""
        return (
            f"kiwi/{importlib.metadata.version('kiwipiepy')}"
            f"/model-{importlib.metadata.version('kiwipiepy_model')}/content-4{own}"
        )

    def terms(self, text: str) -> list[str]:
        """Content morphemes of one text, in order."""
        return [term.form for term in self.analyse(text)]

    def analyse(self, text: str) -> list[Term]:
        """Terms of one text with their places, as a highlight needs them.

        Offsets count the characters of the text in NFC, which a text from the index is.
        """
        kiwi, parts = _shared(self.user_words)
        return list(_content(kiwi.tokenize(_nfc(text)), parts))

    def terms_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Content morphemes of many texts."""
        kiwi, parts = _shared(self.user_words)
        clean = [_nfc(text) for text in texts]
        analysed = kiwi.tokenize(clean) if len(clean) > _FEW else map(kiwi.tokenize, clean)
        return [[term.form for term in _content(tokens, parts)] for tokens in analysed]

    def sentences(self, texts: Iterable[str]) -> Iterator[list[Sentence]]:
        """Sentences with their terms, one list a text.

        Offsets count the characters of the text given, which must be in NFC.
        """
        kiwi, parts = _shared(self.user_words)
        for found in kiwi.split_into_sents([_fold(text) for text in texts], return_tokens=True):
            yield [Sentence(s.start, s.end, tuple(_content(s.tokens or (), parts))) for s in found]

    def respaced(self, texts: Sequence[str]) -> list[str]:
        """Each text in NFC with the spaces that Kiwi puts, whatever spaces stand in it."""
        kiwi, clean = shared_kiwi(self.user_words), [_nfc(text) for text in texts]
        if len(clean) > _FEW:
            return list(kiwi.space(clean, reset_whitespace=True))
        return [kiwi.space(text, reset_whitespace=True) for text in clean]

    def space_at(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Whether a space belongs between the two halves of each broken line.

        Kiwi respaces a window of ten characters each side of the break; on 5,342 breaks of known spacing that was right
        in .943 of them, against .44 for always a space and .56 for never one.
        """
        windows = [(before[-_WINDOW:].lstrip(), after[:_WINDOW].rstrip()) for before, after in pairs]
        respaced = shared_kiwi(self.user_words).space(
            [before + after for before, after in windows], reset_whitespace=False
        )
        return [_space_after(before, text) for (before, _), text in zip(windows, respaced, strict=True)]


def _nfc(text: str) -> str:
    return text if text.isascii() else _fold(unicodedata.normalize("NFC", text))


def _fold(text: str) -> str:
    """Full-width Latin letters and digits in their usual width, one for one, so that offsets stay."""
    return text.translate(_FULL_WIDTH)


def _content(tokens: Iterable[Any], parts: Parts) -> Iterator[Term]:
    """Content morphemes, joined terms behind the first of what they are made of, and the parts of a user's word.

    No term begins before the one ahead of it: a chunk takes those that begin in it.
    """
    listed = list(tokens)
    units = joined(listed)
    unit = next(units, None)
    for token in listed:
        content = token.tag in CONTENT_TAGS and not (token.tag[0] == "V" and token.form in STOP_VERBS)
        if content:
            # Kiwi knows names of several words, such as 하코다테 공항: a question may hold only one of the words.
            for part in _form(token).split():
                yield Term(part, token.start, token.end)
        if unit is not None and token.start >= unit.start:
            yield unit
            unit = next(units, None)
        if content and parts:
            for inner in parts.get((token.form, token.tag), ()):
                if inner.form != _form(token):
                    yield Term(inner.form, token.start + inner.start, token.start + inner.end)


def _form(token: Any) -> str:
    form: str = token.form
    if token.tag == "SN":
        return form.replace(",", "")  # 2,500 and 2500 are one number
    if token.tag == "W_SERIAL":
        return form.replace(" ", "").rstrip(".")  # 2025. 1. 2. and 2025.1.2 are one date
    return form.lower()  # also names with Latin letters: LG전자


def _space_after(before: str, respaced: str) -> bool:
    """Whether ``respaced`` has white space behind the characters of ``before``, spaces not counted."""
    wanted = sum(not char.isspace() for char in before)
    seen = 0
    for char in respaced:
        if seen == wanted:
            return char.isspace()
        seen += not char.isspace()
    return False
