"""How the chunks of a statute are compared with the statute's own text: by article, white space and notes aside.

The text is a markdown page: front matter between lines of ``---``, ``##`` to ``####`` for the headings above articles,
``#####`` for an article, and the addenda under a heading of their own, which are left out. Notes of amendments, drawn
formulas, tables and images are taken from both sides, since the page and the PDF set them differently.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kure_rag.types import Chunk

_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_HEADING = re.compile(r"(#{1,5}) +(.+)")
_ARTICLE = re.compile(r"제 ?(\d+) ?조(?: ?의 ?(\d+))?(?!\d)")
_OTHER_ARTICLE = re.compile(rf"^{_ARTICLE.pattern} ?[(（]", re.MULTILINE)
_DRAWN = re.compile(r"^(?:.*[─-╿].*| *\|.*)$", re.MULTILINE)  # box drawings and tables
_IMAGE = re.compile(r"</?img[^>]*>|<[^<>]*flDownload[^<>]*>")
_ANGLED = re.compile(r"[<‹〈][^<>‹›〈〉]*[>›〉]")
_YEAR = re.compile(r"\d{4} ?\.|^.[\d., ]+.$")  # a date, or dates alone
_BRACKETED = re.compile(r"\[[^\[\]]*(?:개정|신설|이동|종전|시행일|위헌|불합치|제목)[^\[\]]*\]")
_ALIKE: Final = str.maketrans(dict.fromkeys("・･·ᆞ", "ㆍ") | dict.fromkeys("“”", '"') | dict.fromkeys("‘’", "'"))
_MARKUP: Final = str.maketrans("", "", "\\*")


@dataclass(frozen=True, slots=True)
class Article:
    """An article as it should be: its text with its heading, and the headings above it from the outermost."""

    text: str
    above: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted over some statutes; they add up.

    Attributes:
        articles: Articles of the main part that are not deleted.
        found: Those with a chunk of their name.
        exact: Those whose chunks hold the same letters.
        overlap: Sum of 1 - edit distance / the longer length, 0 for an article that was not found.
        spaces: Spaces at the same place, at a place where only the chunks have one, and where only the text has one,
            of exact articles.
        path: Found articles whose breadcrumb has every heading above them.
        chunks: Chunks that name an article of the main part.
        pure: Those in which no other article begins.
    """

    articles: int = 0
    found: int = 0
    exact: int = 0
    overlap: float = 0.0
    spaces: tuple[int, int, int] = (0, 0, 0)
    path: int = 0
    chunks: int = 0
    pure: int = 0

    def __add__(self, other: Counts) -> Counts:
        both, extra, missing = (ours + theirs for ours, theirs in zip(self.spaces, other.spaces, strict=True))
        return Counts(
            articles=self.articles + other.articles,
            found=self.found + other.found,
            exact=self.exact + other.exact,
            overlap=self.overlap + other.overlap,
            spaces=(both, extra, missing),
            path=self.path + other.path,
            chunks=self.chunks + other.chunks,
            pure=self.pure + other.pure,
        )

    def shares(self) -> dict[str, float]:
        """Each as a share from 0 to 1; for spaces the harmonic mean of precision and recall."""
        both, extra, missing = self.spaces
        return {
            "found": self.found / max(1, self.articles),
            "exact": self.exact / max(1, self.articles),
            "overlap": self.overlap / max(1, self.articles),
            "spaces": 2 * both / max(1, 2 * both + extra + missing),
            "path": self.path / max(1, self.found),
            "pure": self.pure / max(1, self.chunks),
        }


def articles(page: str) -> dict[str, Article]:
    """The articles of a statute's main part that are not deleted, by name, such as ``제7조의13``; of two the first."""
    found: dict[str, Article] = {}
    for name, title, lines, above in _sections(_FRONT_MATTER.sub("", page)):
        body = plain("\n".join(lines))
        if letters(body) and not letters(body).startswith("삭제"):
            found.setdefault(name, Article(plain(title) + "\n" + body, above))
    return found


def _sections(page: str) -> Iterator[tuple[str, str, list[str], tuple[str, ...]]]:
    """Name, heading and lines of each article, and the headings above it."""
    above: dict[int, str] = {}
    name, title = "", ""
    lines: list[str] = []
    for line in page.splitlines():
        heading = _HEADING.fullmatch(line.strip())
        if heading is None:
            lines.append(line)
            continue
        if name:
            yield name, title, lines, tuple(above.values())
        level, lines = len(heading[1]), []
        title = re.sub(r"^(제\S+) (?=\()", r"\1", heading[2])  # the PDF sets no space before an article's title
        if re.match(r"부 *칙", title):
            return
        name = article_name(title)
        if not name:
            above = {depth: text for depth, text in above.items() if depth < level}
            if level > 1:  # the statute's own name stands above the others
                above[level] = title
    if name:
        yield name, title, lines, tuple(above.values())


def article_name(heading: str) -> str:
    """``제7조의13`` of a heading that begins with it, or an empty string."""
    match = _ARTICLE.match(heading)
    return _name(match) if match else ""


def _name(match: re.Match[str]) -> str:
    return f"제{match[1]}조" + (f"의{match[2]}" if match[2] else "")


def plain(text: str) -> str:
    """NFC without markup, notes, tables and images; marks that look the same are one."""
    text = unicodedata.normalize("NFC", text).replace("&lt;", "<").replace("&gt;", ">")
    text = _IMAGE.sub(" ", _DRAWN.sub(" ", text)).translate(_MARKUP)
    text = _ANGLED.sub(lambda note: " " if _YEAR.search(note[0]) else note[0], text)
    return _BRACKETED.sub(" ", text).translate(_ALIKE)


def letters(text: str) -> str:
    """Without white space."""
    return "".join(text.split())


def joined(chunks: Iterable[Chunk]) -> str:
    """What chunks cover, each place once."""
    pieces, done = [], 0
    for chunk in sorted(chunks, key=lambda chunk: chunk.start):
        pieces.append(chunk.text[max(0, done - chunk.start) :])
        done = max(done, chunk.end)
    return "\n".join(pieces)


def distance(one: str, other: str) -> int:
    """Insertions, deletions and replacements that turn one text into the other.

    A column of the table of distances at a time, its steps up and down as bits of two integers (Hyyrö, 2003).
    """
    if not one:
        return len(other)
    places: dict[str, int] = {}
    for at, char in enumerate(one):
        places[char] = places.get(char, 0) | 1 << at
    everything, last = (1 << len(one)) - 1, 1 << (len(one) - 1)
    up, down, steps = everything, 0, len(one)
    for char in other:
        same = places.get(char, 0)
        level = (((same & up) + up) ^ up) | same | down
        right, left = down | (~(level | up) & everything), up & level
        steps += bool(right & last) - bool(left & last)
        right, left = right << 1 | 1, left << 1
        up, down = (left | ~(level | right)) & everything, right & level & everything
    return steps


def count(gold: Mapping[str, Article], chunks: Iterable[Chunk]) -> Counts:
    """Compares one statute's chunks with its articles."""
    named: dict[str, list[Chunk]] = {}
    for chunk in chunks:
        name = letters(str(chunk.metadata.get("article", "")))
        if name and chunk.metadata.get("part", "본칙") == "본칙":
            named.setdefault(name, []).append(chunk)
    total = Counts(
        chunks=sum(map(len, named.values())),
        pure=sum(_is_pure(name, chunk) for name, chunks in named.items() for chunk in chunks),
    )
    return sum((_count_article(article, named.get(name, [])) for name, article in gold.items()), total)


def _is_pure(name: str, chunk: Chunk) -> bool:
    return all(_name(match) == name for match in _OTHER_ARTICLE.finditer(chunk.text))


def _count_article(article: Article, chunks: Sequence[Chunk]) -> Counts:
    if not chunks:
        return Counts(articles=1)
    ours = plain(joined(chunks))
    one, other = letters(ours), letters(article.text)
    crumb = letters(" ".join(min(chunks, key=lambda chunk: chunk.start).breadcrumb))
    return Counts(
        articles=1,
        found=1,
        exact=one == other,
        overlap=1 - distance(one, other) / max(len(one), len(other), 1),
        spaces=_spaces(ours, article.text) if one == other else (0, 0, 0),
        path=all(letters(_ANGLED.sub("", heading)) in crumb for heading in article.above),
    )


def _spaces(ours: str, theirs: str) -> tuple[int, int, int]:
    """Spaces in both, in ours alone, in theirs alone."""
    one, other = _places(ours), _places(theirs)
    return len(one & other), len(one - other), len(other - one)


def _places(text: str) -> set[int]:
    """How many letters stand before each space."""
    places, seen = set(), 0
    for word in text.split()[:-1]:
        seen += len(word)
        places.add(seen)
    return places
