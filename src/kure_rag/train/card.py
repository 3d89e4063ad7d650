"""The card of a trained model: what it is, how to use it, what it was trained on, and what that changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.train.report import decimals, shown

if TYPE_CHECKING:
    from kure_rag.train.bases import Base
    from kure_rag.train.recipe import Recipe
    from kure_rag.train.report import Change
    from kure_rag.train.settings import TrainSettings

CARD: Final = "README.md"
OTHER_CARD: Final = "TRAINING.md"
"""The card's name where somebody has written another one."""

_OURS: Final = "trained with kure-rag's recipe"  # in a card that was made and not written
_LIBRARIES: Final = ("kure-rag", "sentence-transformers", "transformers", "torch", "datasets", "accelerate")
_HASH: Final = 16  # of 64 digits


def make_card(
    recipe: Recipe[Any],
    *,
    name: str,
    base: Base,
    settings: TrainSettings,
    data: Mapping[str, str],
    dev: Mapping[str, str],
    rows: Mapping[str, int],
    changes: Sequence[Change],
    notes: Sequence[str],
    plotted: bool,
    processes: int = 1,
) -> str:
    """The text of ``README.md``.

    Args:
        recipe: What it was trained by.
        name: Of the model's folder.
        base: What it was trained from.
        settings: How.
        data: Name of a file that was trained on → its SHA-256.
        dev: Name of a file that was scored on → its SHA-256.
        rows: Name of a dataset → its rows.
        changes: Scores before and after.
        notes: What the data had.
        plotted: Whether ``loss.png`` lies beside.
        processes: That trained it together, each with its own batches.
    """
    reranker = recipe.kind == "reranker"
    what = "A cross-encoder" if reranker else "An embedding model"
    parts = [
        _front(base, reranker=reranker),
        f"# {name}",
        f"{what} {_OURS} `{recipe.name}` ({recipe.summary}) from `{base.name}`.",
        f"Source of the recipe: {recipe.source}",
        "## Use\n\n" + _use(name, base, reranker=reranker),
        "## Scores\n\n" + scores_table(changes),
    ]
    if plotted:
        parts.append("![loss](loss.png)")
    listed = [f"| {key} | trained on | {value[:_HASH]} |" for key, value in data.items()]
    listed += [f"| {key} | scored on | {value[:_HASH]} |" for key, value in dev.items()]
    parts.append("\n".join(["## Data\n\n| file | | SHA-256 begins |\n|---|---|---|", *listed]))
    counted = "\n".join(f"| {key} | {value:,} |" for key, value in rows.items())
    parts.append(f"| rows | |\n|---|---:|\n{counted}")
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    said = "\n".join(
        f"| `{key}` | {json.dumps(value, ensure_ascii=False)} |" for key, value in settings.to_dict().items()
    )
    parts.append(f"## Settings\n\n| setting | value |\n|---|---|\n{said}")
    if processes > 1:
        rows_in_step = processes * settings.batch_size * settings.accumulate
        parts.append(
            f"Trained by {processes} processes at once, each with batches of its own: `batch_size` is that of one, and "
            f"a step saw up to {rows_in_step:,} rows."
        )
    used = ", ".join(f"{library} {found}" for library in _LIBRARIES if (found := _version(library)))
    parts.append(f"Base: `{base.name}`, {base.revision}. Made with {used}.")
    parts.append("## Licence\n\n" + _licence(base))
    if recipe.limits:
        parts.append("## Unlike the original\n\n" + "\n".join(f"- {limit}" for limit in recipe.limits))
    return "\n\n".join(parts) + "\n"


def write_card(made: Path, before: Path, card: str) -> str:
    """Writes a card into a finished folder. One that somebody has written stays, and the new one lies beside it.

    Args:
        made: The finished folder.
        before: The folder whose place it will take, if there is one.
        card: Of :func:`make_card`.

    Returns:
        The name of the file that it was written to: ``README.md`` or ``TRAINING.md``.
    """
    written = before / CARD
    name = CARD
    if written.is_file() and _OURS not in written.read_text(encoding="utf-8", errors="replace"):
        shutil.copyfile(written, made / CARD)
        name = OTHER_CARD
    (made / name).write_text(card, encoding="utf-8")
    return name


def scores_table(changes: Sequence[Change]) -> str:
    """A Markdown table of before and after; a sentence where nothing was scored."""
    if not changes:
        return "Not scored: no development data were given, and none was held back."
    lines = [
        "| data not trained on | measure | before | after | difference (95 %) | p |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for one in changes:
        count = f"{one.name} ({one.count:,}" + (f" in {one.groups:,})" if one.groups != one.count else ")")
        digits = decimals(one.measure)
        spread = f"{one.difference:+.{digits}f} [{one.low:+.{digits}f}, {one.high:+.{digits}f}]"
        means = f"{shown(one.before.mean, one.measure)} | {shown(one.after.mean, one.measure)}"
        lines.append(f"| {count} | {one.measure} | {means} | {spread} | {one.p_value:.3g} |")
        lines.extend(
            f"| | {measure} | {shown(before, measure)} | {shown(after, measure)} | | |"
            for measure, (before, after) in one.others.items()
        )
    return "\n".join(lines)


def _front(base: Base, *, reranker: bool) -> str:
    lines = ["---", "language: ko", "library_name: sentence-transformers"]
    if base.on_hub is not None:
        lines.append(f"base_model: {base.on_hub}")
    if reranker:
        lines += ["pipeline_tag: text-ranking", "tags: [sentence-transformers, cross-encoder, korean]"]
    else:
        lines += ["pipeline_tag: sentence-similarity", "tags: [sentence-transformers, korean, retrieval]"]
    return "\n".join([*lines, "---"])


def _use(name: str, base: Base, *, reranker: bool) -> str:
    if reranker:
        return (
            "```python\nfrom kure_rag import KureReranker\n\n"
            f'reranker = KureReranker("path/to/{name}")\n'
            'reranker.rank("휴가는 며칠인가요?", ["급여는 25일에 준다.", "휴가는 15일로 한다."])\n```'
        )
    prefixes = "It puts nothing before queries and passages."
    if base.query_prefix or base.passage_prefix:
        prefixes = (
            f"Queries are put behind {base.query_prefix!r} and passages behind {base.passage_prefix!r}: both stand in "
            "the model's files, and `KureEmbeddings` uses them by itself."
        )
    return (
        "```python\nfrom kure_rag import KureEmbeddings\n\n"
        f'embeddings = KureEmbeddings(model="path/to/{name}")\n'
        f'embeddings.embed_query("휴가는 며칠인가요?")\n```\n\n{prefixes}'
    )


def _licence(base: Base) -> str:
    if base.folder is None:
        of_base = "The base was made from scratch and has none."
    elif base.licence is not None:
        of_base = f"The base's is {base.licence}."
    else:
        of_base = "The base's is not known: its files do not say."
    return (
        f"{of_base} Those of the data are not in the files that were read: look them up where you have the data from, "
        "before you pass the model on."
    )


def _version(library: str) -> str | None:
    try:
        return version(library)
    except PackageNotFoundError:
        return None
