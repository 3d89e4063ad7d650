"""One's own documents as training data: passages, and questions that they answer."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from kure_rag.autorag.known_items import named, topic
from kure_rag.errors import ConfigError, CorpusFormatError, SourceNotFoundError
from kure_rag.evaluate.sets import check_qrels, read_set
from kure_rag.read.files import find_files
from kure_rag.train.mine.questions import folded_text, record_text
from kure_rag.train.readers import Article, Omissions, read_articles
from kure_rag.train.workdir import files_inside
from kure_rag.types import Chunk

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex

Kind = Literal["heading", "keywords", "sentence", "given"]

CATALOG: Final = "catalog.sqlite3"
MODEL: Final = "static-ko"
DOCUMENTS: Final = (".pdf", ".txt", ".md")
_MOST_ALTERNATIVES: Final = 5  # passages that a question may have as its answer; one that has more asks for nothing
_LEAST: Final = 50  # visible characters of a passage that is asked about
_SENTENCE: Final = re.compile(r"(?<=다\.)\s+|(?<=[.?!。])\s+|\n+")
_SHORTEST, _LONGEST = 20, 150  # characters of a sentence that stands for a question
_SEPARATOR: Final = " > "


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainPassage:
    """A passage.

    Attributes:
        id: Its own.
        document: What it was cut from: a file, a statute.
        title: The document's, for people.
        text: With its headings, as an index embeds it.
    """

    id: str
    document: str
    text: str
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainQuestion:
    """What is asked.

    Attributes:
        text: The question.
        passages: Ids of those that answer it.
        kind: ``heading``: by its headings, as a sentence; ``keywords``: by its headings alone; ``sentence``: one of its
            sentences, which the passage is then trained without (Lee et al. 2019, arXiv 1906.00300); ``given``: by
            people or a language model.
    """

    text: str
    passages: tuple[str, ...]
    kind: Kind

    @property
    def id(self) -> str:
        """SHA-256 of kind and words in hexadecimal, cut."""
        return hashlib.sha256(f"{self.kind}\x1f{folded_text(self.text)}".encode()).hexdigest()[:32]


@dataclass(slots=True)
class DomainData:
    """What was read.

    Attributes:
        passages: Id → passage.
        questions: Each text once for each kind.
        index: The index that all passages are from, where that is one; it is searched for negatives.
        notes: What was left out.
    """

    passages: dict[str, DomainPassage] = field(default_factory=dict)
    questions: list[DomainQuestion] = field(default_factory=list)
    index: Path | None = None
    notes: list[str] = field(default_factory=list)


def read_domain(paths: Sequence[Path], work: Path, *, model: str | None, sentences: int) -> DomainData:
    """Reads all of it.

    Args:
        paths: Indexes, folders of ``kure-rag qa`` or in BEIR's layout, articles in JSON lines, or documents (PDF, text,
            Markdown) and folders with them, which are put into an index first.
        work: Where such an index is made.
        model: What embeds its passages; ``static-ko`` by default.
        sentences: How many of each passage's sentences are made questions.

    Raises:
        SourceNotFoundError: A path holds nothing of that.
        CorpusFormatError: A file breaks its format.
        ConfigError: There is no passage, or no question.
    """
    data = DomainData()
    chunks: list[tuple[str, str, Chunk]] = []
    files = [path for path in paths if _is_document(path)]
    indexes = [path for path in paths if is_index(path)]
    sets = [path for path in paths if path.is_dir() and path not in indexes and path not in files]
    if files:
        indexes.append(_ingested(files, work / "documents", model, data))
    for path in indexes:
        chunks += _chunks(path, data)
    for path in paths:
        if path.is_file() and path not in files:
            chunks += _articles(path, data)
    asked = _made(chunks, sentences)
    for path in sets:
        asked += _given(path, data)
    data.questions = _sifted(asked, data)
    if len(indexes) == 1 and all(path in (*indexes, *files) or path in sets for path in paths):
        data.index = indexes[0]
    if not data.passages:
        raise ConfigError("no passage in the data; give an index, a folder of `kure-rag qa`, or articles")
    if not data.questions:
        raise ConfigError("not one question could be made of the headings; make some with `kure-rag qa` and add them")
    return data


def is_index(path: Path) -> bool:
    """Whether a folder is an index."""
    return (path / CATALOG).is_file()


def opened(path: Path, model: str | None) -> AbstractContextManager[KureIndex]:
    """An index to search.

    Args:
        path: Its folder.
        model: Its model, where that is a folder.

    Raises:
        KureIndexError: It cannot be opened as it is.
        ModelNotAvailableError: Its model cannot be reached.
    """
    from kure_rag.pipeline import KureIndex

    return KureIndex.open(path, embeddings=model, create=False)


def _is_document(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() in DOCUMENTS
    if is_index(path) or any((path / name).is_file() for name in ("corpus.jsonl", "corpus.jsonl.gz")):
        return False
    if not any(file.suffix.lower() in DOCUMENTS for file in files_inside(path)):
        raise SourceNotFoundError(
            path.name, "neither an index, nor a folder of `kure-rag qa`, nor one with PDF or text files in it"
        )
    return True


def _documents(path: Path) -> list[Path]:
    """The documents of a folder; not the card of a model that lies in it, which is no part of the data's hash either.

    A folder in it that cannot be listed is named as it is, so that adding it tells why.
    """
    if not path.is_dir():
        return [path]
    own = set(files_inside(path))
    found = find_files([path], ("pdf", "txt", "md"))
    return [item.path for item in found if item.error is not None or item.path in own]


def _ingested(paths: Sequence[Path], folder: Path, model: str | None, data: DomainData) -> Path:
    from kure_rag.pipeline import KureIndex

    with KureIndex.open(folder, embeddings=model or MODEL) as index:
        report = index.add_paths([file for path in paths for file in _documents(path)])
        rejected = [row for row in report.rows if row.status == "rejected"]
        if not index.documents():
            reason = rejected[0].reason if rejected else "there is none"
            raise ConfigError(f"not one of the documents could be read; the first: {reason}")
    if rejected:
        first = rejected[0]
        data.notes.append(f"{len(rejected)} documents could not be read, such as {first.source}: {first.reason}")
    return folder


def _chunks(path: Path, data: DomainData) -> list[tuple[str, str, Chunk]]:
    from kure_rag.pipeline import KureIndex

    found = []
    with KureIndex.maintain(path) as index:
        for row in index.documents():
            for chunk in index.chunks(row.id):
                # Two files of one name are two documents; a corpus has one record a document, whose title may group.
                data.passages[chunk.id] = DomainPassage(
                    id=chunk.id, document=row.id, text=chunk.contextualized(), title=row.title
                )
                found.append((row.title, row.id, chunk))
    return found


def _articles(path: Path, data: DomainData) -> list[tuple[str, str, Chunk]]:
    omissions = Omissions()
    found = []
    for number, article in enumerate(read_articles(path, omissions=omissions)):
        chunk = _as_chunk(article, f"{path.name}:{number}")
        data.passages[chunk.id] = DomainPassage(id=chunk.id, document=article.law, text=article.passage())
        found.append((article.law, article.law, chunk))
    data.notes += omissions.lines()
    if not found:
        raise CorpusFormatError(path.name, "no article with a text; give a file with at least one")
    return found


def _as_chunk(article: Article, name: str) -> Chunk:
    heading = f"{article.article}({article.title})" if article.article and article.title else article.title
    crumbs = tuple(part for part in (article.law, heading or article.article) if part)
    identifier = hashlib.sha256(f"{name}\x1f{article.law}\x1f{article.text}".encode()).hexdigest()[:32]
    return Chunk(identifier, article.law, article.text, 0, len(article.text), (), breadcrumb=crumbs, kind="article")


def _given(path: Path, data: DomainData) -> list[DomainQuestion]:
    found = read_set(path)
    ids: set[str] = set()
    for record in found.records():
        ids.add(record.id)
        if record.id not in data.passages:
            document = record.title.split(_SEPARATOR)[0] or record.id
            data.passages[record.id] = DomainPassage(id=record.id, document=document, text=record_text(record))
    check_qrels(found, ids)
    return [
        DomainQuestion(text=text, passages=tuple(found.qrels[query]), kind="given")
        for query, text in found.queries.items()
    ]


def _made(chunks: Iterable[tuple[str, str, Chunk]], sentences: int) -> list[DomainQuestion]:
    """Questions by headings, of which the shortest name that is not shared by too many passages is taken."""
    by_title: dict[tuple[str, str], list[Chunk]] = {}
    for title, document, chunk in chunks:
        by_title.setdefault((document, title), []).append(chunk)
    found = []
    for (_, title), own in by_title.items():
        for item in named(title, own):
            found += [DomainQuestion(text=text, passages=(item.passage,), kind="heading") for text in item.queries]
        for chunk in own:
            if words := _keywords(title, chunk):
                found.append(DomainQuestion(text=words, passages=(chunk.id,), kind="keywords"))
            for sentence in _sentences(chunk, sentences):
                found.append(DomainQuestion(text=sentence, passages=(chunk.id,), kind="sentence"))
    return found


def _keywords(title: str, chunk: Chunk) -> str:
    """``취업규정 연차휴가``: what people type who do not write sentences."""
    topics = [name for heading in chunk.breadcrumb if heading != title and (name := topic(heading))]
    return f"{title} {topics[-1]}" if topics and topics[-1] != title else ""


def _sentences(chunk: Chunk, count: int) -> Iterator[str]:
    """Whole sentences, chosen by their digests, of passages that have others too."""
    whole = sentences_of(chunk.text)
    if len(whole) < 2:
        return
    yield from sorted(dict.fromkeys(whole), key=lambda part: hashlib.sha256(part.encode()).digest())[:count]


def sentences_of(text: str) -> list[str]:
    """Those that are long and short enough to stand for a question, with single spaces."""
    parts = [" ".join(part.split()) for part in _SENTENCE.split(text)]
    return [part for part in parts if _SHORTEST <= len(part) <= _LONGEST]


def without(passage: str, sentence: str) -> str:
    """A passage without one of its sentences, however its lines are broken."""
    spaced = r"\s+".join(map(re.escape, sentence.split()))
    left = re.sub(spaced, "", passage, count=1).strip()
    return left or passage


def _sifted(asked: Iterable[DomainQuestion], data: DomainData) -> list[DomainQuestion]:
    """Equal questions as one, without those that ask for too many passages or for a scrap."""
    merged: dict[tuple[str, Kind], list[Any]] = {}
    for question in asked:
        key = (folded_text(unicodedata.normalize("NFC", question.text)), question.kind)
        entry = merged.setdefault(key, [question.text, {}])
        entry[1].update(dict.fromkeys(question.passages))
    kept, many, short = [], 0, 0
    for (_, kind), (text, passages) in merged.items():
        if len(passages) > _MOST_ALTERNATIVES:
            many += 1
        elif kind != "given" and any(_visible(data.passages[id_].text) < _LEAST for id_ in passages):
            short += 1
        else:
            kept.append(DomainQuestion(text=text, passages=tuple(passages), kind=kind))
    if many:
        data.notes.append(f"{many:,} questions were left out: more than {_MOST_ALTERNATIVES} passages answer each")
    if short:
        data.notes.append(f"{short:,} questions were left out: their passage has fewer than {_LEAST} characters")
    return kept


def _visible(text: str) -> int:
    return sum(not letter.isspace() for letter in text)
