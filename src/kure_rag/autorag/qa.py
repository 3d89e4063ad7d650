"""Questions about an index's own passages, as AutoRAG's ``qa.parquet`` and as a BEIR-style set.

The ids in ``retrieval_gt`` are the ``doc_id`` of :func:`kure_rag.autorag.export.export_index`: chunk ids, and for
passages that were imported from a ``corpus.parquet`` the ``doc_id`` they have there. A question that several passages
answer lists them as alternatives, ``[["a", "b"]]``: finding one is right. One that more than
:data:`MOST_ALTERNATIVES` would answer says too little to test a search with, and is dropped.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from kure_rag.autorag import prompt
from kure_rag.autorag.ask import Passage, ask_all
from kure_rag.autorag.files import Table, arrow, make_folder, whole_files
from kure_rag.autorag.imported import find_imported
from kure_rag.autorag.journal import NAME as JOURNAL_NAME
from kure_rag.autorag.journal import Journal
from kure_rag.autorag.known_items import Named, named
from kure_rag.autorag.llm import ChatSettings
from kure_rag.chat.client import ChatClient
from kure_rag.errors import KureIndexError, LlmError

if TYPE_CHECKING:
    from kure_rag.pipeline import KureIndex
    from kure_rag.types import Chunk

Progress = Callable[[int, int | None, str], None]
MOST_ALTERNATIVES: Final = 5
SHORTEST_PASSAGE: Final = 50  # visible characters; a shorter passage is a heading or a scrap
_FILES: Final = ("qa.parquet", "queries.jsonl", "qrels.tsv", "corpus.jsonl")


@dataclass(frozen=True, slots=True, kw_only=True)
class QaReport:
    """What was made.

    Attributes:
        folder: Where the files are.
        questions: Rows of ``qa.parquet``.
        passages: Passages that were to be asked about.
        kept: Of those, passages that an earlier run had asked about already.
        failed: Of those, passages without an answer that could be read; the same command asks them again.
        dropped: Questions that more passages answer than a question should.
        reason: What the first failed passage failed with.
    """

    folder: Path
    questions: int
    passages: int
    kept: int = 0
    failed: int = 0
    dropped: int = 0
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        names = ("questions", "passages", "kept", "failed", "dropped", "reason")
        return {"folder": str(self.folder), **{name: getattr(self, name) for name in names}}


@dataclass(slots=True)
class _Asked:
    query: str
    passages: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)


def make_questions(
    index: KureIndex,
    out: str | Path,
    *,
    chat: ChatSettings | None = None,
    limit: int | None = None,
    per_chunk: int = 1,
    concurrency: int = 4,
    progress: Progress | None = None,
) -> QaReport:
    """Writes ``qa.parquet``, and ``queries.jsonl``, ``qrels.tsv`` and ``corpus.jsonl`` beside it.

    Args:
        index: Whose passages are asked about.
        out: A folder, made if need be. With ``chat`` it also keeps what was answered: an interrupted run goes on where
            it stopped, and a run with a larger ``limit`` asks about the further passages only. A smaller one writes the
            questions of its own passages and keeps the other answers for later.
        chat: The language model that is asked; without one, questions are made from headings, always the same.
        limit: Passages to ask about (without ``chat``: questions), spread over the whole index; all when ``None``.
        per_chunk: Questions for each passage. Headings give one.
        concurrency: Passages that are asked about at the same time.
        progress: Called with passages done, passages in all, and the name of the last.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        LlmError: The server cannot be asked. The files hold what was answered before.
        ConfigError: The folder holds answers that were made with other settings.
        KureIndexError: Not one question could be made.
        IndexPathError: The folder cannot be written.
    """
    for name, value in (("limit", limit), ("per_chunk", per_chunk), ("concurrency", concurrency)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; it must be 1 or more")
    arrow()
    folder = Path(out).expanduser()
    make_folder(folder)
    if chat is None:
        return _from_headings(index, folder, limit, progress)
    return _from_model(index, folder, chat, limit, per_chunk, concurrency, progress)


def _from_headings(index: KureIndex, folder: Path, limit: int | None, progress: Progress | None) -> QaReport:
    found: list[Named] = []
    listed = index.documents()
    for done, row in enumerate(listed, start=1):
        found += named(row.title, index.chunks(row.id))
        if progress is not None:
            progress(done, len(listed), row.source)
    fits = Counter(query for item in found for query in item.queries)
    asked: dict[str, _Asked] = {}
    dropped: set[str] = set()
    for item in found:
        query = next((query for query in item.queries if fits[query] <= MOST_ALTERNATIVES), None)
        if query is None:
            dropped.add(item.queries[-1])
            continue
        one = asked.setdefault(prompt.same(query), _Asked(query))
        one.passages.append(item.passage)
        one.answers.append(item.text)
    kept = _good(asked.values())
    lost = len(dropped) + len(asked) - len(kept)
    if limit is not None:
        chosen = set(sorted(_query_id(one.query) for one in kept)[:limit])
        kept = [one for one in kept if _query_id(one.query) in chosen]
    if not kept:
        raise KureIndexError(f"{index.path}: no passage has a heading to ask for; make questions with --llm URL")
    _write(index, folder, kept)
    return QaReport(folder=folder, questions=len(kept), passages=len(found), dropped=lost)


def _from_model(
    index: KureIndex,
    folder: Path,
    chat: ChatSettings,
    limit: int | None,
    per_chunk: int,
    concurrency: int,
    progress: Progress | None,
) -> QaReport:
    chosen = _chosen(index, limit)
    if not chosen:
        raise KureIndexError(
            f"{index.path}: no passage of {SHORTEST_PASSAGE} characters to ask about; add documents first"
        )
    reason = ""
    failed = 0
    with ChatClient(chat) as client:
        settings = {"format": 1, "model": client.model, "per_chunk": per_chunk, "prompt": prompt.VERSION}
        with Journal(folder / JOURNAL_NAME, settings) as journal:
            kept = done = len(chosen & journal.questions.keys())
            if progress is not None:
                progress(done, len(chosen), "")
            try:
                passages = _passages(index, chosen - journal.questions.keys())
                for answered in ask_all(client, passages, count=per_chunk, concurrency=concurrency):
                    if answered.error is None:
                        journal.add(answered.passage.id, answered.questions)
                    else:
                        failed += 1
                        reason = reason or str(answered.error)
                    done += 1
                    if progress is not None:
                        progress(done, len(chosen), answered.passage.title)
            finally:  # also when interrupted: what was answered makes whole files
                asked = _asked(journal, chosen)
                good = _good(asked)
                if good:
                    _write(index, folder, good)
    if not good:
        raise LlmError(
            f"{client.model} gave no question for any of {len(chosen)} passages; {reason or 'try another model'}"
        )
    return QaReport(
        folder=folder,
        questions=len(good),
        passages=len(chosen),
        kept=kept,
        failed=failed,
        dropped=len(asked) - len(good),
        reason=reason,
    )


def _chosen(index: KureIndex, limit: int | None) -> set[str]:
    """Ids of the passages to ask about.

    Ids are digests: the smallest ones are a sample of the whole index, and a larger limit keeps a smaller one's.
    """
    worth: list[str] = []
    for row in index.documents():
        worth += [
            chunk.id
            for chunk in index.chunks(row.id)
            if chunk.kind != "heading" and sum(not letter.isspace() for letter in chunk.text) >= SHORTEST_PASSAGE
        ]
    return set(sorted(worth)[:limit])


def _passages(index: KureIndex, wanted: set[str]) -> Iterator[Passage]:
    for row in index.documents():
        for chunk in index.chunks(row.id):
            if chunk.id in wanted:
                yield Passage(chunk.id, row.title, chunk.breadcrumb, chunk.pages, _with_lead(chunk))


def _asked(journal: Journal, chosen: set[str]) -> list[_Asked]:
    asked: dict[str, _Asked] = {}
    for passage, questions in journal.questions.items():
        if passage not in chosen:  # deleted since, or asked about under a larger limit
            continue
        for question in questions:
            one = asked.setdefault(prompt.same(question.text), _Asked(question.text))
            one.passages.append(passage)
            one.answers.append(question.answer)
    return list(asked.values())


def _good(asked: Iterable[_Asked]) -> list[_Asked]:
    return [one for one in asked if len(set(one.passages)) <= MOST_ALTERNATIVES]


def _query_id(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:32]


def _with_lead(chunk: Chunk) -> str:
    return f"{chunk.lead}\n{chunk.text}" if chunk.lead else chunk.text


def _write(index: KureIndex, folder: Path, asked: list[_Asked]) -> None:
    outside = find_imported(index)
    for one in asked:
        one.passages = list(dict.fromkeys(outside.ids.get(id_, id_) for id_ in one.passages))
    with whole_files(*(folder / name for name in _FILES)) as (qa, queries, qrels, corpus):
        _write_qa(qa, asked)
        with queries.open("w", encoding="utf-8") as file:
            for one in asked:
                _line(file, {"_id": _query_id(one.query), "text": one.query})
        with qrels.open("w", encoding="utf-8") as file:
            file.write("query-id\tcorpus-id\tscore\n")
            for one in asked:
                file.writelines(f"{_query_id(one.query)}\t{id_}\t1\n" for id_ in one.passages)
        with corpus.open("w", encoding="utf-8") as file:
            for row in index.documents():
                for chunk in index.chunks(row.id):
                    # Title and text together are the text that the index analysed and embedded.
                    id_, title = outside.id_of(chunk), " > ".join(chunk.breadcrumb)
                    _line(file, {"_id": id_, "title": title, "text": _with_lead(chunk)})


def _write_qa(path: Path, asked: Iterable[_Asked]) -> None:
    pa = arrow()
    columns = {
        "qid": pa.string(),
        "query": pa.string(),
        "retrieval_gt": pa.list_(pa.list_(pa.string())),
        "generation_gt": pa.list_(pa.string()),
    }
    table = Table(path, pa.schema(list(columns.items())))
    try:
        for one in asked:
            row = {
                "qid": _query_id(one.query),
                "query": one.query,
                "retrieval_gt": [one.passages],
                "generation_gt": list(dict.fromkeys(one.answers)),
            }
            table.add(row, chars=sum(map(len, one.answers)))
        table.close()
    except BaseException:
        table.abandon()
        raise


def _line(file: IO[str], value: dict[str, str]) -> None:
    file.write(json.dumps(value, ensure_ascii=False) + "\n")
