"""Putting a finished model where it belongs, all of it at once."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from kure_rag.errors import ConfigError, TrainingError

WRITTEN: Final = "training.json"
"""In a trained model, what was trained and how; its ``files`` are the names of all that was written."""

# What the libraries write for a model, its modules and its tokenizer, and what a training adds. A README.md that
# somebody wrote is no stranger either: `write_card` keeps it.
_OURS: Final = re.compile(
    r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?|(adapter_|generation_|preprocessor_|processor_|router_)?config\.json"
    r"|modules\.json|config_sentence_transformers\.json|sentence_\w+_config\.json"
    r"|tokenizer(_config)?\.json|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt"
    r"|chat_template\.(jinja|json)|(spiece|sentencepiece[\w.-]*|tokenizer[\w.-]*)\.model|[\w.-]+\.tiktoken"
    r"|README\.md|loss\.(csv|png|pdf)|training\.json"
    r"|\.DS_Store|Thumbs\.db|desktop\.ini|\.gitattributes"
)
_MODULE: Final = re.compile(r"(\w+_)?\d+_\w+")  # the folder of one, such as 1_Pooling or query_0_StaticEmbedding


def holds_model(folder: Path) -> bool:
    """Whether a folder is a model's: of sentence-transformers, or a checkpoint of transformers."""
    if (folder / "modules.json").is_file():
        return True
    return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))


def require_free(out: Path) -> None:
    """Raises for a place that holds anything but a model, which nothing may replace.

    Nor may a model beside which something else lies in its folder, such as notes, data or a repository: these would be
    gone with it.

    Raises:
        TrainingError: Says what to do.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not out.is_dir() or not holds_model(out):
        raise TrainingError(f"{out}: is there already and is not a model; name a new folder with --out")
    if (foreign := next(_foreign(out), None)) is not None:
        raise TrainingError(
            f"{out}: holds a model, and {foreign}, which no training wrote and which would be gone with it; name a new "
            "folder with --out, or move that away"
        )


def require_apart(out: Path, work: Path, paths: Iterable[Path], what: str) -> None:
    """Raises for files to be read that lie in the folder that a model will take, or in that of its training.

    Args:
        out: The model's folder.
        work: Of the unfinished training.
        paths: What is read.
        what: The option that they were given with, such as ``--data``.

    Raises:
        ConfigError: They would be gone at the end.
    """
    for path in paths:
        places = {path.resolve(), path.absolute()}
        for folder in (out, work):
            if any(folder == place or folder in place.parents for place in places):
                raise ConfigError(
                    f"{what} {path}: lies in {folder}, which is replaced or removed when the model is there; give "
                    "another --out"
                )


def restore(out: Path, aside: Path) -> None:
    """Gives a model its name back that a kill left aside; removes it where another has the name by now.

    Args:
        out: The name.
        aside: Where a model lies, or nothing.
    """
    if not aside.is_dir():
        return
    if out.exists():
        shutil.rmtree(aside, ignore_errors=True)
    else:
        aside.rename(out)


def put_in_place(made: Path, out: Path, *, aside: Path) -> None:
    """Gives a finished folder its name; a model that was there goes aside first, and comes back if that fails.

    Args:
        made: The finished folder, on the same disk.
        out: Its name.
        aside: A name for the model that was there.

    Raises:
        TrainingError: At that name there is something else than a model by now; the finished folder stays.
    """
    restore(out, aside)
    require_free(out)
    if out.exists():
        out.rename(aside)
    try:
        made.rename(out)
    except BaseException:
        if aside.exists():
            aside.rename(out)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _foreign(model: Path) -> Iterator[str]:
    """Names of files in a model's folder that no training wrote."""
    own = _listed(model)
    for path in sorted(model.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            continue
        name = path.relative_to(model)
        inside = all(_MODULE.fullmatch(folder) for folder in name.parts[:-1])
        if name.as_posix() not in own and not (inside and _OURS.fullmatch(name.name)):
            yield name.as_posix()


def _listed(model: Path) -> frozenset[str]:
    """What a model's own list says was written."""
    try:
        told = json.loads((model / WRITTEN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    files = told.get("files") if isinstance(told, dict) else None
    return frozenset(str(name) for name in files) if isinstance(files, list) else frozenset()
