"""Retrieval tasks of the mteb library: the Korean ones by name, and a folder in BEIR's layout as one more.

Needs the extra ``mteb``. Tasks of mteb's registry are downloaded from the model hub when they are first used.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import secrets
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import ConfigError, CorpusFormatError, ReadError, SourceNotFoundError
from kure_rag.evaluate.mteb_folder import folder_task, need_mteb
from kure_rag.evaluate.sets import RetrievalSet, read_set

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mteb.abstasks import AbsTaskRetrieval

KURE_TASKS: Final[tuple[str, ...]] = (
    "Ko-StrategyQA",
    "AutoRAGRetrieval",
    "MIRACLRetrieval",
    "PublicHealthQA",
    "BelebeleRetrieval",
    "MrTidyRetrieval",
    "MultiLongDocRetrieval",
    "XPQARetrieval",
)
"""The eight tasks of KURE's published tables."""

DEFAULT_TASKS: Final[tuple[str, ...]] = (*KURE_TASKS, "LawIRKo", "SQuADKorV1Retrieval")
"""What is run where no task is named."""

_LANGUAGE: Final = "kor"
_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS})
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitData:
    """One corpus of a task with its questions.

    Attributes:
        name: The task's, with the split or subset where it has several.
        corpus: mteb's data set with the columns ``id``, ``text`` and, it may be, ``title``.
        queries: Likewise with ``id`` and ``text``.
        qrels: Query id → document id → relevance.
    """

    name: str
    corpus: Any
    queries: Any
    qrels: Mapping[str, Mapping[str, int]]


def find_tasks(names: Sequence[str] = DEFAULT_TASKS) -> list[AbsTaskRetrieval]:
    """Tasks by their names, none of them loaded.

    Of a task in several languages the subsets with Korean queries on Korean documents are kept, as in KURE's tables.

    Args:
        names: Of mteb's registry, or folders in BEIR's layout (``corpus.jsonl``, ``queries.jsonl``, ``qrels.tsv``).
            A name of the registry wins; write ``./name`` for a folder that is called the same.

    Raises:
        MissingExtraError: mteb is not installed.
        ConfigError: No such task, one without Korean, one that is not about retrieval, or two of one name.
        ReadError: A folder is no retrieval set.
    """
    need_mteb()
    if not names:
        raise ConfigError("no task is named; leave --tasks out for the Korean ones")
    tasks = [_find(name) for name in names]
    twice = [name for name, count in Counter(task.metadata.name for task in tasks).items() if count > 1]
    if twice:
        raise ConfigError(
            f"two tasks are called {twice[0]}; results are kept by name, so run them into two --out folders"
        )
    return tasks


def load_task(task: AbsTaskRetrieval) -> None:
    """Reads a task's data, downloading it where it is not here yet.

    Raises:
        SourceNotFoundError: The data set cannot be reached; says which and how to get it.
        ReadError: A folder's corpus breaks its format.
    """
    try:
        task.load_data()
        task.convert_v1_dataset_format_to_v2(num_proc=None)
    except ReadError:
        raise
    except Exception as error:
        if not _is_unreachable(error):
            raise
        raise _not_available(task, error) from error


def split_data(task: AbsTaskRetrieval) -> list[SplitData]:
    """Every corpus of a loaded task, by subset and split."""
    subsets, splits = list(task.hf_subsets), list(task.eval_splits)
    found = []
    for subset in subsets:
        for split in splits:
            data = task.dataset[subset][split]
            parts = [*([subset] if len(subsets) > 1 else []), *([split] if len(splits) > 1 else [])]
            found.append(
                SplitData(
                    name=":".join([task.metadata.name, *parts]),
                    corpus=data["corpus"],
                    queries=data["queries"],
                    qrels=data["relevant_docs"],
                )
            )
    return found


def document_text(row: Any) -> str:
    """A document as mteb gives it to models: title, a space and text."""
    title = row.get("title") or ""
    return f"{title} {row['text']}".strip() if title else str(row["text"]).strip()


def query_text(row: Any) -> str:
    """A query as mteb gives it to models: its text, and its instruction after a space where it has one.

    Raises:
        CorpusFormatError: The query is a conversation, which a search index cannot be asked.
    """
    text = row["text"]
    if not isinstance(text, str):
        raise CorpusFormatError(str(row["id"]), "a query that is a conversation; only queries of one text are searched")
    instruction = row.get("instruction")
    return f"{text} {instruction}" if instruction else text


def read_mteb_task(name: str, *, cache: Path | None = None) -> RetrievalSet:
    """A task's data as a retrieval set, written once as a folder in BEIR's layout.

    Documents without any text are left out, since nothing could find them; how many is logged.

    Args:
        name: Of mteb's registry. Where a task has several splits or subsets, one of them after a colon:
            ``MultiLongDocRetrieval:test``.
        cache: Where to; ``kure-rag/mteb`` in the user's cache folder by default. What is there is not written again.

    Raises:
        MissingExtraError: mteb is not installed.
        ConfigError: No such task or part of it.
        SourceNotFoundError: The data set cannot be reached.
        CorpusFormatError: Two documents have one id, or the data breaks the format otherwise.
    """
    task_name, _, part = name.partition(":")
    (task,) = find_tasks([task_name])
    if part and part in task.eval_splits:
        task = task.filter_eval_splits([part])
    elif part and part in task.hf_subsets:
        task.hf_subsets = [part]
    elif part or len(task.eval_splits) * len(task.hf_subsets) > 1:
        parts = list(task.eval_splits if len(task.eval_splits) > 1 else task.hf_subsets)
        choices = ", ".join(f"{task_name}:{one}" for one in parts)
        raise ConfigError(f"{task_name} has several parts, name one of them: {choices}")
    known = f"{task.metadata.name}{f'-{part}' if part else ''}-{task.metadata.dataset['revision']}"[:200]
    folder = (cache or _cache_folder()) / re.sub(r"[^\w.\-]+", "-", known)
    if not folder.is_dir():
        load_task(task)
        (data,) = split_data(task)
        _write_whole(folder, data)
        task.unload_data()
    return replace(read_set(folder), name=name)


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "kure-rag" / "mteb"


def _write_whole(folder: Path, data: SplitData) -> None:
    """Writes a folder that is there complete or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    temporary.mkdir()
    try:
        lost = _write_lines(temporary / "corpus.jsonl", _documents(data))
        _write_lines(temporary / "queries.jsonl", ({"_id": str(q["id"]), "text": query_text(q)} for q in data.queries))
        lines = (f"{query}\t{id_}\t{level}\n" for query, levels in data.qrels.items() for id_, level in levels.items())
        with (temporary / "qrels.tsv").open("w", encoding="utf-8", newline="\n") as file:
            file.write("query-id\tcorpus-id\tscore\n")
            file.writelines(lines)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if lost:
        _log.warning("%s: %d documents without any text are left out", data.name, lost)


def _documents(data: SplitData) -> Iterator[dict[str, str] | None]:
    for row in data.corpus:
        title, text = row.get("title") or "", row["text"]
        yield {"_id": str(row["id"]), "title": title, "text": text} if f"{title}{text}".strip() else None


def _write_lines(path: Path, rows: Iterator[dict[str, str] | None]) -> int:
    lost = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            if row is None:
                lost += 1
            else:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return lost


def _find(name: str) -> AbsTaskRetrieval:
    import mteb
    from mteb.abstasks import AbsTaskRetrieval

    try:
        task = mteb.get_task(name, languages=[_LANGUAGE], exclusive_language_filter=True)
    except KeyError as error:  # the registry's names are case-sensitive
        if Path(name).is_dir():
            return folder_task(Path(name))
        near = re.search(r"Did you mean: '([^']+)'", str(error))
        hint = f"did you mean {near.group(1)}" if near else f"the Korean ones are {', '.join(DEFAULT_TASKS)}"
        raise ConfigError(
            f"no task of mteb's, and no folder, named {name!r}; {hint}. A set of your own is given by its folder"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{name} has no subset with Korean queries on Korean documents") from error
    if not isinstance(task, AbsTaskRetrieval):
        raise ConfigError(f"{name} is a task of {task.metadata.type}, not of retrieval; `kure-rag eval sts` is for STS")
    return task


def _is_unreachable(error: BaseException) -> bool:
    """Whether this comes of a hub, or a file of its cache, that cannot be had: whatever its libraries raise for it."""
    seen: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in seen:
        seen.append(current)
        module = type(current).__module__.partition(".")[0]
        if isinstance(current, OSError) and current.errno in _DISK:
            return False
        if isinstance(current, OSError) or module in {"huggingface_hub", "requests", "httpx"}:
            return True
        if isinstance(current, ValueError) and "Couldn't find cache" in str(current):  # of datasets, when offline
            return True
        current = current.__cause__ or current.__context__
    return False


def _not_available(task: AbsTaskRetrieval, error: BaseException) -> SourceNotFoundError:
    path, revision = task.metadata.dataset["path"], task.metadata.dataset["revision"]
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
    return SourceNotFoundError(
        task.metadata.name,
        f"its data set {path} (revision {revision}) cannot be reached: {first}. Ways on: (1) run the task once on a "
        "machine with a connection and bring its cache along, the folder that HF_HOME names (~/.cache/huggingface "
        "where it is not set); with HF_HUB_OFFLINE=1 nothing then asks the hub; (2) HF_ENDPOINT names a mirror, "
        "HF_TOKEN is your access to a gated set; (3) a set of your own in BEIR's layout is given by its folder",
    )
