"""AutoRAG's files: a corpus out of an index and into one, questions for an evaluation, and its way to configure.

The formats are those of AutoRAG 0.3.27, which itself is never needed.

Needs the extra ``autorag``: ``pip install "kure-rag[autorag]"``.
"""

from kure_rag.autorag.corpus import BadRow, add_autorag, read_autorag
from kure_rag.autorag.export import ExportReport, export_index
from kure_rag.autorag.judged import read_judged, read_questions
from kure_rag.autorag.llm import ChatSettings
from kure_rag.autorag.qa import QaReport, make_questions
from kure_rag.autorag.recipe import Recipe, read_recipe

__all__ = [
    "BadRow",
    "ChatSettings",
    "ExportReport",
    "QaReport",
    "Recipe",
    "add_autorag",
    "export_index",
    "make_questions",
    "read_autorag",
    "read_judged",
    "read_questions",
    "read_recipe",
]
