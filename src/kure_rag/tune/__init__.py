"""Settings searched on one's own questions, and confirmed on others.

::

    index = KureIndex.open("my-index")
    report = tune(index, "qa/qa.parquet")               # from `kure-rag qa`, or AutoRAG's own
    report.write_config(Path("kure-rag.yaml"))
    KureIndex.open("my-index", config="kure-rag.yaml")

Needs the extras ``autorag`` and ``eval``: ``pip install "kure-rag[autorag,eval]"``.
"""

from kure_rag.tune.confirm import Confirmation, confirm, questions_needed
from kure_rag.tune.gold import Question, Span
from kure_rag.tune.grid import STAGES, Grid, Setting
from kure_rag.tune.questions import read_gold
from kure_rag.tune.report import Half, Outcome, Trial, TuneReport
from kure_rag.tune.search import TuneSettings, present_setting, split, tune

__all__ = [
    "STAGES",
    "Confirmation",
    "Grid",
    "Half",
    "Outcome",
    "Question",
    "Setting",
    "Span",
    "Trial",
    "TuneReport",
    "TuneSettings",
    "confirm",
    "present_setting",
    "questions_needed",
    "read_gold",
    "split",
    "tune",
]
