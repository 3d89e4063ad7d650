"""``kure-rag export-model``."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from kure_rag.cli import common
from kure_rag.cli.model_snippets import call_arguments, quoted


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands,
        "export-model",
        "export an embedding model for OpenVINO or ONNX Runtime, and check it against the original",
        """\
  kure-rag export-model KURE-v1 --backend openvino
  kure-rag export-model KoE5 --backend openvino --precision int8 --out KoE5-int8
  kure-rag export-model ./my-model --backend onnx --precision int8 --json

  Without --out it goes where KureEmbeddings(MODEL, backend=..., precision=...) finds it, which would make it at first
  use otherwise. With --out the folder is complete by itself, tokenizer and prefixes too:
  KureEmbeddings("KoE5-int8", backend="openvino").""",
    )
    parser.add_argument("model", metavar="MODEL", help="a name from `kure-rag models`, owner/name, or a folder")
    parser.add_argument("--backend", choices=("openvino", "onnx"), default="openvino", help="default: openvino")
    parser.add_argument(
        "--precision",
        choices=("fp32", "int8"),
        default="fp32",
        help="of the weights (default: fp32, which OpenVINO computes in bf16 where the processor has it)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="a new folder, or an earlier export that is replaced")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="texts as they will be embedded, one a line, for int8 on OpenVINO (default: Korean texts of our own)",
    )
    parser.add_argument("--card", metavar="NAME", help="the known model that MODEL is a copy of, or is used like")
    parser.add_argument("--revision", metavar="COMMIT", help="of a model on the hub")
    parser.add_argument("--local-files-only", action="store_true", help="never go to the network")
    common.add_json(parser)
    parser.set_defaults(run=run, interrupted="interrupted; nothing was kept")


def run(options: argparse.Namespace) -> int:
    """Exports and prints how near the vectors are, sizes and seconds."""
    from kure_rag.embed import EmbedSettings
    from kure_rag.embed.backends.export import export_model

    common.log_to_stderr()
    settings = EmbedSettings(
        backend=options.backend,
        precision=options.precision,
        revision=options.revision,
        local_files_only=options.local_files_only,
    )
    texts = None if options.calibration is None else _lines(options.calibration)
    place, manifest = export_model(options.model, settings, card=options.card, out=options.out, calibration=texts)
    if options.json:
        common.print_json({"folder": str(place), **asdict(manifest)})
        return 0
    method = f" ({manifest.method})" if manifest.method else ""
    size = sum(manifest.files.values()) / 1e6
    print(f"{manifest.model} for {manifest.backend}, {manifest.weights}{method}")
    print(f"  folder   {place}")
    cosines = f"min {manifest.min_cosine:.5f}, mean {manifest.mean_cosine:.5f}"
    print(f"  cosine   {cosines} ({manifest.checked_texts} texts, computed in {manifest.checked_in})")
    print(f"  size     {size:,.1f} MB; the original's weights in fp32: {manifest.original_bytes / 1e6:,.1f} MB")
    print(f"  seconds  {manifest.seconds:.1f}")
    print(f"  use      {_use(options)}")
    return 0


def _use(options: argparse.Namespace) -> str:
    """The call that takes this export: its folder, or what it is found by."""
    given: dict[str, str | bool] = {"backend": options.backend}
    if options.out is None:
        if options.precision == "int8":
            given["precision"] = "int8"
        given |= {name: value for name in ("card", "revision") if (value := getattr(options, name)) is not None}
        if options.local_files_only:
            given["local_files_only"] = True
    arguments = call_arguments(given)
    return f"KureEmbeddings({', '.join([quoted(str(options.out or options.model)), *arguments])})"


def _lines(file: Path) -> list[str]:
    from kure_rag.errors import ConfigError

    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read as UTF-8 text ({error})") from error
    if not lines:
        raise ConfigError(f"{file}: holds no text; write one text a line")
    return lines
