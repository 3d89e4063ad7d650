import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.ingest import shared_work
from kure_rag.ingest.shared_work import SharedWork, Turn

FAR = float("inf")


def work(count: int) -> SharedWork:
    return SharedWork([b"%d" % i for i in range(count)], FAR)


def in_thread(action: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    return thread


def test_tasks_are_given_in_order_to_whoever_asks() -> None:
    shared = work(4)
    assert shared.take() == (0, b"0")
    assert shared.next().task == 1
    assert shared.take() == (2, b"2")
    assert shared.next().task == 3
    assert shared.take() is None
    assert not shared.is_open()


def test_answers_are_fetched_once_and_the_turn_says_whether_more_will_come() -> None:
    shared = work(3)
    shared.take()
    shared.take()
    assert shared.next() == Turn(task=2, done=[], more=True)
    shared.put(1, b"one")
    assert shared.next() == Turn(task=None, done=[(1, b"one")], more=True)
    shared.put(0, b"zero")
    assert shared.next() == Turn(task=None, done=[(0, b"zero")], more=False)
    assert shared.next() == Turn(task=None, done=[], more=False)


def test_the_one_who_offered_waits_for_what_others_are_at() -> None:
    shared = work(1)
    shared.take()
    turns: list[Turn] = []
    waiting = in_thread(lambda: turns.append(shared.next()))
    waiting.join(0.1)
    assert waiting.is_alive()
    shared.put(0, b"zero")
    waiting.join(10)
    assert turns == [Turn(task=None, done=[(0, b"zero")], more=False)]


def test_a_task_given_back_goes_to_the_one_who_offered() -> None:
    shared = work(2)
    shared.take()
    shared.take()
    shared.give_back(1)
    assert not shared.is_open()
    assert shared.next() == Turn(task=1, done=[], more=True)


def test_after_a_failure_only_tasks_before_it_count() -> None:
    shared = work(6)
    for _ in range(4):
        shared.take()
    shared.put(0, b"zero")
    shared.put(2, b"broken", failed=True)
    assert shared.take() is None
    shared.put(3, b"three")
    assert shared.next() == Turn(task=None, done=[(0, b"zero"), (2, b"broken")], more=True)
    shared.put(1, b"worse", failed=True)
    assert shared.next() == Turn(task=None, done=[(1, b"worse")], more=False)


def test_a_failure_of_the_one_who_offered_waits_for_those_before_it_only() -> None:
    shared = work(5)
    shared.take()
    assert shared.next().task == 1
    shared.take()
    shared.put(0, b"zero")
    assert shared.next(failed=1) == Turn(task=None, done=[(0, b"zero")], more=False)


def test_enough_is_what_was_begun() -> None:
    shared = work(5)
    shared.take()
    shared.put(0, b"zero")
    assert shared.next(enough=True) == Turn(task=None, done=[(0, b"zero")], more=False)
    assert shared.take() is None


def test_no_task_is_taken_while_answers_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_work, "_MOST_HELD", 10)
    shared = work(5)
    shared.take()
    shared.put(0, b"a" * 11)
    taken: list[tuple[int, bytes] | None] = []
    waiting = in_thread(lambda: taken.append(shared.take()))
    waiting.join(0.1)
    assert waiting.is_alive()
    assert shared.next().task == 1
    waiting.join(10)
    assert taken == [(2, b"2")]


def test_closing_lets_everybody_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_work, "_MOST_HELD", 0)
    shared = work(5)
    shared.take()
    shared.take()
    shared.put(0, b"zero")
    helper = in_thread(shared.take)
    shared.next()
    shared.take()
    shared.close()
    helper.join(10)
    assert not helper.is_alive()
    assert not shared.is_open()
    assert shared.next() == Turn(task=None, done=[], more=False)


@given(st.integers(1, 30), st.lists(st.sampled_from(["take", "put", "back", "next"]), max_size=80))
def test_every_task_is_done_once_in_whatever_order(count: int, steps: list[str]) -> None:
    shared = work(count)
    at_work: list[int] = []
    done: list[int] = []

    def turn() -> bool:
        found = shared.next()
        done.extend(number for number, _ in found.done)
        if found.task is not None:
            done.append(found.task)
        return found.task is not None or found.more

    for step in steps:
        if step == "take" and (taken := shared.take()):
            at_work.append(taken[0])
        elif step == "put" and at_work:
            number = at_work.pop(0)
            shared.put(number, b"%d" % number)
        elif step == "back" and at_work:
            shared.give_back(at_work.pop())
        elif step == "next" and len(done) + len(at_work) < count:
            turn()
    for number in at_work:
        shared.put(number, b"")
    while turn():
        pass
    assert sorted(done) == list(range(count))
