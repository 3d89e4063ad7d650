"""What of a domain is kept in the model's folder: the triplets that it learnt from, and the questions it did not."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from kure_rag.train.domain_data import DomainData
from kure_rag.train.domain_mine import CANDIDATES, TRIPLETS
from kure_rag.train.domain_split import DomainSplit

HELD: Final = "held-back"
"""A folder in BEIR's layout: the held-back questions and all passages."""


def lay_out(data: DomainData, split: DomainSplit, work: Path) -> Path:
    """Writes all of it below a folder, of which :func:`copy_to` makes a part of the model's.

    Args:
        data: Passages.
        split: Whose held-back questions.
        work: With ``triplets.jsonl`` and, if there is one, ``held-back.jsonl``.

    Returns:
        The folder.
    """
    kept = work / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    held = kept / HELD
    held.mkdir(parents=True)
    # Without a name and a time in it, so that the same documents are the same bytes.
    with (held / "corpus.jsonl.gz").open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        for passage in data.passages.values():
            file.write(_line({"_id": passage.id, "text": passage.text}).encode("utf-8"))
    _write(held / "queries.jsonl", (_line({"_id": one.id, "text": one.text}) for one in split.scored))
    judged = (f"{one.id}\t{id_}\t1\n" for one in split.scored for id_ in one.passages)
    _write(held / "qrels.tsv", ["query-id\tcorpus-id\tscore\n", *judged])
    for name in (TRIPLETS, CANDIDATES):
        if (work / name).is_file() and (work / name).stat().st_size:
            shutil.copyfile(work / name, kept / name)
    return kept


def copy_to(kept: Path | None, folder: Path) -> None:
    """Into the finished model's folder."""
    if kept is not None and kept.is_dir():
        shutil.copytree(kept, folder, dirs_exist_ok=True)


def notes_of(kept: Path, *, negatives: int, batch_size: int) -> list[str]:
    """What the card says of it, with commands that train on it as they stand.

    Args:
        kept: What :func:`lay_out` gave.
        negatives: Of each row. Other recipes want as many as their papers had, and refuse rows with fewer.
        batch_size: Rows in a step that these data can fill; theirs are for millions of rows.
    """
    same = f"--data {TRIPLETS} --dev {HELD} --negatives {negatives} --batch-size {batch_size}"
    learnt = (
        f"`{TRIPLETS}` beside this card is what was trained on, and `{HELD}/` has the held-back questions with all "
        f"passages: `kure-rag train koe5 {same} --out ../my-koe5` (or `kure`) trains and scores another model on the "
        "same. They hold text of the documents: remove them before the model goes to others"
    )
    notes = [learnt]
    if (kept / CANDIDATES).is_file():
        notes.append(
            f"`{CANDIDATES}` has candidates for the held-back questions: `kure-rag train reranker --data {TRIPLETS} "
            f"--dev {CANDIDATES} --out ../my-reranker`"
        )
    return notes


def _write(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)


def _line(row: Mapping[str, str]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
