"""``kure-rag doctor``."""

from __future__ import annotations

import argparse
import platform
import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from kure_rag._version import __version__
from kure_rag.cli import common, embedding
from kure_rag.errors import ConfigError

if TYPE_CHECKING:
    from kure_rag.embed import Embedder
    from kure_rag.embed.library_model import LibraryModel
    from kure_rag.embed.model_card import Kind
    from kure_rag.embed.selfcheck import SelfCheck

_PACKAGES: Final = (
    *(
        "torch",
        "transformers",
        "sentence-transformers",
        "tokenizers",
        "safetensors",
        "onnxruntime",
        "openvino",
        "numpy",
    ),
    *("chromadb", "tantivy", "kiwipiepy", "pypdfium2", "langchain-core", "llama-index-core"),
)
# As embed/model_card.py has them; importing that brings numpy, which help should not wait for.
KINDS: Final = ("dense", "sparse", "late-interaction", "reranker")
_NO_FEATURES: Final = ("all", "dev")
_REQUIREMENT: Final = re.compile(r"^([\w.-]+).*;.*\bextra\s*==\s*['\"]([\w.-]+)['\"]", re.ASCII)
_FAILED: Final = """\
What failed is not as it should be, and results would be wrong. Check that the weights are whole and are this model's
(--card, --revision), and whether the engine is the cause: --backend torch --precision fp32 --device cpu."""
_MARKS: Final = {True: "[green]pass[/]", False: "[red]FAIL[/]", None: "-"}


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "doctor",
        "show what this machine brings, or check a model against its card",
        "  kure-rag doctor\n  kure-rag doctor --model KoE5\n"
        "  kure-rag doctor --model ./models/KURE-v1 --backend openvino --json\n"
        "  kure-rag doctor --model dragonkue/bge-reranker-v2-m3-ko",
    )
    common.add_json(parser)
    parser.add_argument(
        "--kind", choices=KINDS, help="what --model is, where neither a card nor its own files say so (dense)"
    )
    embedding.add_embedding(parser, "by default none is checked", engine="torch", cache=False)
    parser.set_defaults(run=run, parser=parser)


def run(options: argparse.Namespace) -> int:
    """Prints the environment, or a table of checks; 1 when one of them fails."""
    if options.model is None:
        if embedding.is_asked(options) or options.kind is not None:
            options.parser.error("there is no model to check; give --model too")
        _show_environment(as_json=options.json)
        return 0
    common.log_to_stderr()
    model, found, revision = _checked(options)
    if options.json:
        told = {"model": found.model, "kind": model.card.kind, "engine": model.engine, "passed": found.passed}
        common.print_json({**told, "checks": [asdict(check) for check in found.checks]})
    else:
        _show_checks(found, model, str(model.folder or revision))
    return 0 if found.passed else 1


def _checked(options: argparse.Namespace) -> tuple[Embedder | LibraryModel, SelfCheck, object]:
    """The model, what was found, and its revision."""
    kind = options.kind or _kind(options)
    if kind == "dense":
        from kure_rag.embed.selfcheck import check_model

        embedder = embedding.embedder(options)
        return embedder, check_model(embedder), embedder.fingerprint["revision"]
    from kure_rag.embed.selfcheck_kinds import check_library_model

    model = _library_model(options, kind)
    return model, check_library_model(model), model.revision


def _kind(options: argparse.Namespace) -> Kind:
    """What a model is, as its files say where they do, and otherwise its card."""
    from kure_rag.embed.cards import find_card, folder_of
    from kure_rag.embed.kinds import kind_of

    folder = folder_of(options.model) if options.backend != "remote" else None
    if folder is not None and (found := kind_of(folder)) != "dense":
        return found
    card = find_card(options.card or options.model)
    return "dense" if card is None else card.kind


def _library_model(options: argparse.Namespace, kind: Kind) -> LibraryModel:
    from kure_rag.embed import EmbedSettings, KureReranker, LateInteractionEmbedder, SparseEmbedder

    classes = {made.kind: made for made in (SparseEmbedder, LateInteractionEmbedder, KureReranker)}
    given = embedding.chosen(options)
    card = given.pop("card", None)
    try:
        made: LibraryModel = classes[kind](options.model, EmbedSettings(**given), card=card)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return made


def _show_checks(found: SelfCheck, model: Embedder | LibraryModel, where: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    from kure_rag.embed.selfcheck import summary

    table = Table(box=None, pad_edge=False)
    table.add_column("", no_wrap=True)
    table.add_column("check", no_wrap=True)
    table.add_column("expected", overflow="fold")
    table.add_column("got", overflow="fold")
    for check in found.checks:
        table.add_row(_MARKS[check.passed], escape(check.name), escape(check.expected), escape(check.got))
    common.console().print(table)
    print(f"\nchecked: {where}, on {', '.join(model.engine.values())}")
    if not found.passed:
        print(_FAILED)
    print(f"{found.model}: {summary(found.checks)}")


def _show_environment(*, as_json: bool) -> None:
    told = _environment()
    if as_json:
        common.print_json(told)
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, version in told["versions"].items():
        table.add_row(name, version or "not installed")
    table.add_row("devices", escape(", ".join(told["devices"])))
    instructions = told["bf16_instructions"]
    table.add_row("bf16 on the CPU", "cannot be asked" if instructions is None else ", ".join(instructions) or "none")
    for extra, missing in told["extras"].items():
        table.add_row(
            f"extra {extra}",
            "installed"
            if not missing
            else f'missing {", ".join(missing)}: pip install "kure-rag{escape(f"[{extra}]")}"',
        )
    table.add_row("Korean OCR", escape(told["ocr_missing"]) or "ready")
    common.console().print(table)
    print("\n`kure-rag doctor --model NAME` checks a model.")


def _environment() -> dict[str, Any]:
    from kure_rag.embed.machine import bf16_instructions, devices
    from kure_rag.read import ocr

    return {
        "versions": {
            "kure-rag": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(terse=True),
            **{name: _version(name) for name in _PACKAGES},
        },
        "devices": devices(),
        "bf16_instructions": bf16_instructions(),
        "extras": missing_packages(_requirements()),
        "ocr_missing": ocr.available(),
    }


def _requirements() -> list[str]:
    import importlib.metadata

    try:
        return importlib.metadata.requires("kure-rag") or []
    except importlib.metadata.PackageNotFoundError:  # run from its source, without having been installed
        return []


def missing_packages(requirements: Iterable[str]) -> dict[str, list[str]]:
    """What each optional feature needs that is not installed.

    Args:
        requirements: As a package's metadata has them, such as ``httpx>=0.27; extra == "remote"``.

    Returns:
        Extra → names of packages, none where it is installed.
    """
    missing: dict[str, list[str]] = {}
    for match in filter(None, map(_REQUIREMENT.match, requirements)):
        package, extra = match.groups()
        if extra not in _NO_FEATURES:
            missing.setdefault(extra, []).extend([] if _version(package) else [package])
    return missing


def _version(package: str) -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
