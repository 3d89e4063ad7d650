"""Readers of training data: each streams validated rows, and names the file and the line of what is wrong.

::

    for row in read_nli(Path("multinli.train.ko.tsv")):     # NliRow(premise=…, hypothesis=…, label="entailment")
        …
    found = find_training_files(Path("kor-nlu-datasets/KorNLI"), want=("nli",))   # never its dev and test files
    data = as_dataset(rows, ("premise", "hypothesis"), cache=work / "nli")        # datasets.Dataset on disk

Every reader takes ``skip_faults=True`` (leave faulty rows out and count them) and
``omissions=Omissions()`` (ask it what was left out; without it, that is logged).
"""

from kure_rag.train.readers.bitext import read_bitext
from kure_rag.train.readers.checks import (
    check_batch,
    check_labels,
    check_lengths,
    check_rows,
    check_scores,
    count_duplicates,
)
from kure_rag.train.readers.dataset import as_dataset
from kure_rag.train.readers.detect import Kind, detect_kind
from kure_rag.train.readers.documents import read_articles
from kure_rag.train.readers.msmarco import read_judged_triplets, read_msmarco
from kure_rag.train.readers.nli import read_nli
from kure_rag.train.readers.omissions import Omissions
from kure_rag.train.readers.rows import (
    NLI_LABELS,
    Article,
    LabelledPair,
    NliLabel,
    NliRow,
    Parallel,
    Row,
    StsPair,
    Triplet,
    texts_of,
)
from kure_rag.train.readers.sts import read_sts
from kure_rag.train.readers.training_files import find_training_files, read_training_data, read_training_file
from kure_rag.train.readers.triplets import pairs_of_triplets, read_labelled_pairs, read_triplets

__all__ = [
    "NLI_LABELS",
    "Article",
    "Kind",
    "LabelledPair",
    "NliLabel",
    "NliRow",
    "Omissions",
    "Parallel",
    "Row",
    "StsPair",
    "Triplet",
    "as_dataset",
    "check_batch",
    "check_labels",
    "check_lengths",
    "check_rows",
    "check_scores",
    "count_duplicates",
    "detect_kind",
    "find_training_files",
    "pairs_of_triplets",
    "read_articles",
    "read_bitext",
    "read_judged_triplets",
    "read_labelled_pairs",
    "read_msmarco",
    "read_nli",
    "read_sts",
    "read_training_data",
    "read_training_file",
    "read_triplets",
    "texts_of",
]
