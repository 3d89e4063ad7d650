"""Natural language inference: KorNLI's tables, KLUE-NLI's JSON, and the same values as JSON lines or parquet.

- **KorNLI** (Ham et al. 2020, https://github.com/kakaobrain/kor-nlu-datasets): ``sentence1``, ``sentence2`` and
  ``gold_label``, separated by tabs; its training files ``multinli.train.ko.tsv`` and ``snli_1.0_train.ko.tsv`` and
  XNLI's two have the same columns. Quotation marks are text: readers that take them for quoting merge hundreds of its
  lines. A hypothesis that reads ``N/A`` is text as well.
- **KLUE-NLI** (Park et al. 2021, https://github.com/KLUE-benchmark/KLUE): a JSON array of objects with ``premise``,
  ``hypothesis`` and ``gold_label``.

A row whose gold label is ``-`` is one on which the annotators of SNLI did not agree: always left out, and counted.
A row with too many or too few values, an empty sentence or another label is a fault: an error, or left out and counted
with ``skip_faults``. Users of ``multinli.train.ko.tsv`` report a line whose separators are wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from kure_rag.read.corpus import short
from kure_rag.train.readers.omissions import Omissions
from kure_rag.train.readers.records import (
    LeftOutError,
    Record,
    fault,
    one_key,
    parsed,
    read_records,
    text_of,
    whole,
)
from kure_rag.train.readers.rows import NLI_LABELS, NliLabel, NliRow

PREMISE_KEYS: Final = ("premise", "sentence1")
HYPOTHESIS_KEYS: Final = ("hypothesis", "sentence2")
LABEL_KEYS: Final = ("gold_label", "label")
NLI_EXAMPLE: Final = '{"premise": "…", "hypothesis": "…", "gold_label": "entailment"}'

_NO_AGREEMENT: Final = "-"


def read_nli(path: Path, *, skip_faults: bool = False, omissions: Omissions | None = None) -> Iterator[NliRow]:
    """Stream the rows of a file, in its order.

    Args:
        path: A table with a header line, a JSON array or JSON lines (all three also gzip), or parquet.
        skip_faults: Leave faulty rows out and count them, instead of raising at the first.
        omissions: Counts what is left out; without it, that is logged as a warning at the end.

    Raises:
        SourceNotFoundError: Nothing lies at that path, or a folder does. Raised at once.
        CorpusFormatError: A row breaks the format; raised when it is reached.
    """
    records = read_records(path, example=NLI_EXAMPLE, columns=(*PREMISE_KEYS, *HYPOTHESIS_KEYS, *LABEL_KEYS))
    return parsed(path.name, records, _rows, skip_faults=skip_faults, omissions=omissions)


def _rows(name: str, place: str, record: Record) -> tuple[NliRow]:
    whole(name, place, record)
    label_key = one_key(name, place, record, LABEL_KEYS)
    label = record[label_key] if label_key else None
    if isinstance(label, str):
        label = label.strip()
    if label == _NO_AGREEMENT:
        raise LeftOutError("no gold label ('-')")
    if label not in NLI_LABELS:
        hint = ""
        if isinstance(label, int):
            hint = " (numbers stand for other labels in other sets: write the names)"
        fault(name, place, f"gold label {short(label)} is none of {', '.join(NLI_LABELS)}{hint}")
    premise = one_key(name, place, record, PREMISE_KEYS) or PREMISE_KEYS[0]
    hypothesis = one_key(name, place, record, HYPOTHESIS_KEYS) or HYPOTHESIS_KEYS[0]
    row = NliRow(
        premise=text_of(name, place, premise, record.get(premise)),
        hypothesis=text_of(name, place, hypothesis, record.get(hypothesis)),
        label=cast("NliLabel", label),
    )
    return (row,)
