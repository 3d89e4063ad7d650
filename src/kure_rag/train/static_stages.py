"""What a training of the bundled model keeps on its way, so that a killed one goes on instead of beginning anew.

::

    my-static-ko.training/
        training.json          settings, data and versions of libraries: only the same training goes on here
        vocabulary.json        once Kiwi has cut the text
        start.safetensors      vectors before tuning
        before.json            scores of these
        tuning.safetensors     vectors, moments and random numbers of the last step that was kept; losses and scores

Each file is either whole or not there.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import TrainingError
from kure_rag.train.data import training_files
from kure_rag.train.static_vocab import Kind, Vocabulary
from kure_rag.train.workdir import hashes, write_json

if TYPE_CHECKING:
    from kure_rag.train.static_vectors import Matrix

_LIBRARIES: Final = (
    "kiwipiepy",
    "kiwipiepy_model",
    "numpy",
    "scikit-learn",
    "scipy",
    "sentence-transformers",
    "tokenizers",
    "torch",
)
_VOCABULARY: Final = "vocabulary.json"
_START: Final = "start.safetensors"
_TUNING: Final = "tuning.safetensors"
_VALUES: Final = "values"

FILES: Final = (_VOCABULARY, _START, _TUNING)
"""What took long to make."""


def identity(data: Path, settings: Any, dev: Sequence[Path], out: Path) -> dict[str, Any]:
    """All that the trained bytes depend on, as JSON values: settings, data, versions, and what they are scored on.

    Raises:
        SourceNotFoundError: A training file is missing.
        TrainingError: One cannot be read.
    """
    return {
        "recipe": "static",
        "settings": json.loads(json.dumps(asdict(settings))),
        "data": hashes(training_files(data)),
        "dev": hashes(dev, without=out),
        "versions": {library: version(library) for library in _LIBRARIES},
    }


def save_vocabulary(folder: Path, vocabulary: Vocabulary) -> None:
    """Keeps the pieces."""
    with writing(folder / _VOCABULARY):
        write_json(folder / _VOCABULARY, asdict(vocabulary))


def load_vocabulary(folder: Path) -> Vocabulary | None:
    """The pieces, once they were kept."""
    path = folder / _VOCABULARY
    if not path.is_file():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    return Vocabulary(
        pieces=tuple(kept["pieces"]),
        scores=tuple(kept["scores"]),
        kinds=tuple(map(Kind, kept["kinds"])),
        prior=tuple(kept["prior"]),
    )


def save_start(folder: Path, vectors: Matrix) -> None:
    """Keeps the vectors before tuning."""
    _save(folder / _START, {"vectors": vectors}, {})


def load_start(folder: Path) -> Matrix | None:
    """The vectors before tuning, once they were kept."""
    kept = _load(folder / _START)
    return kept[0]["vectors"] if kept else None


def save_tuning(folder: Path, arrays: Mapping[str, Matrix], values: Mapping[str, Any]) -> None:
    """Keeps a state of the tuning, in the place of the one before."""
    _save(folder / _TUNING, arrays, values)


def load_tuning(folder: Path) -> tuple[dict[str, Matrix], dict[str, Any]] | None:
    """The last state of the tuning, if one was kept."""
    return _load(folder / _TUNING)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Says of a full disk what to do about it.

    Raises:
        TrainingError: Instead of what the operating system or safetensors raises.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise TrainingError(
            f"{path}: cannot be written ({reason}); make room and give the same command again, which goes on from "
            "what is kept"
        ) from error


def _save(path: Path, arrays: Mapping[str, Matrix], values: Mapping[str, Any]) -> None:
    from safetensors.numpy import save_file

    beside = path.with_name(f".{path.name}")
    with writing(path):
        save_file(dict(arrays), beside, metadata={_VALUES: json.dumps(values)})
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        beside.replace(path)


def _load(path: Path) -> tuple[dict[str, Matrix], dict[str, Any]] | None:
    from safetensors import safe_open

    if not path.is_file():
        return None
    with safe_open(path, framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()[_VALUES])  # noqa: SIM118 - not a mapping
