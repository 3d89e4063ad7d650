"""The general profile: sentences packed to a target length, under the headings they stand below."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kure_rag.chunk.base import ChunkSettings, Passage
from kure_rag.chunk.body import Body
from kure_rag.chunk.lists import Binding
from kure_rag.chunk.markers import ANSWER, QUESTION
from kure_rag.chunk.names import ABSTRACT, NameFinder, Names
from kure_rag.chunk.sentences import Sentences
from kure_rag.types import Document

# What stands above the text of papers, reports and patents (특허법 시행규칙, form 15) without a number.
COMMON: Final = (
    Names(
        {
            "목차": ("목차", "차례"),
            "요약": ABSTRACT,
            "서론": ("서론", "머리말", "들어가며"),
            "결론": ("결론", "맺음말", "나가며", "결론 및 시사점"),
            "참고문헌": ("참고문헌", "참고자료"),
            "청구범위": ("청구범위", "특허청구범위"),
            "발명의 설명": ("발명의 설명", "발명의 상세한 설명"),
            "도면": ("도면",),
        }
    ),
    Names(
        {
            "기술분야": ("기술분야",),
            "배경기술": ("배경기술",),
            "발명의 내용": ("발명의 내용",),
            "실시 내용": ("발명을 실시하기 위한 구체적인 내용", "발명의 실시를 위한 구체적인 내용"),
            "도면의 간단한 설명": ("도면의 간단한 설명",),
            "부호의 설명": ("부호의 설명",),
        },
        patterns={"청구항": re.compile(r"청구항\s?\d{1,3}")},
        rank=20,
    ),
    Names(
        {
            "해결하려는 과제": ("해결하려는 과제", "해결하고자 하는 과제"),
            "과제의 해결 수단": ("과제의 해결 수단", "과제 해결수단"),
            "발명의 효과": ("발명의 효과",),
        },
        rank=30,
    ),
)
_QUESTIONS: Final = Names(
    {"질의응답": ("자주 묻는 질문", "자주하는 질문", "질의응답", "질의·응답", "FAQ", "Q&A")}, rank=65
)
_NAMES: Final = NameFinder((*COMMON, _QUESTIONS))
_TURN: Final = re.compile(rf"^[^\S\n]*(?:(?P<question>{QUESTION.pattern})|{ANSWER.pattern})", re.MULTILINE)
PAIRS: Final = Binding(opens=QUESTION, kind="qa")
_ANSWERED: Final = 0.6  # of the questions
_ASKED: Final = re.compile(r"[?？][\s)\]”’]*\n\s*\S")  # and something stands below it
_LONGEST_QUESTION: Final = 400


def question_binding(text: str) -> Binding:
    """Questions with their answers, where a text has them.

    It does where most lines that begin with Q. are followed by an A., or ask with a question mark and are followed by
    text.
    """
    turns = list(_TURN.finditer(text))
    ends = [turn.start() for turn in turns[1:]] + [len(text)] * bool(turns)
    questions = answered = 0
    for i, (turn, end) in enumerate(zip(turns, ends, strict=True)):
        if turn["question"] is None:
            continue
        questions += 1
        by_mark = i + 1 < len(turns) and turns[i + 1]["question"] is None
        answered += by_mark or _ASKED.search(text, turn.end(), min(end, turn.end() + _LONGEST_QUESTION)) is not None
    return PAIRS if questions and answered >= _ANSWERED * questions else Binding()


@dataclass(frozen=True, slots=True)
class General:
    """Documents of any kind.

    Lists stay with the sentence that announces them, headings and notes with what they belong to, a question and its
    answer are one passage (``kind`` ``qa``), and each table is a passage of its own (``kind`` ``table``, metadata
    ``caption``, ``unit`` and ``header``).
    """

    name: str = "general"
    version: str = "9"

    def passages(self, document: Document, sentences: Sentences, settings: ChunkSettings) -> list[Passage]:
        """See :class:`~kure_rag.chunk.base.Profile`."""
        body = Body(document, sentences, settings, question_binding(document.text))
        return [
            passage
            for section in body.sections(_NAMES, unnumbered=True)
            for passage in body.passages(section, (document.title, *section.headings))
        ]
