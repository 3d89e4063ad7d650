"""A vocabulary of morphemes that a plain tokenizer can cut by.

Kiwi cuts best but cannot run inside a model file. So Kiwi cuts the training text once, and what it found becomes the
vocabulary of a unigram tokenizer, whose most probable segmentation then comes close to Kiwi's. Words that neither the
text nor Kiwi's dictionary knows fall to pairs of syllables, syllables, and in the end bytes: no two words share a
vector just because both are unknown.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class Kind(StrEnum):
    """What a piece is good for, which decides how much it weighs."""

    WORD = "word"
    LIGHT = "light"  # bound nouns, pronouns, auxiliaries, affixes: words that say little
    FUNCTION = "function"  # particles and endings
    PAIR = "pair"  # two syllables or letters of a word nobody knows
    SYLLABLE = "syllable"
    NUMBER = "number"
    MARK = "mark"
    BYTE = "byte"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """Pieces in the order of their ids.

    Attributes:
        pieces: The strings; the first is the unknown token, which bytes keep from ever being used.
        scores: Their log probabilities, rounded so that they are short in the tokenizer's file.
        kinds: What each is.
        prior: How often each is expected in Korean at large, as a share; sums to 1.
    """

    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    kinds: tuple[Kind, ...]
    prior: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularySettings:
    """How large the vocabulary is, and from where.

    Attributes:
        nouns: How many common nouns of Kiwi's dictionary.
        names: How many proper nouns of it.
        verbs: How many verbs; half as many adjectives.
        adverbs: How many adverbs.
        tails: How many frequent sequences of particles and endings become one piece.
        pairs: How many pairs of syllables.
        statute_weight: What an occurrence in a statute counts; statutes are most of the text, but not of the language.
        least: What a word of the text must count to become a piece; rarer ones are left to their parts, unless Kiwi's
            dictionary has them. Fewer pieces leave room for longer vectors, which tell more words apart.
        longest: The longest word, in syllables.
    """

    nouns: int = 15_000
    names: int = 15_000
    verbs: int = 2_000
    adverbs: int = 1_000
    tails: int = 2_000
    pairs: int = 8_000
    statute_weight: float = 0.1
    least: float = 0.95
    longest: int = 8


UNKNOWN: Final = "<unk>"
_WORD_TAGS: Final = frozenset({"NNG", "NNP", "XR", "SL", "SH", "SN", "W_SERIAL", "MM", "MAG", "NR", "VV", "VA"})
_LIGHT_TAGS: Final = frozenset({"NNB", "NP", "VX", "XPN", "XSN", "MAJ", "IC", "XSV", "XSA", "VCP", "VCN"})
_PARTS: Final = re.compile("[가-힣]+|[a-z]+|[一-龥]")
_HANGUL: Final = re.compile("[가-힣]+")
_CUT: Final = "[가-힣]+|[a-z]+|[0-9]+|[^가-힣a-z0-9]"
_MARKS: Final = ".,!?'\"()[]{}<>「」『』《》·ㆍ:;-~/%&+=*#@_|“”‘’"
_LONGEST_TAIL: Final = 6
_LAST_NUMBER: Final = 2_100  # years included
# A dictionary word at rank r counts like one seen ZIPF * share / (r + SHIFT) times (Zipf-Mandelbrot).
_ZIPF: Final = 30_000.0
_SHIFT: Final = 100
_SHARES: Final[Mapping[str, float]] = {"NNG": 1.0, "VV": 0.4, "NNP": 0.3, "MAG": 0.3, "VA": 0.2}


def normalise(text: str) -> str:
    """The form in which the tokenizer sees text: NFKC, lower case."""
    return unicodedata.normalize("NFKC", text).lower()


def build_vocabulary(
    statutes: Iterable[str], general: Iterable[str], *, kiwi: Any, settings: VocabularySettings
) -> Vocabulary:
    """Cut the text with Kiwi and make a vocabulary of what it finds and of Kiwi's dictionary."""
    counts: Counter[str] = Counter()
    kinds: defaultdict[str, Counter[Kind]] = defaultdict(Counter)
    tails: Counter[str] = Counter()
    for texts, weight in ((statutes, settings.statute_weight), (general, 1.0)):
        for segments in _segments(texts, kiwi):
            _count(segments, weight, counts, kinds, tails)
    words: dict[str, float] = {
        piece: count for piece, count in counts.items() if count >= settings.least and len(piece) <= settings.longest
    }
    kind_of = {piece: _main_kind(kinds[piece]) for piece in words}
    known = [piece for piece in words if kind_of[piece] is Kind.WORD]
    dictionary = _dictionary(kiwi, settings)
    for piece, count in dictionary.items():
        words[piece] = words.get(piece, 0.0) + count
        kind_of.setdefault(piece, Kind.WORD)
    for piece, count in sorted(tails.items(), key=_by_count)[: settings.tails]:
        if piece not in words:
            words[piece] = count
            kind_of[piece] = Kind.FUNCTION
    pairs = Counter(word[i : i + 2] for word in (*dictionary, *known) for i in range(len(word) - 1))
    ranked = (pair for pair, _ in sorted(pairs.items(), key=_by_count) if pair not in words and _HANGUL.fullmatch(pair))
    return _assemble(words, kind_of, [pair for pair, _ in zip(ranked, range(settings.pairs), strict=False)])


def make_tokenizer(vocabulary: Vocabulary) -> Tokenizer:
    """The tokenizer that cuts by this vocabulary."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

    scored = list(zip(vocabulary.pieces, vocabulary.scores, strict=True))
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=0, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"\s+"), "removed"), pre_tokenizers.Split(Regex(_CUT), "isolated")]
    )
    return tokenizer


def _segments(texts: Iterable[str], kiwi: Any) -> Iterator[list[tuple[str, Kind, bool]]]:
    """Stretches of the text itself, each with its kind and whether it continues the stretch before it.

    Morphemes that are contracted into the same syllable (하 + 었 is written 했) are one stretch: the tokenizer sees
    letters, not base forms.
    """
    copy = [unicodedata.normalize("NFC", text) for text in texts]
    for text, tokens in zip(copy, kiwi.tokenize(copy), strict=True):
        spans: list[tuple[int, int, list[str]]] = []
        for token in tokens:
            start, end, tag = token.start, token.start + token.len, token.tag.split("-")[0]
            if spans and (start < spans[-1][1] or start == end):
                first, last, tags = spans.pop()
                spans.append((first, max(last, end), [*tags, tag]))
            else:
                spans.append((start, end, [tag]))
        ends = [0, *(end for _, end, _ in spans)]
        yield [
            (normalise(text[start:end]), _kind(tags), start == before)
            for (start, end, tags), before in zip(spans, ends, strict=False)
        ]


def _kind(tags: Sequence[str]) -> Kind:
    if any(tag in _WORD_TAGS for tag in tags):
        return Kind.WORD
    return Kind.LIGHT if any(tag in _LIGHT_TAGS for tag in tags) else Kind.FUNCTION


def _main_kind(seen: Counter[Kind]) -> Kind:
    total = seen.total()
    if seen[Kind.FUNCTION] > 0.6 * total:
        return Kind.FUNCTION
    return Kind.LIGHT if seen[Kind.WORD] < 0.4 * total else Kind.WORD


def _count(
    segments: Sequence[tuple[str, Kind, bool]],
    weight: float,
    counts: Counter[str],
    kinds: defaultdict[str, Counter[Kind]],
    tails: Counter[str],
) -> None:
    tail = ""
    for surface, kind, continues in segments:
        for part in _PARTS.findall(surface):
            counts[part] += weight  # type: ignore[assignment]  # Counter is typed for integers
            kinds[part][kind] += 1
        if kind is Kind.WORD or not _HANGUL.fullmatch(surface):
            tail = ""
            continue
        tail = tail + surface if tail and continues else surface
        if len(surface) < len(tail) <= _LONGEST_TAIL:
            tails[tail] += weight  # type: ignore[assignment]


def _dictionary(kiwi: Any, settings: VocabularySettings) -> dict[str, float]:
    """Words of Kiwi's dictionary with the count their rank stands for.

    Kiwi numbers the morphemes of one tag from frequent to rare. Its proper nouns are cut off before the titles that
    were added to it from encyclopaedias: those come under another licence.
    """
    limits = {
        "NNG": settings.nouns,
        "NNP": settings.names,
        "VV": settings.verbs,
        "VA": settings.verbs // 2,
        "MAG": settings.adverbs,
    }
    ranks: Counter[str] = Counter()
    words: dict[str, float] = {}
    for morpheme in _morphemes(kiwi):
        tag = morpheme.tag.split("-")[0]
        rank = ranks[tag]
        if not morpheme.form or rank >= limits.get(tag, 0):
            continue
        ranks[tag] += 1
        form = normalise(morpheme.form)
        if 2 <= len(form) <= settings.longest and _HANGUL.fullmatch(form):
            words[form] = max(words.get(form, 0.0), _ZIPF * _SHARES[tag] / (rank + _SHIFT))
    return words


def _morphemes(kiwi: Any) -> Iterator[Any]:
    identifier = 0
    while True:
        try:
            yield kiwi.morpheme(identifier)
        except ValueError:  # behind the last one
            return
        identifier += 1


def _assemble(words: Mapping[str, float], kind_of: Mapping[str, Kind], pairs: Sequence[str]) -> Vocabulary:
    total = sum(words.values())
    scores = {piece: math.log(count / total) for piece, count in words.items()}
    kinds = dict(kind_of)
    floor = math.log(0.3 / total)  # below a word seen once; each step down makes the tokenizer prefer larger pieces

    def add(pieces: Iterable[str], below: float, kind: Kind) -> None:
        for piece in pieces:
            if piece not in scores:
                scores[piece] = floor - below
                kinds[piece] = kind

    add(pairs, 2.0, Kind.PAIR)
    add((chr(code) for code in range(0xAC00, 0xD7A4) if len(_two_bytes(chr(code))) == 2), 3.5, Kind.SYLLABLE)
    add(ascii_lowercase, 3.0, Kind.SYLLABLE)
    add(map("".join, product(ascii_lowercase, repeat=2)), 2.0, Kind.PAIR)
    add(map(str, range(_LAST_NUMBER)), 1.0, Kind.NUMBER)
    add((f"{number:02d}" for number in range(100)), 1.5, Kind.NUMBER)
    add((mark for mark in normalise(_MARKS) if not mark.isspace()), 0.0, Kind.MARK)
    ordered = sorted(scores, key=lambda piece: (-scores[piece], piece))
    fallback = [(f"<0x{byte:02X}>", floor - 15.0, Kind.BYTE) for byte in range(256)]
    listed = [(UNKNOWN, floor - 20.0, Kind.MARK), *fallback, *((p, scores[p], kinds[p]) for p in ordered)]
    return Vocabulary(
        pieces=tuple(piece for piece, _, _ in listed),
        scores=tuple(round(score, 2) for _, score, _ in listed),
        kinds=tuple(kind for _, _, kind in listed),
        prior=tuple(words.get(piece, 0.0) / total for piece, _, _ in listed),
    )


def _two_bytes(syllable: str) -> bytes:
    # KS X 1001's 2,350 syllables take two bytes in this codec, all others eight.
    return syllable.encode("euc-kr")


def _by_count(entry: tuple[str, float]) -> tuple[float, str]:
    return -entry[1], entry[0]
