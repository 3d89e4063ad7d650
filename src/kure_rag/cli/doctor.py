"""``kure-rag doctor``."""

from __future__ import annotations

import argparse
import platform
import re
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from kure_rag._version import __version__
from kure_rag.cli import common
from kure_rag.errors import ConfigError

if TYPE_CHECKING:
    from kure_rag.embed import EmbedSettings
    from kure_rag.embed.selfcheck import SelfCheck

# As embed/settings.py has them; importing that brings numpy, which help should not wait for.
BACKENDS: Final = ("torch", "onnx", "openvino", "remote")
PRECISIONS: Final = ("auto", "fp32", "bf16", "fp16", "int8")

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
_NO_FEATURES: Final = ("all", "dev")
_REQUIREMENT: Final = re.compile(r"^([\w.-]+).*;.*\bextra\s*==\s*['\"]([\w.-]+)['\"]", re.ASCII)
_MARKS: Final = {True: "[green]pass[/]", False: "[red]FAIL[/]", None: "-"}


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "doctor",
        "show what this machine brings, or check a model against its card",
        "  kure-rag doctor\n  kure-rag doctor --model KoE5\n"
        "  kure-rag doctor --model ./models/KURE-v1 --backend openvino --json",
    )
    common.add_model(parser, "by default none is checked")
    parser.add_argument("--backend", choices=BACKENDS, default="torch", help="the engine (default: torch)")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="of the numbers in the engine")
    parser.add_argument("--device", metavar="D", help="cpu, cuda, cuda:1 or mps (by default the best there is)")
    parser.add_argument("--endpoint", metavar="URL", help="the embedding server, with --backend remote")
    parser.add_argument(
        "--trust-remote-code", action="store_true", help="run code that the model brings; read it before"
    )
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the environment, or a table of checks; 1 when one of them fails."""
    if options.model is None:
        _show_environment(as_json=options.json)
        return 0
    from kure_rag.embed import Embedder
    from kure_rag.embed.selfcheck import check_model

    found = check_model(Embedder(options.model, _settings(options)))
    if options.json:
        common.print_json({"model": found.model, "passed": found.passed, "checks": [asdict(c) for c in found.checks]})
    else:
        _show_checks(found)
    return 0 if found.passed else 1


def _settings(options: argparse.Namespace) -> EmbedSettings:
    from kure_rag.embed import EmbedSettings

    try:
        return EmbedSettings(
            backend=options.backend,
            precision=options.precision,
            device=options.device,
            endpoint=options.endpoint,
            trust_remote_code=options.trust_remote_code,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _show_checks(found: SelfCheck) -> None:
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
    print(f"\n{found.model}: {summary(found.checks)}")


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
