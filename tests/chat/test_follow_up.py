"""The rule for follow-ups and the threshold for answers, on dialogues about the sample documents."""

from __future__ import annotations

from collections.abc import Sequence

from dialogues import ELSEWHERE, FOLLOWING, NEW

from kure_rag import KureIndex
from kure_rag.chat import Answer, Chatbot
from kure_rag.chat.follow_up import joined
from kure_rag.samples import DEMO_QUESTIONS

Dialogues = Sequence[tuple[str, str, str]]


def said(question: str, query: str | None = None) -> Answer:
    return Answer(question=question, query=query or question, text="…")


def places(index: KureIndex, dialogues: Dialogues, *, rule: bool) -> list[int]:
    """The place among the first five of the passage meant, 6 where it is none of them."""
    queries = [joined(second, [said(first)]) if rule else second for first, second, _ in dialogues]
    found = index.search_batch(queries, k=5)
    crumbs = [[(hit.chunk.breadcrumb or ("",))[-1] for hit in hits] for hits in found]
    return [
        next((place for place, crumb in enumerate(row, 1) if wanted in crumb), 6)
        for row, (_, _, wanted) in zip(crumbs, dialogues, strict=True)
    ]


def test_follow_ups_are_found_more_often_with_the_question_before_them(samples: KureIndex) -> None:
    alone, by_rule = (places(samples, FOLLOWING, rule=rule) for rule in (False, True))
    assert (alone.count(1), sum(place < 6 for place in alone)) == (19, 22)
    assert (by_rule.count(1), sum(place < 6 for place in by_rule)) == (21, 23)


def test_questions_about_something_new_lose_little(samples: KureIndex) -> None:
    alone, by_rule = (places(samples, NEW, rule=rule) for rule in (False, True))
    assert alone == [1] * 10
    assert by_rule == [1] * 10


def test_the_threshold_refuses_half_of_what_is_elsewhere_and_hardly_anything_that_is_told(samples: KureIndex) -> None:
    bot = Chatbot(samples)
    told = {first for first, _, _ in FOLLOWING} | {second for _, second, _ in NEW}
    told |= {demo.question for demo in DEMO_QUESTIONS}
    assert len(told) == 36
    assert [question for question in told if not bot.ask(question).found] == []
    assert sum(not bot.ask(question).found for question in ELSEWHERE) == 10


def test_the_rule_joins_the_last_question_that_stood_for_itself() -> None:
    first = said("연차휴가는 며칠인가요?")
    second = said("이월은요?", "연차휴가는 며칠인가요? 이월은요?")
    assert joined("신청은?", [first, second]) == "연차휴가는 며칠인가요? 신청은?"
    assert joined("신청은?", []) == "신청은?"
    whole = "출장 숙박비 상한액은 광역시에서 얼마인가요?"
    assert joined(whole, [first]) == whole
