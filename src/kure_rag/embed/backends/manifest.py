"""``kure_export.json``: what an exported model says of itself."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from kure_rag.errors import EmbeddingError

MANIFEST: Final = "kure_export.json"
FORMAT: Final = 1

Weights = Literal["fp32", "int8"]
TokenizerKind = Literal["fast", "kobert", "transformers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export says of itself.

    Attributes:
        model: The card's name, or the last part of a folder without a card.
        revision: Commit, or hash of the folder it was made from.
        pooling: As the model's module says, ``+`` between several; ``stored`` where none says it.
        backend: ``onnx`` or ``openvino``.
        weights: ``fp32``, which the engine may compute in half precision, or ``int8``.
        method: How the weights were quantised; empty for fp32.
        graph: The graph's file.
        dimension: Numbers in a vector.
        max_tokens: The model's own limit.
        tokenizer: ``fast`` for a ``tokenizer.json``, ``kobert``, or ``transformers`` for what that library loads.
        pad_id: Its padding token.
        unk_id: Its unknown token.
        special_tokens: How many it puts around a text.
        truncation_side: Where it cuts.
        min_cosine: The lowest cosine to the original's vectors over the check's texts.
        mean_cosine: Their mean.
        checked_texts: How many.
        checked_in: What the engine computed in at that, where weights are not quantised: ``f32``, or ``bf16`` or
            ``f16`` where the processor has it and OpenVINO takes it.
        original_bytes: Of the original's weights.
        seconds: Loading, converting, quantising and checking.
        versions: Of the libraries that made it.
        files: Name → bytes, to tell a copy that broke off.
        format: Of this file.
    """

    model: str
    revision: str
    pooling: str
    backend: Literal["onnx", "openvino"]
    weights: Weights
    method: str
    graph: str
    dimension: int
    max_tokens: int | None
    tokenizer: TokenizerKind
    pad_id: int
    unk_id: int | None
    special_tokens: int
    truncation_side: str
    min_cosine: float
    mean_cosine: float
    checked_texts: int
    checked_in: str
    original_bytes: int
    seconds: float
    versions: dict[str, str]
    files: dict[str, int]
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Writes it into an export's folder."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=2)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def is_export(folder: Path) -> bool:
    """Whether a folder is an export, whole or not."""
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> Manifest:
    """What an export says of itself, once all of its files are known to be there in their sizes.

    Raises:
        EmbeddingError: It is none, broken, or of a newer version of kure-rag.
    """
    again = "export the model again with `kure-rag export-model`"
    try:
        stored = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if stored["format"] != FORMAT:
            raise EmbeddingError(f"{folder}: an export of another version of kure-rag; {again}")
        manifest = Manifest(**stored)
        if manifest.graph not in manifest.files or any(Path(name).name != name for name in manifest.files):
            raise ValueError("its list of files is none")  # noqa: TRY301 - told as the others are
        sizes = {name: (folder / name).stat().st_size for name in manifest.files}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise EmbeddingError(f"{folder}: the exported model is not whole ({error}); {again}") from error
    if torn := [name for name, size in manifest.files.items() if sizes[name] != size]:
        raise EmbeddingError(f"{folder}: the exported model is not whole ({', '.join(torn)} broke off); {again}")
    return manifest
