"""What stands in the tables, the CSV of them, and what the plots mark."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leaderboard_runs import COMPANY, save_all_tasks, save_run

from kure_rag.leaderboard import AVERAGE, TASKS, Entry, Score, Speed, make_board, published_entries, to_csv
from kure_rag.leaderboard.plot_rows import corners, of_unknown_size, points, scopes, scopes_with, short, shown_first
from kure_rag.leaderboard.tables import main_table, other_table, other_tasks, sts_sets, sts_table, values_csv


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_main_table_is_ordered_by_the_average_of_what_was_chosen(tmp_path: Path) -> None:
    save_all_tasks(tmp_path, 0.62)
    save_run(tmp_path, "one-task", task=TASKS[0], value=0.9, pipeline="dense")
    board = make_board([tmp_path])
    table = main_table(board.entries, "ndcg", 10)
    averages = [row[3] for row in table.rows]
    assert averages[:-1] == sorted((value for value in averages[:-1] if value is not None), reverse=True)
    assert [row[0] for row in table.rows] == [*range(1, 20), None]
    assert table.rows[-1][1:4] == ("kure-rag/static-ko", "own", None)
    assert table.rows[-1][4] == 0.9
    assert table.rows[-1][5] is None
    other = main_table(board.entries, "precision", 1)
    assert [row[1] for row in other.rows] != [row[1] for row in table.rows]
    assert other.rows[[row[1] for row in other.rows].index("BAAI/bge-m3")][3] == pytest.approx(0.59846, abs=1e-5)


def test_a_table_without_own_runs_has_no_table_of_other_sets() -> None:
    assert other_tasks(published_entries()) == ()
    assert sts_sets(published_entries()) == ()
    assert len(main_table(published_entries(), "map", 3).rows) == 18


def test_other_sets_show_their_intervals_queries_and_speed(tmp_path: Path) -> None:
    save_run(tmp_path, "a", task=COMPANY, value=0.5, latency=4.0)
    save_run(tmp_path, "b", task=COMPANY, value=0.6, pipeline="dense", latency=None)
    save_run(tmp_path, "c", task="다른 세트", value=0.6)
    entries = make_board([tmp_path]).entries
    assert set(other_tasks(entries)) == {COMPANY, "다른 세트"}
    best, second = read(to_csv(other_table(entries, COMPANY, "mrr", 5)))
    assert (best["run"], second["run"]) == ("b", "a")
    assert [float(second[name]) for name in ("value", "low", "high")] == pytest.approx([0.5, 0.48, 0.52])
    assert (second["queries"], second["latency_ms"], second["hardware"]) == ("120", "4.0", "Ryzen, 8 cores")
    assert (best["latency_ms"], best["hardware"]) == ("", "")


def test_csv_holds_every_digit_and_a_name_is_no_formula() -> None:
    evil = Entry(label="=HYPERLINK(1)", model="m", origin="own", scores={(TASKS[0], "ndcg", 10): Score(1 / 3)})
    rows = read(to_csv(main_table([*published_entries(), evil], "ndcg", 10)))
    assert len(rows) == 19
    assert float(rows[0]["average"]) == published_entries()[13].value(AVERAGE, "ndcg", 10)
    assert rows[-1]["model"] == "'=HYPERLINK(1)"
    assert float(rows[-1][TASKS[0]]) == 1 / 3
    assert rows[-1]["average"] == ""


def test_all_values_are_in_the_long_csv() -> None:
    sts = {"KorSTS": {"spearman_cosine": Score(71.5, 70.0, 73.0)}}
    rows = read(values_csv([*published_entries(), Entry(label="나의 것", model="m", origin="own", sts=sts)]))
    assert len(rows) == 18 * 8 * 6 * 4 + 1
    assert rows[-1]["metric"] == "spearman_cosine"
    assert (rows[-1]["value"], rows[-1]["low"], rows[-1]["high"]) == ("71.5", "70.0", "73.0")
    assert {row["origin"] for row in rows} == {"published", "own"}


def test_sentence_pairs_have_a_column_for_each_measure() -> None:
    first = {"KorSTS": {"pearson_cosine": Score(70.0)}}
    second = {"KorSTS": {"pearson_cosine": Score(71.0), "spearman_cosine": Score(72.0)}}
    entries = [Entry(label=label, model="m", origin="own", sts=sts) for label, sts in (("a", first), ("b", second))]
    assert read(to_csv(sts_table(entries, "KorSTS"))) == [
        {"model": "a", "run": "", "pearson_cosine": "70.0", "spearman_cosine": ""},
        {"model": "b", "run": "", "pearson_cosine": "71.0", "spearman_cosine": "72.0"},
    ]


def test_a_score_of_nothing_stands_before_one_that_is_not_known() -> None:
    zero = {(task, "ndcg", 10): Score(0.0) for task in TASKS}
    part = {(TASKS[0], "ndcg", 10): Score(0.9)}
    entries = [Entry(label=label, model="m", origin="own", scores=had) for label, had in (("a", part), ("b", zero))]
    assert [row[:2] for row in main_table(entries, "ndcg", 10).rows] == [(1, "b"), (None, "a")]


SIZES = st.one_of(st.none(), st.integers(10**6, 10**10))
LATENCIES = st.one_of(st.none(), st.floats(0.1, 1e4))


@given(st.lists(st.tuples(st.integers(0, 1000), SIZES, LATENCIES), max_size=12))
def test_the_front_is_what_no_other_beats_at_no_greater_size_or_latency(
    found: list[tuple[int, int | None, float | None]],
) -> None:
    entries = [
        Entry(
            label=f"모델 {number}",
            model="m",
            origin="own" if number % 3 == 0 else "published",
            parameters=size,
            scores={(COMPANY, "ndcg", 10): Score(value / 1000)},
            speeds={COMPANY: Speed(latency_ms=latency)},
        )
        for number, (value, size, latency) in enumerate(found)
    ]
    rows = points(entries, COMPANY, "ndcg", 10)
    assert len(rows) == len(entries)
    for axis in ("size", "speed"):
        known = [row for row in rows if row[axis]]
        values = {(row[axis], row["value"]) for row in known}
        beaten = {
            one for one in values for other in values if other != one and other[0] <= one[0] and other[1] >= one[1]
        }
        assert {(row[axis], row["value"]) for row in known if row[f"{axis}_front"]} == values - beaten
        assert not any(row[f"{axis}_front"] or row[f"{axis}_label"] for row in rows if not row[axis])


def test_plots_can_show_own_sets_and_leave_out_what_has_no_score(tmp_path: Path) -> None:
    save_run(tmp_path, "a", task=COMPANY, value=0.5)
    entries = make_board([tmp_path]).entries
    assert scopes(entries) == scopes_with("size", entries) == (AVERAGE, *TASKS, COMPANY)
    assert scopes_with("speed", entries) == (COMPANY,)
    assert scopes_with("speed", published_entries()) == ()
    assert [row["model"] for row in points(entries, COMPANY, "ndcg", 10)] == ["kure-rag/static-ko (hybrid)"]
    assert len(points(entries, AVERAGE, "ndcg", 10)) == 18
    assert of_unknown_size(entries) == ["openai/text-embedding-3-large"]


def test_the_radar_has_a_corner_for_each_task_and_begins_with_the_best() -> None:
    entries = published_entries()
    first = shown_first(entries, "ndcg", 10)
    assert first == ["nlpai-lab/KURE-v1", "dragonkue/BGE-m3-ko", "BAAI/bge-m3"]
    rows = corners([entry for entry in entries if entry.label in first], "ndcg", 10)
    assert len(rows) == 24
    assert {(row["number"], row["task"]) for row in rows} == set(enumerate(TASKS))


def test_short_names_drop_the_owner_and_keep_the_pipeline() -> None:
    assert short("nlpai-lab/KURE-v1 (hybrid)") == "KURE-v1 (hybrid)"
    assert short("BM25 (Kiwi)") == "BM25 (Kiwi)"
