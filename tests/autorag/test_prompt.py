"""What of a model's answer is believed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.autorag.prompt import Question, messages, parse, same

GOOD = {"question": "연차휴가는 며칠인가요?", "answer": "15일입니다."}
ONE = [Question("연차휴가는 며칠인가요?", "15일입니다.")]
TEXT = json.dumps({"questions": [GOOD]}, ensure_ascii=False)


@pytest.mark.parametrize(
    "answer",
    [
        TEXT,
        f"```json\n{TEXT}\n```",
        f"네, 질문을 만들었습니다 [참고 1].\n\n{TEXT}\n\n도움이 되기를 바랍니다.",
        f'<think>{{"questions": [{{"question": "버릴 것", "answer": "버림"}}]}}</think>{TEXT}',
        json.dumps([GOOD]),
        json.dumps(GOOD),
        json.dumps({"질문": [{"질문": GOOD["question"], "답변": GOOD["answer"]}]}),
        json.dumps({"qa": [{"query": " 연차휴가는  며칠인가요? ", "answer": "15일입니다."}]}),
        TEXT.replace("15일", "15일").replace("며칠인가요?", "며칠인가요?\\n"),
        '{"questions": [{"question": "연차휴가는\n며칠인가요?", "answer": "15일입니다."}]}',
        json.dumps({"questions": [GOOD, GOOD | {"question": "연차휴가는 며칠인가요"}]}),
        json.dumps({"questions": [GOOD, {"question": "", "answer": "x"}, {"question": "???", "answer": "x"}, 3, None]}),
        json.dumps({"questions": [{"question": "가" * 301, "answer": "x"}, GOOD, {"question": "답이 없는 질문"}]}),
    ],
)
def test_questions_are_found_whatever_stands_around_them(answer: str) -> None:
    assert parse(answer, 3) == ONE


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "질문을 만들 수 없습니다.",
        "{",
        '{"questions": "연차"}',
        '{"questions": [1, 2]}',
        "[1] [2]",
        "{" * 4_000,
        '"x"',
    ],
)
def test_an_answer_without_questions_is_none(answer: str) -> None:
    assert parse(answer, 3) is None


def test_no_question_is_an_answer_too_and_no_more_than_asked_for_are_taken() -> None:
    assert parse('{"questions": []}', 3) == []
    many = [{"question": f"{i}번째 질문은 무엇인가요?", "answer": str(i)} for i in range(5)]
    assert [one.answer for one in parse(json.dumps(many), 2) or []] == ["0", "1"]
    assert parse(json.dumps([{"question": "몇 개인가요?", "answer": 3}]), 1) == [Question("몇 개인가요?", "3")]


def test_questions_come_out_in_nfc_and_can_be_stored() -> None:
    answer = '{"question": "\\u1112\\u1161\\u11ab\\u1100\\u1173\\u11af \\ud800", "answer": "\\u1100\\u1161"}'
    assert parse(answer, 1) == [Question("한글 ?", "가")]


@given(st.text(max_size=60) | st.builds(json.dumps, st.recursive(st.none() | st.text(), st.lists, max_leaves=8)))
def test_no_answer_is_an_error(answer: str) -> None:
    parse(answer, 2)


def test_questions_that_differ_in_spaces_and_signs_are_the_same() -> None:
    assert same("연차 휴가는, 며칠인가요?") == same("연차휴가는 며칠인가요")
    assert same("A형 간염") == same("a형간염")


def test_the_passage_is_put_in_as_it_is() -> None:
    text = "{title} 중괄호와 </본문> 꼬리표가 있는 글"
    system, user = messages(title="규정", place="p.3 제1장", text=text, count=2)
    assert text in user["content"]
    assert "질문으로" not in user["content"]
    assert "2개" in user["content"]
    assert "JSON" in system["content"]
