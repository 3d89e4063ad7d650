"""The page as Streamlit runs it, without a browser: what it shows, and what it says when something is wrong."""

from __future__ import annotations

import html
import io
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sample_indexes import samples_in
from support import write_pdf

from kure_rag import KureIndex
from kure_rag.app.running import Running, start
from kure_rag.app.settings import AppSettings
from kure_rag.app.uploads import Upload
from kure_rag.app.words import WORDS
from kure_rag.chat import Answer
from kure_rag.ingest import IngestRow
from kure_rag.testing.chat_server import Fault, chat_server

testing = pytest.importorskip("streamlit.testing.v1", reason="the extra app is not installed")

QUESTION = "집에서 재택근무를 하고 싶으면 며칠 전에 신청해야 하나요?"
Started = Callable[..., Running]


@pytest.fixture
def started() -> Iterator[Started]:
    """Makes the parts of the app, and ends them."""
    made: list[Running] = []

    def make(index: KureIndex, **settings: object) -> Running:
        made.append(start(index, AppSettings(**settings)))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for running in made:
        running.close()


def page() -> testing.AppTest:
    from kure_rag.app.server import SCRIPT

    return testing.AppTest.from_file(str(SCRIPT), default_timeout=60).run()


def html_of(app: testing.AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def ask(app: testing.AppTest, question: str) -> testing.AppTest:
    app.text_input(key="query").input(question)
    return next(button for button in app.button if button.label in ("찾기", "Search")).click().run()


def test_an_empty_index_says_what_to_do(tmp_path: Path, started: Started) -> None:
    with KureIndex.open(tmp_path / "ix", embeddings="static-ko") as index:
        started(index)
        app = page()
    assert not app.exception
    assert [info.value for info in app.info] == ["색인이 비어 있습니다. 왼쪽에서 PDF를 올리세요."]


def test_a_question_shows_passages_and_the_page_of_the_first(
    sample_index: KureIndex, samples: Path, started: Started
) -> None:
    started(sample_index, files=(samples,))
    app = ask(page(), QUESTION)
    assert not app.exception
    shown = html_of(app)
    assert shown.count('class="kure-passage') == 6
    assert shown.count("kure-chosen") - shown.count(".kure-chosen") == 1
    assert 'data-page="2"' in shown
    assert shown.count('class="kure-mark"') >= 8
    second = app.session_state["hits"][1]
    app = app.button(key=f"hit-{second.chunk.id}").click().run()
    assert app.session_state["chosen"][0] == second.chunk
    assert html_of(app).count('class="kure-mark"') == 3
    app = app.button(key="next").click().run()
    assert 'data-page="3"' in html_of(app)
    assert 'class="kure-mark"' not in html_of(app)


def test_filters_hold_for_the_next_search(sample_index: KureIndex, started: Started) -> None:
    started(sample_index)
    app = ask(page(), "1회 복용량")
    assert {hit.domain for hit in app.session_state["hits"]} != {"finance"}
    app = app.multiselect(key="domains").select("finance").run()
    assert {hit.domain for hit in app.session_state["hits"]} == {"finance"}
    assert list(app.multiselect(key="sources").options) == ["한빛정밀_분기보고서.pdf"]


def test_without_the_file_the_text_is_shown_and_why(sample_index: KureIndex, started: Started) -> None:
    started(sample_index, language="en")
    app = ask(page(), QUESTION)
    assert "is not known" in app.info[0].value
    assert "<mark>" in html_of(app)
    assert 'class="kure-page"' not in html_of(app)


def test_a_removed_document_is_said_to_be_gone(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, started: Started
) -> None:
    with KureIndex.open(samples_in(tmp_path / "ix", tmp_path_factory), create=False) as index:
        started(index)
        app = ask(page(), QUESTION)
        index.delete("새여울재단_취업규정.pdf")
        app = app.run()
        assert [warning.value for warning in app.warning] == [
            "이 문서는 그 사이에 색인에서 지워졌습니다. 다시 찾아 보세요."
        ]


def test_an_upload_is_shown_until_it_is_in_the_index(tmp_path: Path, samples: Path, started: Started) -> None:
    with KureIndex.open(tmp_path / "ix", embeddings="static-ko") as index:
        running = started(index)
        app = page()
        upload = running.uploads.add(
            [
                ("규정.pdf", io.BytesIO((samples / "새여울재단_취업규정.pdf").read_bytes())),
                ("<b>사진</b>.pdf", io.BytesIO(b"GIF89a")),
            ]
        )
        app.session_state["uploads"] = [upload]
        app = app.run()
        assert not app.exception
        done = threading.Event()
        while not upload.over:
            done.wait(0.1)
        app = app.run()
        shown = html_of(app)
        assert 'data-status="added"' in shown
        assert 'data-status="rejected"' in shown
        assert "<b>사진" not in shown
        assert app.multiselect(key="sources").options == ["규정.pdf"]
        app = ask(app, QUESTION)
        assert 'class="kure-mark"' in html_of(app), "the page of an upload can be shown"


def test_an_answer_comes_with_sources_to_click_on(sample_index: KureIndex, samples: Path, started: Started) -> None:
    with chat_server() as server:
        started(sample_index, files=(samples,), llm=server.base_url, model=server.models[0])
        app = page()
        app = app.chat_input(key="question").set_value(QUESTION).run()
        assert not app.exception
        assert [message.name for message in app.chat_message] == ["user", "assistant"]
        (answer,) = app.session_state["answers"]
        assert answer.complete
        assert answer.cited
        assert 'class="kure-mark"' in html_of(app), "the first source's page is open"
        app = app.button(key=f"source-0-{answer.cited[-1].number}").click().run()
        assert app.session_state["chosen"][0] == answer.cited[-1].hit.chunk
        app = app.chat_input(key="question").set_value("그것을 거절할 수 있는 경우는요?").run()
        assert len(app.session_state["answers"]) == 2
        assert app.session_state["answers"][1].query != "그것을 거절할 수 있는 경우는요?", "a follow-up stands alone"
        app = app.button(key="new_chat").click().run()
        assert not app.chat_message


@pytest.mark.parametrize(
    ("faults", "told", "said"),
    [
        ([Fault(status=401, message="wrong key")], "언어 모델 서버가 API 키를 받아들이지 않습니다", "wrong key"),
        ([Fault(status=500, message="broken")] * 3, "언어 모델 서버가 바쁘거나 고장입니다", "HTTP 500"),
    ],
)
def test_a_server_that_refuses_is_quoted_and_the_next_question_is_answered(
    sample_index: KureIndex, started: Started, faults: list[Fault], told: str, said: str
) -> None:
    with chat_server() as server:
        started(sample_index, llm=server.base_url, model=server.models[0])
        app = page()
        server.fail(*faults)
        app = app.chat_input(key="question").set_value(QUESTION).run()
        assert not app.exception
        assert app.error[0].value.startswith(f"**답을 받지 못했습니다.** {told}")
        assert said in details(app)
        app = app.chat_input(key="question").set_value(QUESTION).run()
        assert not app.error
        assert len(app.session_state["answers"]) == 1


def test_an_answer_that_breaks_off_stays_and_is_said_to_be_cut(sample_index: KureIndex, started: Started) -> None:
    with chat_server() as server:
        started(sample_index, llm=server.base_url, model=server.models[0])
        app = page()
        server.fail(Fault(after=4, then="cut"))
        app = app.chat_input(key="question").set_value(QUESTION).run()
        (answer,) = app.session_state["answers"]
        assert answer.text
        assert not answer.complete
        assert app.warning[0].value.startswith("**답이 중간에 끊겼습니다.** 서버와의 연결이 끊겼습니다")
        assert "the answer broke off" in details(app)


def test_an_unreachable_server_is_named_and_searching_goes_on(sample_index: KureIndex, started: Started) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        started(sample_index, llm=f"http://{address}/v1", model="qwen3")
        app = page()
        app = app.chat_input(key="question").set_value(QUESTION).run()
        assert not app.exception
        assert app.error[0].value.startswith("**답을 받지 못했습니다.** 언어 모델 서버에 연결할 수 없습니다")
        assert address in details(app)
        app = ask(app, QUESTION)
        assert app.session_state["hits"]
        assert "답을 받지 못했습니다" in app.error[0].value, "another click does not take it away"
        assert QUESTION in html_of_chat(app)


def test_a_question_without_an_answer_stays_with_its_problem_and_can_be_asked_again(
    sample_index: KureIndex, started: Started
) -> None:
    other = "연차휴가는 며칠인가요?"
    with chat_server() as server:
        started(sample_index, llm=server.base_url, model=server.models[0])
        app = page()
        server.fail(Fault(status=401, message="![열쇠](http://evil.example) 틀림"))
        app = app.chat_input(key="question").set_value(QUESTION).run()
        app = app.chat_input(key="question").set_value(other).run()
        assert [turn.question for turn in app.session_state["answers"]] == [QUESTION, other]
        assert [bool(turn.text) for turn in app.session_state["answers"]] == [False, True]
        assert len(app.error) == 1
        assert "![열쇠](http://evil.example) 틀림" in details(app), "as the server said it, and as no Markdown"
        assert "열쇠" not in app.error[0].value
        assert len(server.requests) == 2, "what was not answered is no turn of the conversation"
        app = app.button(key="again-0").click().run()
        assert not app.exception
        assert not app.error
        assert [turn.question for turn in app.session_state["answers"]] == [other, QUESTION]
        assert all(turn.text for turn in app.session_state["answers"])


def test_an_answer_of_thoughts_alone_is_said_to_be_none(sample_index: KureIndex, started: Started) -> None:
    with chat_server(answer=lambda _: "<think>음</think>") as server:
        started(sample_index, llm=server.base_url, model=server.models[0])
        app = page().chat_input(key="question").set_value(QUESTION).run()
        assert not app.exception
        assert "언어 모델이 빈 답을 보냈습니다" in app.error[0].value
        assert "thoughts" in details(app)
        assert QUESTION in html_of_chat(app)


def test_two_chats_at_once_are_answered_at_once_and_know_nothing_of_each_other(
    sample_index: KureIndex, started: Started
) -> None:
    questions = (QUESTION, "연차휴가는 며칠인가요?")
    both = threading.Barrier(2)

    def say(messages: Sequence[Mapping[str, Any]]) -> str:
        if len(messages) == 2 and "<대화>" not in messages[1]["content"]:
            both.wait(30)  # neither first question is answered before the other was asked
        return f"{messages[-1]['content'].rpartition('질문: ')[2]} [1]"

    made: list[list[str]] = [[], []]
    with chat_server(answer=say) as server:
        running = started(sample_index, llm=server.base_url, model=server.models[0])

        def chat(number: int) -> None:
            history: list[Answer] = []
            for question in (questions[number], f"{questions[number]} 자세히"):
                stream = running.bot().stream(question, history)
                made[number].append("".join(stream))
                history.append(stream.answer)

        threads = [threading.Thread(target=chat, args=(number,), daemon=True) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        bodies = ["\n".join(str(message["content"]) for message in body["messages"]) for body in server.requests]
    assert len(bodies) == 6, "two answers and one standalone question each"
    assert [made[number][0] for number in range(2)] == [f"{question} [1]" for question in questions]
    assert all(len(answers) == 2 for answers in made)
    for own, other in (questions, questions[::-1]):
        assert sum(f"질문: {own}" in body and other not in body for body in bodies) == 3


def test_nothing_of_a_document_stands_where_markdown_would_make_a_link_of_it(tmp_path: Path, started: Started) -> None:
    name = "www.evil-example.com a@evil-example.com.pdf"
    write_pdf(tmp_path / name, [["제1조(www.evil-example.com) 연차휴가는 https://evil-example.com 에서 신청한다."]])
    with (
        KureIndex.open(tmp_path / "www.evil-example.com", embeddings="static-ko") as index,
        chat_server(answer=lambda _: "https://evil-example.com 에서 신청합니다 [1].") as server,
    ):
        index.add_paths([tmp_path / name], workers=1)
        started(index, files=(tmp_path,), llm=server.base_url, model=server.models[0])
        app = ask(page(), "연차휴가는 어디에서 신청하나요?")
        app = app.chat_input(key="question").set_value("연차휴가는 어디에서 신청하나요?").run()
        app.session_state["uploads"] = [Upload(names=(name,), state="reading", began=1.0)]
        app = app.run()
    assert not app.exception
    kinds = ("markdown", "caption", "info", "warning", "error", "success", "title", "header", "subheader", "progress")
    said = [str(element.proto) for kind in kinds for element in app.get(kind)]
    assert said
    assert not [words for words in said if "evil" in words]
    shown = html_of(app)
    for place in ("place", "step", "title", "text", "answer"):
        assert re.search(rf'<div class="kure-{place}"[^>]*>[^\n]*evil-example', shown), place
    labels = [button.label for button in app.button if "evil" in button.label]
    assert len(labels) == 2, "a hit's and a source's"
    assert not [label for label in labels if re.search(r"www\\?\.|@\w|\\?:\\?//", label)]


class Both(list[str]):
    """Names of models that are listed only once two have asked for them."""

    def __init__(self, *names: str) -> None:
        super().__init__(names)
        self.asked = threading.Barrier(2)

    def __iter__(self) -> Iterator[str]:
        self.asked.wait(30)
        return super().__iter__()


def test_a_server_that_takes_its_time_to_name_its_model_keeps_no_other_user_waiting(
    sample_index: KureIndex, started: Started
) -> None:
    bots: list[object] = []
    with chat_server() as server:
        server.models = Both("stand-in")
        running = started(sample_index, llm=server.base_url)
        threads = [threading.Thread(target=lambda: bots.append(running.bot()), daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(bots) == 2, "the second did not ask before the first had its answer"
        assert bots[0] is bots[1] is running.bot()
        assert running.bot().model == "stand-in"


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_hostile_name_of_an_upload_is_shown_as_it_is(
    sample_index: KureIndex, started: Started, language: str
) -> None:
    name = "![x](http://evil.example/p.png).pdf"
    running = started(sample_index, language=language)
    reading = Upload(names=(name,), state="reading", began=1.0)
    failed = Upload(names=(name,), state="failed", error=f"{name}: [고장](http://evil.example)")
    app = page()
    app.session_state["uploads"] = [reading, failed]
    app = app.run()
    assert not app.exception
    (bar,) = app.get("progress")
    (problem,) = app.error
    assert not bar.proto.text
    (step,) = re.findall(r'<div class="kure-step">(.*)</div>', html_of(app))
    assert html.unescape(step).endswith(f" · {name}")
    assert "](" not in problem.value
    assert "http://" not in problem.value
    assert f"{name}: [고장](http://evil.example)" in details(app), "as it is, and as no Markdown"
    assert running.uploads


@pytest.mark.parametrize(
    ("language", "told"),
    [("ko", ["비밀번호로 잠긴 PDF입니다. 비밀번호 없이 저장한 사본을 올리세요."]), ("en", [])],
)
def test_a_rejected_file_has_its_reason_in_the_pages_language_and_as_the_reader_said_it(
    sample_index: KureIndex, started: Started, language: str, told: list[str]
) -> None:
    started(sample_index, language=language)
    reason = "encrypted with a password; save a copy without the password and ingest that"
    done = Upload(
        names=("계약.pdf",), state="done", rows=[IngestRow(source="계약.pdf", status="rejected", reason=reason)]
    )
    full = Upload(names=("큰 파일.pdf",), state="failed", error="[Errno 28] No space left on device")
    app = page()
    app.session_state["uploads"] = [done, full]
    app = app.run()
    assert not app.exception
    (row,) = re.findall(r'<div class="kure-bad" data-status="rejected">(.*)</div></div>', html_of(app))
    first, *lines = re.sub(r"</?b>|</div>", "", row).split("<div ")
    assert first.split() == [WORDS[language]["rejected"], "계약.pdf"]  # type: ignore[index]
    assert [line.partition(">")[2] for line in lines] == [*told, reason]
    assert ("디스크에 남은 자리가 없습니다" in app.error[0].value) == (language == "ko")
    assert details(app) == "[Errno 28] No space left on device"


def details(app: testing.AppTest) -> str:
    """What stands beneath problems: the words of whoever found them."""
    begin, end = '<div class="kure-detail">', "</div>"
    bodies = (element.proto.body for element in app.get("html"))
    return "\n".join(
        html.unescape(body.removeprefix(begin).removesuffix(end)) for body in bodies if body.startswith(begin)
    )


def html_of_chat(app: testing.AppTest) -> str:
    return "\n".join(element.proto.body for message in app.chat_message for element in message.get("html"))
