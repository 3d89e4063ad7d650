"""Articles → windows of so many tokens of a model, which are what is embedded and found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import ConfigError, EmbeddingError

if TYPE_CHECKING:
    from kure_rag.train.wikipedia import WikiArticle

_TOKENIZER: Final = "tokenizer.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSettings:
    """How articles are cut.

    Attributes:
        length: The most tokens of a window; its title, prefix and special tokens are not among them.
        stride: Tokens from the beginning of one window to that of the next; below ``length`` they overlap.
        least: Windows of fewer tokens are left out, unless they are an article's only one.

    Raises:
        ConfigError: A length or stride that nothing can be cut with.
    """

    length: int = 256
    stride: int = 256
    least: int = 8

    def __post_init__(self) -> None:
        if self.length < 1 or self.least < 1:
            raise ConfigError(f"windows of {self.length} tokens, {self.least} at the least; choose 1 or more")
        if not 1 <= self.stride <= self.length:
            raise ConfigError(
                f"a stride of {self.stride} with windows of {self.length} tokens; choose one from 1 to {self.length}, "
                "or text would be lost between windows"
            )


def load_tokenizer(folder: Path) -> Any:
    """The ``tokenizers.Tokenizer`` of a model's folder, without cutting or padding.

    Raises:
        EmbeddingError: It has none that says where in the text its tokens stand.
    """
    from tokenizers import Tokenizer

    places = [folder / _TOKENIZER, *sorted(folder.glob(f"*/{_TOKENIZER}"))]
    found = next((place for place in places if place.is_file()), None)
    if found is not None:
        try:
            tokenizer = Tokenizer.from_file(str(found))
        except Exception as error:
            raise EmbeddingError(f"{found}: not a tokenizer ({error}); download the model again") from error
    else:
        from transformers import AutoTokenizer

        try:
            loaded = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        except (OSError, ValueError, ImportError) as error:
            raise EmbeddingError(f"{folder}: no tokenizer can be loaded ({error}); give another --model") from error
        if not getattr(loaded, "is_fast", False):
            raise EmbeddingError(f"{folder}: its tokenizer does not say where tokens stand; give another --model")
        tokenizer = loaded.backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def cut(text: str, tokenizer: Any, settings: WindowSettings) -> Iterator[tuple[int, int]]:
    """Where the windows of a text begin and end, in characters.

    A window ends before a word, never in it, as far as a word is shorter than a window; so does each begin.

    Args:
        text: Any.
        tokenizer: From :func:`load_tokenizer`.
        settings: How.
    """
    offsets = [place for place in tokenizer.encode(text, add_special_tokens=False).offsets if place[0] < place[1]]
    # Places where a word begins: white space stands before them, or within the token.
    begins = [
        not number or text[start].isspace() or text[start - 1].isspace() for number, (start, _) in enumerate(offsets)
    ]
    first = 0
    while first < len(offsets):
        last = min(first + settings.length, len(offsets))
        if last < len(offsets):
            last = _before(begins, first, last)
        if first == 0 or last - first >= settings.least:
            start, end = offsets[first][0], offsets[last - 1][1]
            while start < end and text[start].isspace():
                start += 1
            yield start, end
        if last == len(offsets):
            return
        step = min(first + settings.stride, last)
        first = _before(begins, first, step) if step < last else last


def _before(begins: list[bool], first: int, place: int) -> int:
    """The last place where a word begins, after ``first`` and not after ``place``; ``place`` where there is none."""
    return next((i for i in range(place, first, -1) if begins[i]), place)


def windows(articles: Iterable[WikiArticle], tokenizer: Any, settings: WindowSettings) -> Iterator[dict[str, str]]:
    """Windows as records of ``corpus.jsonl``; ``_id`` is the article's id, a hyphen and a number from 0.

    Args:
        articles: In any order.
        tokenizer: From :func:`load_tokenizer`.
        settings: How they are cut.
    """
    for article in articles:
        for number, (start, end) in enumerate(cut(article.text, tokenizer, settings)):
            yield {"_id": f"{article.id}-{number}", "title": article.title, "text": article.text[start:end]}


def write_windows(rows: Iterable[dict[str, str]], path: Path) -> tuple[int, int]:
    """Writes JSON lines that appear when they are whole; gives how many windows there are, and of how many articles."""
    from kure_rag.autorag.files import whole_files

    count = articles = 0
    before = None
    with whole_files(path) as (part,), part.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
            article = row["_id"].rpartition("-")[0]
            articles += article != before
            before = article
    return count, articles
