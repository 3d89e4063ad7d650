"""A real browser without a window, and the app as a user starts it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest

T = TypeVar("T")
REQUIRE = "KURE_RAG_REQUIRE_BROWSER"
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
DRIVER = shutil.which("chromedriver")
PATIENCE = 90  # seconds: a slow machine, not a wish


def missing() -> str:
    """Why no browser can be driven here; empty where one can."""
    try:
        import selenium  # noqa: F401
        import streamlit  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed"
    if CHROMIUM is None or DRIVER is None:
        return "no chromium with chromedriver; apt-get install chromium chromium-driver"
    return ""


def fail_where_required(item: pytest.Item) -> None:
    """A test that would skip for want of a browser fails where one must be there: for a conftest's runtest_setup."""
    if os.environ.get(REQUIRE, "") in ("", "0"):
        return
    why = missing()
    if why and any(mark.kwargs.get("reason") == why for mark in item.iter_markers("skipif")):
        pytest.fail(f"{why}; {REQUIRE} says that it must be there", pytrace=False)


def served(index: Path, *options: str | Path, **environment: str) -> AbstractContextManager[str]:
    """``kure-rag app`` on an index, as :func:`served_by` serves it."""
    return served_by("app", "--index", index, *options, **environment)


@contextmanager
def served_by(name: str, *options: str | Path, **environment: str) -> Iterator[str]:
    """A command with a page, in a process of its own, stopped by Ctrl-C; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "kure_rag", name, "--port", port, *map(str, options)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment}
    )
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if "server started" in line:
                break
        else:
            raise AssertionError(f"{name} did not start: {said}")
        yield f"http://127.0.0.1:{port}"
        assert process.poll() is None, f"{name} went down"
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode in (0, 130), f"{name} ended with {process.returncode}"


_WATCH = """
window.kureSeen = [];
new MutationObserver(() => {
  const said = [...document.querySelectorAll('.kure-answer')].at(-1)?.innerText ?? '';
  if (said !== (window.kureSeen.at(-1) ?? '')) window.kureSeen.push(said);
}).observe(document.body, {subtree: true, childList: true, characterData: true});
"""


class Browser:
    """One window; a tab for each :meth:`open`."""

    def __init__(self, scale: float = 1.0) -> None:
        from selenium import webdriver

        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for argument in (
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--window-size=1440,1060",
            "--lang=ko",
            f"--force-device-scale-factor={scale}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))

    def open(self, address: str, kind: Literal["tab", "window"] = "tab") -> str:
        """A new tab or window on an address; gives its handle."""
        self.driver.switch_to.new_window(kind)
        self.driver.get(address)
        self.one(".st-key-query input, .st-key-files")
        return str(self.driver.current_window_handle)

    def until(self, look: Callable[[], T | None], what: str) -> T:
        """What ``look`` gives, once it gives something; what was drawn anew meanwhile is looked for again."""
        from selenium.common.exceptions import StaleElementReferenceException, TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        waiting = WebDriverWait(self.driver, PATIENCE, 0.1, ignored_exceptions=[StaleElementReferenceException])
        try:
            found: T = waiting.until(lambda _: look())
        except TimeoutException:
            raise AssertionError(f"{what}; the page says: {self.text()[-2500:]}") from None
        return found

    def all(self, selector: str) -> list[Any]:
        """All elements of a CSS selector."""
        from selenium.webdriver.common.by import By

        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def one(self, selector: str) -> Any:
        """The first, once it is there."""
        return self.until(lambda: next(iter(self.all(selector)), None), f"no {selector}")

    def settled(self) -> None:
        """Waits until the script has run to its end: what stands on the page belongs together."""
        self.one('[data-testid="stApp"][data-test-script-state="notRunning"]')

    def text(self) -> str:
        """What the page says."""
        return str(self.driver.execute_script("return document.body.innerText"))

    def says(self, words: str) -> None:
        """Waits until the page says it."""
        self.until(lambda: words in self.text() or None, f"{words!r} is not on the page")

    def click(self, selector: str, number: int = 0) -> None:
        """Clicks, once it is there."""
        self.until(lambda: self._clicked(selector, number), f"no {selector} to click on")

    def _clicked(self, selector: str, number: int) -> bool | None:
        found = self.all(selector)
        if len(found) <= number:
            return None
        self.driver.execute_script(
            "arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", found[number]
        )
        return True

    def ask(self, question: str) -> None:
        """Types a question and presses Enter."""
        from selenium.webdriver.common.keys import Keys

        self.settled()
        field = self.one(".st-key-query input")
        field.send_keys(Keys.CONTROL + "a")
        field.send_keys(question, Keys.ENTER)

    def say(self, question: str) -> None:
        """Types a question into the chat and presses Enter."""
        from selenium.webdriver.common.keys import Keys

        self.click('[data-testid="stTab"]', 1)
        self.settled()
        field = self.until(
            lambda: next((field for field in self.all(".st-key-question textarea") if field.is_displayed()), None),
            "no chat",
        )
        field.send_keys(question, Keys.ENTER)

    def watch_answers(self) -> None:
        """From now on the page keeps what the last answer said each time it changed; see :meth:`answers_seen`."""
        self.driver.execute_script(_WATCH)

    def answers_seen(self) -> list[str]:
        """What the last answer said, one entry for each change."""
        return list(self.driver.execute_script("return window.kureSeen"))

    def marks(self) -> list[dict[str, float]]:
        """Boxes over the page's picture, in pixels of the window, once there are any."""
        script = (
            "return [...document.querySelectorAll('.kure-mark')].map(e => {const r = e.getBoundingClientRect();"
            "return {left: r.left, top: r.top, width: r.width, height: r.height}})"
        )
        found: list[dict[str, float]] = self.until(lambda: self.driver.execute_script(script), "nothing is marked")
        return found

    def requests(self) -> list[str]:
        """Addresses that pages asked for since the last call, those of the browser itself and of data aside."""
        found = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = message["params"]["request"]["url"]
            elif message["method"] == "Network.webSocketCreated":
                url = message["params"]["url"]
            else:
                continue
            if not re.match(r"data:|blob:|chrome|about:", url):
                found.append(url)
        return found

    def close(self) -> None:
        """Ends it."""
        self.driver.quit()
