"""The app in a real Chromium: upload, ask, click a citation, see the passage on its page; and what goes wrong."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import browsing
import pytest
from browsing import PATIENCE, Browser, served
from PIL import Image
from sample_indexes import samples_in
from support import write_pdf

from kure_rag import KureIndex
from kure_rag.samples import DEMO_QUESTIONS, sample_paths
from kure_rag.testing.chat_answers import answer_to
from kure_rag.testing.chat_server import ChatServer, Fault, chat_server

pytestmark = pytest.mark.skipif(bool(browsing.missing()), reason=browsing.missing())

LABEL, RULES, REPORT = sample_paths()
ASKED = DEMO_QUESTIONS[2].question  # the rules answer it
HIT = ".st-key-results button"
SOURCE = '[class*="st-key-source-0"] button'  # of the first answer


@dataclass
class Speaker:
    """What the stand-in says: quotations as ever, but while there is a barrier none before all have asked."""

    barrier: threading.Barrier | None = None
    said: list[str] = field(default_factory=list)

    def __call__(self, messages: Sequence[Mapping[str, Any]]) -> str:
        if self.barrier is not None:
            self.barrier.wait(PATIENCE)
        self.said.append(answer_to(messages))
        return self.said[-1]


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    return Speaker()


@pytest.fixture(scope="module")
def server(speaker: Speaker) -> Iterator[ChatServer]:
    with chat_server(api_key="right", answer=speaker) as running:
        yield running


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, server: ChatServer) -> Iterator[str]:
    """The app on an index of two of the samples."""
    folder = samples_in(tmp_path_factory.mktemp("browser") / "ix", tmp_path_factory)
    with KureIndex.open(folder, create=False) as index:
        index.delete(RULES.name)
    options = ("--files", LABEL.parent, "--llm", server.base_url, "--model", server.models[0])
    with served(folder, *options, KURE_LLM_API_KEY="right") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    opened = Browser()
    yield opened
    opened.close()


def upload(browser: Browser, *paths: Path) -> None:
    field = browser.one(".st-key-files input[type=file]")
    field.send_keys("\n".join(map(str, paths)))
    for path in paths:
        browser.until(lambda path=path: path.name in browser.one(".st-key-files").text or None, "not sent")
    browser.click('[data-testid="stSidebar"] [data-testid="stFormSubmitButton"] button')


def test_upload_ask_click_a_citation_and_see_it_marked(browser: Browser, address: str, tmp_path: Path) -> None:
    picture = tmp_path / "도장.pdf"
    Image.new("RGB", (40, 40), "red").save(picture, "PNG")
    browser.open(address)
    upload(browser, picture, RULES)
    rejected = browser.one('[data-status="rejected"]').text.splitlines()
    assert rejected[0] == "거절 도장.pdf"
    assert rejected[1].startswith("PDF 파일이 아닙니다.")
    assert rejected[2].startswith("not a PDF")
    browser.until(lambda: browser.all('[data-status="added"]') or None, "the file after it was not added")
    browser.until(lambda: not browser.all('[data-testid="stProgress"]') or None, "not stored")
    browser.ask(ASKED)
    browser.until(lambda: RULES.name in browser.one(HIT).text or None, "the first hit is another file's")
    browser.settled()
    browser.click(HIT, 1)
    browser.until(lambda: len(browser.all(".kure-mark")) == 3 or None, "the second passage has three lines")
    chips = browser.one(".kure-passage.kure-chosen .kure-chips").text
    assert "키워드" in chips
    assert "벡터" in chips
    browser.driver.execute_script("window.scrollTo(0, 0)")
    page = browser.one(".kure-page").rect
    picture = Image.open(io.BytesIO(browser.driver.get_screenshot_as_png())).convert("RGB")
    scale = browser.driver.execute_script("return window.devicePixelRatio")
    for mark in browser.marks():
        assert page["x"] <= mark["left"] < mark["left"] + mark["width"] <= page["x"] + page["width"]
        assert page["y"] <= mark["top"] < mark["top"] + mark["height"] <= page["y"] + page["height"]
        box = (mark["left"], mark["top"], mark["left"] + mark["width"], mark["top"] + mark["height"])
        inside = picture.crop(tuple(round(scale * side) for side in box))
        pixels = list(inside.get_flattened_data())
        yellow = sum(red > 200 and green > 180 and blue < 190 and blue < green - 30 for red, green, blue in pixels)
        dark = sum(max(pixel) < 130 for pixel in pixels)
        assert yellow > 0.4 * len(pixels), "the mark is not yellow"
        assert dark > 0.01 * len(pixels), "there is no print under the mark"
    scroll = "document.querySelector('[data-testid=stMain]').scrollTo(0, arguments[0])"
    browser.driver.execute_script(scroll, 300)
    top = browser.driver.execute_script("return document.querySelector('.kure-page').getBoundingClientRect().top")
    assert 0 <= top <= page["y"], "the page does not stay in sight while the passages are scrolled"
    browser.click(".st-key-next button")
    browser.one('.kure-page[data-page="3"]')
    browser.until(lambda: not browser.all(".kure-mark") or None, "the next page has nothing of it")


def links_to(browser: Browser, host: str) -> list[str]:
    found = (str(link.get_attribute("href")) for link in browser.all("a[href]"))
    return [link for link in found if host in link]


def test_a_long_file_is_read_while_another_tab_asks_and_its_name_becomes_no_link(
    browser: Browser, address: str, tmp_path: Path
) -> None:
    host = "e.kr"  # the uploader cuts longer names
    lines = [
        [
            f"제{page}조(www.{host} {page}호) 기록물은 {page}년 동안 서고에 보관한다.",
            f"서고 {page}호의 온도는 매일 기록한다.",
        ]
        for page in range(1, 201)
    ]
    long = write_pdf(tmp_path / f"www.{host} a@{host}.pdf", lines)
    first = browser.open(address)
    upload(browser, long)
    browser.until(lambda: browser.all('[data-testid="stProgress"]') or None, "no progress is shown")
    assert links_to(browser, host) == []
    browser.open(address)
    browser.ask(DEMO_QUESTIONS[5].question)
    browser.until(lambda: LABEL.name in browser.one(HIT).text or None, "the other tab has no answer")
    browser.driver.switch_to.window(first)
    browser.until(lambda: browser.all('[data-status="added"]') or None, "the long file did not come in")
    browser.until(lambda: not browser.all('[data-testid="stProgress"]') or None, "not stored")
    assert "200" in browser.one('[data-status="added"]').text
    browser.ask("서고 137호의 온도는 언제 기록하나요?")
    browser.until(lambda: long.name in browser.one(HIT).text.replace("\u2060", "") or None, "it cannot be found")
    assert browser.marks()
    assert links_to(browser, host) == []
    assert browser.one(".kure-place").text.startswith(f"{long.name} · ")
    browser.say("서고 137호의 온도는 언제 기록하나요?")
    browser.until(lambda: long.name in browser.one(SOURCE).text.replace("\u2060", "") or None, "no source")
    assert host in browser.one(HIT).get_attribute("textContent")
    assert links_to(browser, host) == []


def test_two_users_who_ask_at_once_each_get_their_own_passages_and_their_own_whole_answer(
    browser: Browser, address: str, server: ChatServer, speaker: Speaker
) -> None:
    windows = {browser.open(address, "window"): asked for asked in (DEMO_QUESTIONS[0], DEMO_QUESTIONS[5])}
    for window, asked in windows.items():
        browser.driver.switch_to.window(window)
        browser.ask(asked.question)
    for window, asked in windows.items():
        browser.driver.switch_to.window(window)
        browser.until(lambda asked=asked: asked.source in browser.one(HIT).text or None, "another window's hits")
        browser.one(f'.kure-page[data-page="{asked.page}"]')
        assert browser.marks()

    speaker.barrier = threading.Barrier(2)  # neither is answered before the other has asked
    server.fail(Fault(between_pieces=0.1), Fault(between_pieces=0.1))
    before = len(speaker.said)
    for window, asked in windows.items():
        browser.driver.switch_to.window(window)
        browser.say(asked.question)
        browser.watch_answers()
    shown: list[str] = []
    for window, asked in windows.items():
        browser.driver.switch_to.window(window)
        browser.until(lambda: browser.all(SOURCE) or None, "no sources")
        question, answer = (element.text for element in browser.all(".kure-answer"))
        assert question == asked.question
        steps = [step for step in browser.answers_seen() if step not in ("", question)]
        assert len(steps) > 3, "the answer did not come piece by piece"
        assert all(answer.startswith(step) for step in steps), "words of the other's, or an answer that began anew"
        assert asked.source in browser.one(SOURCE).text
        shown.append(answer)
    speaker.barrier = None
    assert sorted(shown) == sorted(said.strip() for said in speaker.said[before:]), "not whole"
    assert shown[0] != shown[1]

    browser.say("그 까닭을 더 자세히 알려 주세요")  # in the second window
    browser.until(
        lambda: len(browser.all(".kure-answer")) == 4 and browser.all(SOURCE.replace("-0", "-1")), "no answer"
    )
    (own, other) = (windows[window].question for window in reversed(windows))
    follow_up = "\n".join(str(message["content"]) for body in server.requests[-2:] for message in body["messages"])
    assert own in follow_up
    assert other not in follow_up
    browser.driver.switch_to.window(next(iter(windows)))
    assert len(browser.all(".kure-answer")) == 2, "what the second user asks is no matter of the first"


def test_a_chat_streams_its_answer_and_its_sources_open_pages(
    browser: Browser, address: str, server: ChatServer
) -> None:
    browser.open(address)
    browser.say(DEMO_QUESTIONS[5].question)
    browser.until(lambda: browser.all(SOURCE) or None, "no sources")
    assert browser.one(".kure-cited").text == "[1]"
    browser.settled()
    first = browser.one(".kure-page").get_attribute("data-page")
    browser.click(SOURCE, 1)
    browser.until(lambda: browser.one(".kure-page").get_attribute("data-page") != first or None, "the same page")
    assert browser.marks()
    server.fail(None, Fault(after=3, then="cut"))  # the first makes a standalone question
    browser.say("과량투여 시에는 어떻게 하나요?")
    browser.says("답이 중간에 끊겼습니다. 서버와의 연결이 끊겼습니다.")
    server.api_key = "another"
    try:
        browser.say("보관 방법은 무엇인가요?")
        browser.says("답을 받지 못했습니다. 언어 모델 서버가 API 키를 받아들이지 않습니다.")
    finally:
        server.api_key = "right"
    browser.says("check the key in KURE_LLM_API_KEY")
    assert not browser.all('.kure-detail a, [data-testid="stAlert"] a'), "a server's words became a link"
    browser.say("보관 방법은 무엇인가요?")
    browser.until(lambda: len(browser.all(".kure-answer .kure-cited")) >= 3 or None, "it does not go on")


def test_a_narrow_window_shows_the_page_of_a_citation_where_it_was_clicked(browser: Browser, address: str) -> None:
    tab = browser.open(address)
    size = browser.driver.get_window_size()
    browser.driver.set_window_size(500, 900)
    try:
        browser.ask(DEMO_QUESTIONS[5].question)
        assert browser.marks()
        browser.settled()
        height = browser.driver.execute_script("return window.innerHeight")
        header = browser.one('[data-testid="stHeader"]').rect
        assert browser.one('[data-testid="stTab"]').rect["y"] >= header["y"] + header["height"], "under the header"
        browser.until(lambda: 0 < browser.marks()[0]["top"] < height or None, "the passage is out of sight")
    finally:
        browser.driver.set_window_size(size["width"], size["height"])
        browser.driver.switch_to.window(tab)


def test_the_pages_asked_nobody_but_the_app(browser: Browser, address: str) -> None:
    if len(browser.driver.window_handles) == 1:  # else what the tests before this one opened tells more
        browser.open(address)
    asked = browser.requests()
    assert asked
    host = address.removeprefix("http://")
    assert not [url for url in asked if url.split("/")[2] != host]
