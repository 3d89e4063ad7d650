"""The text that the bundled model learns from: statutes, and sentence sets whose licence is CC BY-SA.

What may be read is written down here, in one place, because the model's licence follows from it: no evaluation set,
nothing that forbids derivatives or commercial use.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kure_rag.errors import CorpusFormatError, SourceNotFoundError
from kure_rag.read.corpus import fail, read_lines
from kure_rag.train.readers.documents import read_articles
from kure_rag.train.readers.rows import Article

ARTICLES: Final = "statutes/articles.jsonl.gz"
KORSTS: Final = "sts/kornlu/KorSTS/sts-train.tsv"
XNLI: Final = ("sts/kornlu/KorNLI/xnli.dev.ko.tsv", "sts/kornlu/KorNLI/xnli.test.ko.tsv")
CONSECUTIVE: Final = ("bitext/ntrex128_ko_en.tsv", "bitext/park_news_dev.tsv", "bitext/park_news_test.tsv")
"""News in the order in which it was printed, so that neighbouring lines are about the same thing."""
SINGLE: Final = ("bitext/jhe_dev.tsv", "bitext/jhe_eval.tsv")

_SAME_MEANING: Final = 4.0  # KorSTS runs from 0 to 5; from 4 on only unimportant details differ


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingText:
    """Everything the model is trained on.

    Attributes:
        articles: Articles of statutes.
        runs: Lists of consecutive sentences.
        sentences: Single sentences, each once.
        paraphrases: Pairs of which the second says the same as the first, or follows from it.
        scored: Pairs with how alike people found them, from 0 to 5.
    """

    articles: tuple[Article, ...]
    runs: tuple[tuple[str, ...], ...]
    sentences: tuple[str, ...]
    paraphrases: tuple[tuple[str, str], ...]
    scored: tuple[tuple[str, str, float], ...]

    def general(self) -> list[str]:
        """All text that is not a statute."""
        return [*self.sentences, *(sentence for run in self.runs for sentence in run)]


def training_files(data: Path) -> list[Path]:
    """Every file that is read.

    Raises:
        SourceNotFoundError: The folder or one of the files is missing.
    """
    if not data.is_dir():
        raise SourceNotFoundError(
            data.name or str(data), "no such folder; give the one that holds statutes, sts and bitext"
        )
    return [_below(data, name) for name in (ARTICLES, KORSTS, *XNLI, *CONSECUTIVE, *SINGLE)]


def read_training_text(data: Path) -> TrainingText:
    """Read the training files below ``data``.

    Raises:
        SourceNotFoundError: The folder or one of the files is missing.
        CorpusFormatError: A file breaks its format; the message names the file and the line.
    """
    training_files(data)
    articles = _articles(data)
    seen: dict[str, None] = {}
    paraphrases: list[tuple[str, str]] = []
    scored: list[tuple[str, str, float]] = []
    for number, row in _rows(data, KORSTS, columns=7):
        first, second = row[5], row[6]
        seen.update({first: None, second: None})
        try:
            score = float(row[4])
        except ValueError:
            fail(KORSTS, number, f"score {row[4]!r} is not a number")
        scored.append((first, second, score))
        if score >= _SAME_MEANING:
            paraphrases.append((first, second))
    for name in XNLI:
        for _, (premise, hypothesis, label) in _rows(data, name, columns=3):
            seen.update({premise: None, hypothesis: None})
            if label == "entailment":
                paraphrases.append((premise, hypothesis))
    for name in SINGLE:
        seen.update({row[0]: None for _, row in _rows(data, name, columns=2)})
    runs = tuple(tuple(row[0] for _, row in _rows(data, name, columns=2)) for name in CONSECUTIVE)
    return TrainingText(
        articles=articles,
        runs=runs,
        sentences=tuple(seen),
        paraphrases=tuple(paraphrases),
        scored=tuple(scored),
    )


def _articles(data: Path) -> tuple[Article, ...]:
    articles = tuple(read_articles(_below(data, ARTICLES), name=ARTICLES))
    if not articles:
        raise CorpusFormatError(ARTICLES, "no article in it")
    return articles


def _rows(data: Path, name: str, *, columns: int) -> Iterator[tuple[int, list[str]]]:
    """Rows of a table with a header line, with their line numbers."""
    found = False
    lines = _lines(data, name)
    next(lines, None)
    for number, line in lines:
        row = line.split("\t")
        if len(row) != columns:
            fail(name, number, f"{len(row)} columns separated by tabs where {columns} should be")
        found = True
        yield number, row
    if not found:
        raise CorpusFormatError(name, "no row below the header line")


def _lines(data: Path, name: str) -> Iterator[tuple[int, str]]:
    for number, line in read_lines(_below(data, name), name=name):
        yield number, unicodedata.normalize("NFC", line)


def _below(data: Path, name: str) -> Path:
    if not (data / name).is_file():
        raise SourceNotFoundError(name, f"not below {data}; the model is trained on all of its files or not at all")
    return data / name
