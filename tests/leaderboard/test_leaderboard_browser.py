"""The leaderboard in a real browser: served, and as a file. One browser, one server, for all of it."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from app import browsing
from app.browsing import Browser, served_by
from leaderboard_runs import COMPANY, save_run

from kure_rag.leaderboard import AVERAGE, make_board, published_entries, write_html

pytestmark = pytest.mark.skipif(bool(browsing.missing()), reason=browsing.missing())

CELLS = """
return [...document.querySelectorAll('.st-key-table-0 canvas [role=gridcell]')].map(
    cell => [...cell.id.matchAll(/\\d+/g)].map(Number).concat(cell.textContent))
"""
OWN = "kure-rag/static-ko (hybrid)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, Path]]:
    """A browser, and where its downloads go."""
    downloads = tmp_path_factory.mktemp("downloads")
    opened = Browser()
    where = {"behavior": "allow", "downloadPath": str(downloads)}
    opened.driver.execute_cdp_cmd("Browser.setDownloadBehavior", where)
    yield opened, downloads
    opened.close()


def table(browser: Browser) -> list[list[str]]:
    """The cells of Streamlit's main table, which it draws on a canvas with a table for screen readers inside."""
    rows: dict[int, list[str]] = {}
    for _, row, text in browser.driver.execute_script(CELLS):
        rows.setdefault(row, []).append(text)
    return [rows[number] for number in sorted(rows)]


def click_heading(browser: Browser, right: int) -> None:
    """Clicks a heading of the canvas, so many pixels from its left."""
    from selenium.webdriver import ActionChains

    grid = browser.one(".st-key-table-0 canvas")
    browser.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", grid)
    place = browser.driver.execute_script("return arguments[0].getBoundingClientRect().toJSON()", grid)
    actions = ActionChains(browser.driver)
    actions.w3c_actions.pointer_action.move_to_location(int(place["left"]) + right, int(place["top"]) + 17)
    actions.w3c_actions.pointer_action.click()
    actions.perform()


def downloaded(folder: Path, ending: str) -> list[dict[str, str]]:
    deadline = time.monotonic() + browsing.PATIENCE
    while not (found := [path for path in folder.iterdir() if path.name.endswith(ending)]):
        assert time.monotonic() < deadline, f"no {ending} among {[path.name for path in folder.iterdir()]}"
        time.sleep(0.05)
    with found[0].open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def published(metric: str, k: int) -> dict[str, float]:
    return {entry.label: entry.value(AVERAGE, metric, k) or 0.0 for entry in published_entries()}


def test_served_it_shows_what_is_chosen_sorts_and_saves_and_asks_nobody_else(
    browser: tuple[Browser, Path], runs: Path
) -> None:
    page, downloads = browser
    with served_by("leaderboard", "--runs", runs, "--lang", "en") as address:
        page.driver.get(address)
        page.until(lambda: len(table(page)) == 19 or None, "no table of 19 rows")
        page.settled()
        assert table(page)[0][0] == "nlpai-lab/KURE-v1"
        assert [OWN, "own run"] in [[row[0], row[2]] for row in table(page)]
        text = page.text()
        assert "not JSON" in text
        assert COMPANY in text
        assert "KorSTS" in text

        page.click('.st-key-metric [data-testid="stRadioOption"]', 3)  # F1
        page.click('.st-key-k [data-testid="stRadioOption"]', 0)  # 1
        best = max(published("f1", 1).values())
        page.until(lambda: float(table(page)[1][3]) == pytest.approx(best) or None, "not F1@1")
        page.settled()
        assert table(page)[0][0] == OWN, "an own row of .62 is before KURE-v1's .558"

        click_heading(page, 60)
        names = sorted((*published("f1", 1), OWN), key=str.lower)
        page.until(lambda: table(page)[-1][0] == names[-1] or None, "not sorted by the model's name")
        assert table(page)[-1][0] == "upskyy/bge-m3-korean"

        page.click(".st-key-csv-0 button")
        rows = downloaded(downloads, "main-f1@1.csv")
        assert [row["model"] for row in rows[:2]] == [OWN, "nlpai-lab/KURE-v1"]
        assert float(rows[1]["average"]) == best
        page.one(".st-key-by-size .marks")
        page.one(".st-key-by-speed .marks")
        page.one(".st-key-radar .marks")
        assert all(address.partition("://")[2] in url for url in page.requests())
        page.driver.get("about:blank")  # it would ask for the server that ends now


def rows_of(page: Browser, name: str = "main") -> list[dict[str, Any]]:
    script = """
    return [...document.querySelectorAll(`table[data-name="${arguments[0]}"] tbody tr`)].map(row => ({
        model: row.dataset.model, cells: [...row.cells].map(cell => cell.innerText),
        colour: getComputedStyle(row).backgroundColor}))
    """
    found: list[dict[str, Any]] = page.driver.execute_script(script, name)
    return found


def choose(page: Browser, name: str, value: str) -> None:
    from selenium.webdriver.support.ui import Select

    Select(page.one(f"#{name}")).select_by_value(value)


def test_the_exported_file_sorts_draws_and_saves_without_a_network(browser: tuple[Browser, Path], page: Path) -> None:
    file, downloads = browser
    for earlier in ("browser", "performance"):
        file.driver.get_log(earlier)
    file.driver.get(page.as_uri())
    file.one("body[data-drawn]")
    rows = rows_of(file)
    assert [row["model"] for row in rows[:1]] == ["nlpai-lab/KURE-v1"]
    colours = {row["model"]: row["colour"] for row in rows}
    assert colours[OWN] not in {colour for model, colour in colours.items() if model != OWN}
    assert len(file.all("#size path[aria-roledescription=point]")) == 18, "17 of known size, and one's own"
    assert len(file.all("#speed path[aria-roledescription=point]")) == 1
    assert len(file.all("#radar path[aria-roledescription='line mark']")) == 4 + 4, "rings, and three and one's own"

    choose(file, "metric", "precision")
    choose(file, "k", "1")
    averages = published("precision", 1)
    rows = rows_of(file)
    assert [row["model"] for row in rows][:2] == [OWN, "nlpai-lab/KURE-v1"]
    assert [row["cells"][1] for row in rows] == [str(rank) for rank in range(1, 20)]
    company = rows_of(file, COMPANY)
    assert [row["model"] for row in company] == ["BM25 (Kiwi)", OWN], "another metric has another first"
    assert company[1]["cells"][2:5] == ["0.77000", "0.75000", "0.79000"], "precision@1 is eight steps below .85"
    for row in rows[1:]:
        assert row["cells"][4] == f"{averages[row['model']]:.5f}"
    file.click('table[data-name="main"] th[data-name="MIRACLRetrieval"] button')
    values = [float(row["cells"][8]) for row in rows_of(file)]
    assert values == sorted(values, reverse=True)
    file.click('table[data-name="main"] th[data-name="MIRACLRetrieval"] button')
    assert [float(row["cells"][8]) for row in rows_of(file)] == sorted(values)
    file.click('table[data-name="main"] th[data-name="parameters"] button')
    assert [row["model"] for row in rows_of(file)][-1] == "openai/text-embedding-3-large", "an unknown size is last"

    file.click(".download")
    saved = downloaded(downloads, "main-precision@1.csv")
    assert [row["model"] for row in saved] == [row["model"] for row in rows_of(file)]
    assert float(saved[0]["average"]) == pytest.approx(averages[saved[0]["model"]], abs=1e-12)

    choose(file, "speed-scope", COMPANY)
    file.until(lambda: len(file.all("#speed path[aria-roledescription=point]")) == 2 or None, "two own runs have speed")
    choose(file, "size-scope", COMPANY)
    file.until(lambda: len(file.all("#size path[aria-roledescription=point]")) == 1 or None, "keywords have no size")
    file.click('table[data-name="main"] tbody input:checked')
    file.until(lambda: len(file.all("#radar path[aria-roledescription='line mark']")) == 4 + 3 or None, "still drawn")
    paper = "return getComputedStyle(document.body).backgroundColor"
    light = file.driver.execute_script(paper)
    file.click("#theme")
    file.one('body[data-drawn="dark"]')
    assert file.driver.execute_script(paper) != light
    assert len(file.all("#radar path[aria-roledescription='line mark']")) == 4 + 3, "another theme keeps what is chosen"
    assert file.requests() == [page.as_uri()]
    assert not [entry for entry in file.driver.get_log("browser") if entry["level"] == "SEVERE"]


def test_sets_called_as_the_main_table_or_its_average_leave_the_plots_whole(
    browser: tuple[Browser, Path], tmp_path: Path
) -> None:
    file, _ = browser
    for name in ("main", "average"):
        save_run(tmp_path / "runs", name, task=name, value=0.9, step=0.01)
    write_html(make_board([tmp_path / "runs"]), tmp_path / "a.html")
    for earlier in ("browser", "performance"):
        file.driver.get_log(earlier)
    file.driver.get((tmp_path / "a.html").as_uri())
    file.one("body[data-drawn]")
    assert len(file.all("#radar path[aria-roledescription='line mark']")) == 4 + 3, "rings, and three published rows"
    assert len(file.all("#size path[aria-roledescription=point]")) == 17, "the average, which no own row has"
    choose(file, "size-scope", "average")
    file.until(lambda: len(file.all("#size path[aria-roledescription=point]")) == 1 or None, "the set of that name")
    assert not [entry for entry in file.driver.get_log("browser") if entry["level"] == "SEVERE"]
