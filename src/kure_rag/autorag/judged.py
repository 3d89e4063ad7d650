"""``qa.parquet`` and ``corpus.parquet`` as a retrieval set, to be evaluated as one in BEIR's layout is."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from kure_rag.autorag.corpus import read_autorag
from kure_rag.autorag.files import arrow
from kure_rag.errors import CorpusFormatError, ReadError, SourceNotFoundError
from kure_rag.evaluate.sets import RetrievalSet
from kure_rag.read import Record
from kure_rag.read.corpus import require_file, short

_COLUMNS: Final = ("qid", "query", "retrieval_gt")
_GROUPS: Final = 'write a list of lists, such as [["doc-1", "doc-2"], ["doc-3"]]: one of each inner list is enough'


def read_judged(qa: str | Path, corpus: str | Path | None = None) -> RetrievalSet:
    """Read questions with the passages that answer them.

    ``retrieval_gt`` is a list of groups: the question needs one passage of each, and any of a group will do. Passages
    are known by their ``doc_id``, and indexed as ``kure-rag ingest --from-autorag`` does.

    Args:
        qa: Columns ``qid``, ``query`` and ``retrieval_gt``.
        corpus: Columns ``doc_id`` and ``contents``; ``corpus.parquet`` beside ``qa`` by default.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        SourceNotFoundError: Nothing lies at one of the paths.
        CorpusFormatError: A row breaks the format; names it.
    """
    file = Path(qa).expanduser()
    require_file(file)
    passages = file.with_name("corpus.parquet") if corpus is None else Path(corpus).expanduser()
    if corpus is None and not passages.is_file():
        raise SourceNotFoundError(file.name, "no corpus.parquet beside it; name the corpus with --corpus FILE")
    require_file(passages)
    queries, groups = read_questions(file)
    qrels = {name: dict.fromkeys(sorted(frozenset().union(*of)), 1.0) for name, of in groups.items()}
    return RetrievalSet(
        name=_set_name(file),
        corpus_path=passages,
        queries=queries,
        qrels=qrels,
        groups=groups,
        files=(passages, file),
        reader=_records,
        id_key="doc_id",
    )


def read_questions(qa: str | Path) -> tuple[dict[str, str], dict[str, tuple[frozenset[str], ...]]]:
    """Read questions alone: their words, and the groups of ``doc_id`` that answer them.

    Args:
        qa: As for :func:`read_judged`.

    Returns:
        Question id → its words, and question id → groups, as :func:`read_judged` has them.

    Raises:
        MissingExtraError: The extra ``autorag`` is not installed.
        SourceNotFoundError: Nothing lies at that path.
        CorpusFormatError: A row breaks the format; names it.
    """
    file = Path(qa).expanduser()
    require_file(file)
    queries: dict[str, str] = {}
    groups: dict[str, tuple[frozenset[str], ...]] = {}
    rows: dict[str, int] = {}
    for number, row in enumerate(_rows(file), start=1):
        try:
            name, query, judged = _identifier(row["qid"], "qid"), _query(row["query"]), _groups(row["retrieval_gt"])
        except ValueError as error:
            raise CorpusFormatError(file.name, f"row {number}: {error}") from error
        if (first := rows.setdefault(name, number)) != number:
            what = f"qid {short(name)} is already in row {first}; give each question its own"
            raise CorpusFormatError(file.name, f"row {number}: {what}")
        queries[name], groups[name] = query, judged
    if not queries:
        raise CorpusFormatError(file.name, "no rows, so nothing can be scored")
    return queries, groups


def _set_name(file: Path) -> str:
    """``qa.parquet`` is named after its folder, as a BEIR set is; other files after themselves."""
    return file.resolve().parent.name if file.stem == "qa" else file.stem


def _records(path: Path) -> Iterator[Record]:
    for row in read_autorag(path):
        if not isinstance(row, Record):
            raise CorpusFormatError(path.name, f"row {row.number}: {row.reason}")
        yield row


def _rows(file: Path) -> Iterator[Mapping[str, Any]]:
    pa = arrow()
    try:
        with pa.parquet.ParquetFile(file) as opened:
            has = opened.schema_arrow.names
            missing = [name for name in _COLUMNS if name not in has]
            if missing:
                raise CorpusFormatError(
                    file.name,
                    f"no column {' and '.join(missing)} (it has {', '.join(has)}); AutoRAG's qa.parquet has qid, "
                    "query, retrieval_gt, generation_gt",
                )
            for batch in opened.iter_batches(batch_size=1000, columns=list(_COLUMNS)):
                yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise CorpusFormatError(
            file.name, "not a parquet file, or one that breaks off; give the qa.parquet that AutoRAG reads"
        ) from error
    except OSError as error:
        raise ReadError(file.name, f"cannot be read ({error.strerror or error}); check the file") from error


def _identifier(value: object, what: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"a {what} is empty or no string")
    return unicodedata.normalize("NFC", value)


def _query(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("query is empty or no string; write the question or remove the row")
    return unicodedata.normalize("NFC", value)


def _groups(value: object) -> tuple[frozenset[str], ...]:
    if not isinstance(value, list) or any(not isinstance(group, list) for group in value):
        raise ValueError(f"retrieval_gt is {short(value)}; {_GROUPS}")
    groups = [frozenset(_identifier(item, "doc_id of retrieval_gt") for item in group) for group in value]
    if not any(groups):
        raise ValueError("retrieval_gt is empty; name the passages that answer the question, or remove the row")
    return tuple(group for group in dict.fromkeys(groups) if group)
