"""What a language model said, kept passage by passage, so that an interrupted run need not ask again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from kure_rag.autorag.prompt import Question
from kure_rag.errors import ConfigError, IndexPathError

NAME: Final = "qa.progress.jsonl"


class Journal:
    """A file of one line a passage; a line that broke off is asked for again.

    Args:
        path: The file, made if need be.
        settings: What the questions depend on.

    Raises:
        ConfigError: The file holds questions that were made with other settings.
        IndexPathError: It cannot be read or written.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self._path = path
        self.questions: dict[str, list[Question]] = {}
        try:
            self._file: BinaryIO = path.open("a+b")
        except OSError as error:
            raise IndexPathError(
                f"{path}: cannot be written ({error.strerror or error}); choose another --out"
            ) from error
        try:
            self._load(dict(settings))
        except BaseException:
            self._file.close()
            raise

    def _load(self, settings: dict[str, Any]) -> None:
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        self._file.truncate(whole)
        lines = _objects(data[:whole])
        first = next(lines, None)
        rest = list(lines)
        # Answers without a question, and no others, make way for another model: nothing is lost or mixed.
        if first is None or (first != settings and not any(line.get("questions") for line in rest)):
            self._file.truncate(0)
            self._write(settings)
            return
        if first != settings:
            other = "; ".join(f"{key}: {first.get(key)!r}, now {value!r}" for key, value in settings.items())
            raise ConfigError(
                f"{self._path}: holds questions made with other settings ({other}); choose another --out, or remove "
                "the file to begin again"
            )
        for line in rest:
            with suppress(KeyError, TypeError):  # a line that is none of ours: the passage is asked about again
                self.questions[str(line["doc_id"])] = [Question(**question) for question in line["questions"]]

    def add(self, passage: str, questions: Sequence[Question]) -> None:
        """Keeps the questions of a passage, which may be none."""
        self.questions[passage] = list(questions)
        self._write({"doc_id": passage, "questions": [asdict(question) for question in questions]})

    def _write(self, value: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(value, ensure_ascii=False).encode("utf-8") + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _objects(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            yield value
