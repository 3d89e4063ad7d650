"""Korean morphemes by Kiwi (https://github.com/bab2min/kiwipiepy). The only module that imports kiwipiepy.

Content morphemes only: on public Korean sets that is worth .05-.10 nDCG over all morphemes and .14 over white space.
One Kiwi serves a process: it takes seconds and hundreds of megabytes to build.
"""

from __future__ import annotations

import functools
import importlib.metadata
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from kure_rag.tokenize.base import Sentence, Term

if TYPE_CHECKING:
    from kiwipiepy import Kiwi

# Nouns, numerals, verbs, adjectives, adverbs, determiners, roots, Latin letters, Hanja and digits, and what stands for
# itself: 2025.1.2 and 02-123-4567 (W_SERIAL), addresses and hashtags.
# https://bab2min.github.io/kiwipiepy/v0.22.0/kr/#_14 lists the tags.
CONTENT_TAGS: Final[frozenset[str]] = frozenset(
    {"NNG", "NNP", "NNB", "NR", "VV", "VA", "VV-R", "VV-I", "VA-R", "VA-I", "MAG", "MM", "XR", "SL", "SH", "SN"}
    | {"W_SERIAL", "W_EMAIL", "W_URL", "W_HASHTAG"}
)

_WINDOW: Final = 10  # characters each side of a line break that decide whether a space belongs there
_FULL_WIDTH: Final = {0xFF01 + i: 0x21 + i for i in range(94)}  # ！ to ～
_lock = threading.Lock()


@functools.cache
def _build() -> Kiwi:
    from kiwipiepy import Kiwi

    # Names of several words are cut into their words anyway: without that dictionary Kiwi takes 315 MB in place of 515,
    # loads twice as fast, and finds the same (nDCG@10 within .0006 on two sets).
    return Kiwi(num_workers=1, load_multi_dict=False)


def shared_kiwi() -> Kiwi:
    """The process's one Kiwi, built at the first call (about a second, 315 MB)."""
    with _lock:
        return _build()


class KiwiTokenizer:
    """Content morphemes in lower case, in Unicode form NFC.

    Analyses are serialised per call by Kiwi itself; the object is cheap and can be shared between threads.
    """

    @property
    def fingerprint(self) -> str:
        """``kiwi`` with the versions of engine and model, and the set of tags."""
        return (
            f"kiwi/{importlib.metadata.version('kiwipiepy')}"
            f"/model-{importlib.metadata.version('kiwipiepy_model')}/content-3"
        )

    def terms(self, text: str) -> list[str]:
        """Content morphemes of one text, in order."""
        return [term.form for term in _content(shared_kiwi().tokenize(_nfc(text)))]

    def terms_batch(self, texts: Sequence[str]) -> list[list[str]]:
        """Content morphemes of many texts."""
        analysed = shared_kiwi().tokenize([_nfc(text) for text in texts])
        return [[term.form for term in _content(tokens)] for tokens in analysed]

    def sentences(self, texts: Iterable[str]) -> Iterator[list[Sentence]]:
        """Sentences with their terms, one list a text.

        Offsets count the characters of the text given, which must be in NFC.
        """
        for found in shared_kiwi().split_into_sents([_fold(text) for text in texts], return_tokens=True):
            yield [Sentence(s.start, s.end, tuple(_content(s.tokens or ()))) for s in found]

    def space_at(self, pairs: Sequence[tuple[str, str]]) -> list[bool]:
        """Whether a space belongs between the two halves of each broken line.

        Kiwi respaces a window of ten characters each side of the break; on 5,342 breaks of known spacing that was right
        in .943 of them, against .44 for always a space and .56 for never one.
        """
        windows = [(before[-_WINDOW:].lstrip(), after[:_WINDOW].rstrip()) for before, after in pairs]
        respaced = shared_kiwi().space([before + after for before, after in windows], reset_whitespace=False)
        return [_space_after(before, text) for (before, _), text in zip(windows, respaced, strict=True)]


def _nfc(text: str) -> str:
    return text if text.isascii() else _fold(unicodedata.normalize("NFC", text))


def _fold(text: str) -> str:
    """Full-width Latin letters and digits in their usual width, one for one, so that offsets stay."""
    return text.translate(_FULL_WIDTH)


def _content(tokens: Iterable[Any]) -> Iterator[Term]:
    for token in tokens:
        if token.tag in CONTENT_TAGS:
            # Kiwi knows names of several words, such as 하코다테 공항: a question may hold only one of the words.
            for part in _form(token).split():
                yield Term(part, token.start, token.end)


def _form(token: Any) -> str:
    form: str = token.form
    if token.tag == "SN":
        return form.replace(",", "")  # 2,500 and 2500 are one number
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
