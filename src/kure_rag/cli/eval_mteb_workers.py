"""``kure-rag eval mteb`` on several devices: the same command in one process for each, with its share of the tasks."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mteb.abstasks import AbsTaskRetrieval

    from kure_rag.evaluate.mteb_devices import Share
    from kure_rag.evaluate.mteb_run import Outcome

_VALUES: Final = (
    "model",
    "card",
    "revision",
    "query_prefix",
    "passage_prefix",
    "pooling",
    "backend",
    "precision",
    "endpoint",
    "embed_cache",
    "mode",
    "fusion",
    "weight",
    "reranker",
    "rerank_candidates",
    "out",
)
"""Options that every process gets as they were given."""
_GRACE: Final = 20.0  # seconds between an interruption and the end


def run_workers(
    options: argparse.Namespace, devices: Sequence[str], tasks: Sequence[AbsTaskRetrieval]
) -> list[Outcome]:
    """Splits the tasks that are not finished over devices, runs each share in a process of its own, waits for all.

    Args:
        options: Of the command.
        devices: As settings name them.
        tasks: In the order of the report.

    Returns:
        One outcome for each task: what is in the results, or that its process ended without it.
    """
    from kure_rag.cli.eval_mteb import model_of
    from kure_rag.evaluate.mteb_devices import sizes_of, split_tasks
    from kure_rag.evaluate.mteb_run import Outcome, kept_outcome, open_cache

    cache, meta = open_cache(options.out), model_of(options).mteb_model_meta
    kept = {task.metadata.name: kept_outcome(cache, task, meta) for task in tasks}
    shares = split_tasks(sizes_of(task for task in tasks if kept[task.metadata.name] is None), devices)
    statuses = _statuses(options, shares, _names(options, tasks))
    outcomes = []
    for task in tasks:
        name = task.metadata.name
        found = kept[name]
        if found is None:
            found = kept_outcome(cache, task, meta)
            reason = f"its process ended with status {statuses[name]}; see what it said above"
            found = replace(found, status="done") if found else Outcome(task=name, status="failed", reason=reason)
        outcomes.append(found)
    return outcomes


def _statuses(options: argparse.Namespace, shares: Sequence[Share], given: Mapping[str, str]) -> dict[str, int]:
    """Task → the exit status of the process that had it."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for share in shares:
            arguments = command(options, share, [given[task] for task in share.tasks])
            # A session of its own: Ctrl-C in a terminal then reaches it through us, once.
            processes.append(subprocess.Popen(arguments, stdout=2, start_new_session=True))  # noqa: S603 - this program
        ended = [process.wait() for process in processes]
    except BaseException:
        _stop(processes)
        raise
    return {task: status for share, status in zip(shares, ended, strict=True) for task in share.tasks}


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Interrupts them, and ends those that do not heed it: what they finished is on disk, whole."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
    until = time.monotonic() + _GRACE
    for process in processes:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Parent:
    """Watched by a worker: whether it is still to go on."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stopped = False
        signal.signal(signal.SIGINT, self._stop)

    def check(self) -> None:
        """Raises KeyboardInterrupt where the parent is gone, or has said so and a library kept it to itself."""
        if self._stopped or os.getppid() != self._pid:
            raise KeyboardInterrupt

    def _stop(self, number: int, frame: object) -> None:
        self._stopped = True
        raise KeyboardInterrupt


def command(options: argparse.Namespace, share: Share, tasks: Sequence[str]) -> list[str]:
    """The command line of one process."""
    given = [sys.executable, "-m", "kure_rag", "eval", "mteb", f"--worker={os.getpid()}", f"--device={share.device}"]
    given.append(f"--tasks={','.join(tasks)}")
    values = ((name, getattr(options, name)) for name in _VALUES)
    given += [f"--{name.replace('_', '-')}={value}" for name, value in values if value is not None]
    return [*given, "--trust-remote-code"] if options.trust_remote_code else given


def _names(options: argparse.Namespace, tasks: Sequence[AbsTaskRetrieval]) -> dict[str, str]:
    """A task's name → what it was asked for by: of a folder its path."""
    if options.tasks is None:
        return {task.metadata.name: task.metadata.name for task in tasks}
    given = [name.strip() for name in options.tasks.split(",") if name.strip()]
    return {task.metadata.name: name for task, name in zip(tasks, given, strict=True)}
