"""Hard negatives: passages that a search takes for the answer, and that are none.

::

    questions = questions_of_set(read_set(Path("my-set")))   # or read_pairs(Path("pairs.jsonl"))
    report = mine(index, questions, Path("triplets.jsonl"), MineSettings(negatives=5))
    for row in read_triplets(Path("triplets.jsonl")): ...    # {"query": …, "positive": …, "negatives": […], …}

The passages that a model ranks high and that do not answer teach it most, and some of them do answer: nobody has judged
them. A margin below the positive's own score keeps those out, as NV-Retriever does (Moreira et al. 2024,
"NV-Retriever: Improving text embedding models with effective hard-negative mining", arXiv 2407.15831).
"""

from kure_rag.train.mine.mine import mine
from kure_rag.train.mine.questions import Passage, Question, questions_of_set, read_pairs, records_of_pairs
from kure_rag.train.mine.report import MineReport
from kure_rag.train.mine.search import MineIndex
from kure_rag.train.mine.settings import Margin, MineSettings
from kure_rag.train.mine.write import read_triplets

__all__ = [
    "Margin",
    "MineIndex",
    "MineReport",
    "MineSettings",
    "Passage",
    "Question",
    "mine",
    "questions_of_set",
    "read_pairs",
    "read_triplets",
    "records_of_pairs",
]
