"""Making an export: torch model → graph, checked against the original before it is kept."""

from __future__ import annotations

import gc
import glob
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.embed.backends import graphs
from kure_rag.embed.backends.exported import (
    cached_place,
    check_engine,
    ensure_export,
    library_versions,
    locked,
    make_runner,
    model_name,
    source_revision,
    weights_of,
)
from kure_rag.embed.backends.first_token import compute_first_token_alone
from kure_rag.embed.backends.manifest import Manifest, TokenizerKind, is_export
from kure_rag.embed.backends.sentences import calibration_texts, check_texts
from kure_rag.embed.base import Vectors
from kure_rag.embed.files import MODULES, PROMPTS, parts_of, refuse_revision
from kure_rag.embed.hub import first_line
from kure_rag.embed.loading import bundled_path, checked_folder, load_model, stored_prompts
from kure_rag.embed.model_card import ModelCard
from kure_rag.embed.settings import EmbedSettings
from kure_rag.embed.tokens import TextTokenizer
from kure_rag.errors import EmbeddingError, KureError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_log = logging.getLogger(__name__)

LEAST_COSINE: Final = 0.99
_NO_LIMIT: Final = 1 << 30
_BATCH: Final = 8  # texts of the check in one pass: padding is checked as well
_KOBERT_FILES: Final = ("*.model", "vocab.txt", "tokenizer_config.json")


def is_transformer(model: SentenceTransformer) -> bool:
    """Whether the first module is a transformer that is fed with token ids."""
    return type(model[0]).__name__ == "Transformer" and getattr(model[0], "model", None) is not None


def export_model(
    model: str,
    settings: EmbedSettings,
    *,
    card: ModelCard | str | None = None,
    out: Path | None = None,
    calibration: Sequence[str] | None = None,
) -> tuple[Path, Manifest]:
    """Exports a model ahead of its first use.

    Args:
        model: A name on the model hub, an alias, or the folder of a local copy.
        settings: Backend ``onnx`` or ``openvino``, and precision.
        card: As :class:`~kure_rag.embed.model.Embedder` takes it.
        out: A folder that is used by itself afterwards, as a model's folder; by default the cache in which the same
            model, backend and precision are looked for.
        calibration: Texts as they will be embedded, for int8 on OpenVINO; by default Korean ones of several domains.

    Returns:
        The folder, and what the export says of itself.

    Raises:
        EmbeddingError: The vectors are too far from the original's, or ``out`` holds something else.
        ModelNotAvailableError: The weights cannot be reached.
        MissingExtraError: A package is not installed.
    """
    from kure_rag.embed.model import Embedder  # which makes engines by way of this module

    check_engine(settings)
    if calibration is not None and (settings.backend, weights_of(settings)) != ("openvino", "int8"):
        raise EmbeddingError("calibration texts are for int8 on OpenVINO; leave them out, as nothing else uses them")
    known = Embedder(model, settings, card=card).card
    local = Path(model).expanduser()
    folder = local if local.is_dir() else bundled_path(known.name)
    if folder is not None and is_export(folder):
        raise EmbeddingError(f"{folder}: is an exported model; give the original")
    if folder is not None:
        refuse_revision(folder, settings.revision)
    if out is None and calibration is None:
        place = cached_place(folder, known, settings)
        return place, ensure_export(place, folder, known, settings)
    place = cached_place(folder, known, settings) if out is None else out.expanduser().absolute()
    if place.exists() and not is_export(place) and (not place.is_dir() or any(place.iterdir())):
        raise EmbeddingError(f"{place}: holds something other than an exported model; choose a new folder")
    with locked(place, keep=out is None):
        return place, write_export(place, folder, known, settings, calibration=calibration)


def write_export(
    place: Path,
    folder: Path | None,
    card: ModelCard,
    settings: EmbedSettings,
    *,
    calibration: Sequence[str] | None = None,
) -> Manifest:
    """Makes an export in a folder beside its place and moves it there once it is checked. The place must be locked."""
    if folder is not None and parts_of(folder / MODULES)[0].kind != "Transformer":
        raise _no_transformer(card)  # before the user is told to wait
    for left in place.parent.glob(
        f".{glob.escape(place.name)}.*.part"
    ):  # of a process that was killed; the lock was its
        shutil.rmtree(left, ignore_errors=True)
    work = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}.part")
    _log.warning(
        "%s: exporting for %s (%s) into %s; a large model takes some minutes, once",
        card.name,
        settings.backend,
        weights_of(settings),
        place,
    )
    try:
        work.mkdir(parents=True)
        manifest = _made(work, folder, card, settings, calibration or calibration_texts())
        _put(work, place)
    except OSError as error:
        raise EmbeddingError(f"{place}: the export cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _log.info("%s: cosine to the original at least %.5f, %.0f s", place, manifest.min_cosine, manifest.seconds)
    return manifest


def _put(work: Path, place: Path) -> None:
    """Moves a finished folder to its place, with what it holds on the disk and not only in memory before that."""
    for file in work.iterdir():
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())
    if place.exists():  # aside, so that a whole export is at the place, or will be after the next rename
        earlier = work.with_suffix(".old.part")
        place.rename(earlier)
        try:
            work.rename(place)
        except BaseException:
            earlier.rename(place)
            raise
        shutil.rmtree(earlier, ignore_errors=True)
    else:
        work.rename(place)


def _made(
    work: Path, folder: Path | None, card: ModelCard, settings: EmbedSettings, calibration: Sequence[str]
) -> Manifest:
    began = time.monotonic()
    _require(settings)
    plan = _Plan(work, folder, card, settings)
    check = plan.convert(check_texts(), calibration)
    gc.collect()  # the torch model is part of circles, and two copies of the weights are enough
    manifest = _quantized(work, check) if weights_of(settings) == "int8" else _checked(work, check.manifest, check)
    if not manifest.min_cosine >= LEAST_COSINE:
        raise EmbeddingError(
            f"{card.name}: the vectors of its {settings.backend} {manifest.weights} export are too far from the "
            f"original's (cosine {manifest.min_cosine:.4f} at worst, {LEAST_COSINE} is the least), so it is not kept; "
            f"use {'precision=' + repr('fp32') + ' or ' if manifest.weights == 'int8' else ''}backend='torch'"
        )
    files = {f.name: f.stat().st_size for f in sorted(work.iterdir()) if f.is_file()}
    manifest = replace(manifest, files=files, seconds=round(time.monotonic() - began, 1))
    manifest.write(work)
    return manifest


@dataclass(frozen=True, slots=True)
class _Check:
    """What is compared: texts as token ids, the original's vectors, and texts to calibrate with."""

    manifest: Manifest
    rows: list[list[int]]
    expected: Vectors
    calibration: list[list[int]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is exported, and into which folder."""

    work: Path
    folder: Path | None
    card: ModelCard
    settings: EmbedSettings

    def convert(self, texts: Sequence[str], calibration: Sequence[str]) -> _Check:
        """Writes graph, tokenizer and prompts, and computes what the graph must give."""
        model = self._load()
        limit = _limit(model)
        tokenizer = TextTokenizer(model.tokenizer, limit)
        rows = tokenizer.encode(texts).ids
        module = graphs.pooled_module(list(model))
        expected = graphs.torch_vectors(module, rows)
        manifest = Manifest(
            model=model_name(self.folder, self.card),
            revision=source_revision(self.folder, self.card, self.settings),
            pooling=_pooling(model) or self.card.pooling,
            backend="onnx" if self.settings.backend == "onnx" else "openvino",
            weights="fp32",
            method="",
            graph="model.onnx" if self.settings.backend == "onnx" else "model.xml",
            dimension=expected.shape[1],
            max_tokens=limit,
            tokenizer=self._keep_tokenizer(model.tokenizer),
            pad_id=tokenizer.pad_id,
            unk_id=model.tokenizer.unk_token_id,
            special_tokens=int(model.tokenizer.num_special_tokens_to_add()),
            truncation_side=getattr(model.tokenizer, "truncation_side", "right"),
            min_cosine=0.0,
            mean_cosine=0.0,
            checked_texts=len(rows),
            checked_in="",
            original_bytes=sum(weight.nbytes for weight in model.parameters()),
            seconds=0.0,
            versions=library_versions(self.settings.backend),
            files={},
        )
        self._keep_prompts()
        compute_first_token_alone(list(model))  # after the original's vectors, which the graph's are checked against
        self._write_graph(module, manifest, max(rows, key=len))
        return _Check(manifest, rows, expected, tokenizer.encode(calibration).ids)

    def _load(self) -> SentenceTransformer:
        plain = replace(self.settings, backend="torch", precision="fp32", device="cpu")
        model = load_model(self.folder, self.card, plain)
        if not is_transformer(model):
            raise _no_transformer(self.card)
        return model

    def _write_graph(self, module: Any, manifest: Manifest, row: Sequence[int]) -> None:
        write = graphs.write_onnx if manifest.backend == "onnx" else graphs.write_openvino
        try:
            write(module, self.work / manifest.graph, pad_id=manifest.pad_id, token=row[len(row) // 2])
        except (KureError, OSError):
            raise
        except Exception as error:  # whatever a converter raises for what it does not know
            raise EmbeddingError(
                f"{self.card.name}: cannot be exported for {manifest.backend} ({first_line(error)}); "
                "use backend='torch'"
            ) from error

    def _keep_tokenizer(self, tokenizer: Any) -> TokenizerKind:
        if (fast := getattr(tokenizer, "backend_tokenizer", None)) is not None:
            fast.no_padding()
            fast.no_truncation()
            fast.save(str(self.work / "tokenizer.json"))
            return "fast"
        if hasattr(tokenizer, "save_pretrained"):
            tokenizer.save_pretrained(str(self.work))
            return "transformers"
        where, parts = checked_folder(self.folder, self.card, self.settings)
        for pattern in _KOBERT_FILES:
            for file in (where / parts[0].path).glob(pattern):
                shutil.copy2(file, self.work / file.name)
        return "kobert"

    def _keep_prompts(self) -> None:
        """The prefixes, where an embedder made from this folder alone looks for them."""
        query, passage = self.card.query_prefix, self.card.passage_prefix
        if query is None or passage is None:
            where = self.folder or self.card.name
            stored = stored_prompts(where, self.card.revision, self.settings)
            query, passage = stored[0] if query is None else query, stored[1] if passage is None else passage
        prompts = json.dumps({"prompts": {"query": query, "document": passage}}, ensure_ascii=False, indent=2)
        (self.work / PROMPTS).write_text(prompts + "\n", encoding="utf-8")


def _no_transformer(card: ModelCard) -> EmbeddingError:
    return EmbeddingError(
        f"{card.name}: is no transformer with its pooling, and only such models are exported; use backend='torch'"
    )


def _pooling(model: SentenceTransformer) -> str | None:
    modules: list[Any] = [module for module in model if type(module).__name__ == "Pooling"]
    if not modules:
        return None
    mode = modules[-1].pooling_mode
    return mode if isinstance(mode, str) else "+".join(mode)


def _limit(model: SentenceTransformer) -> int | None:
    longest = model.max_seq_length
    return None if longest is None or longest > _NO_LIMIT else int(longest)


def _quantized(work: Path, check: _Check) -> Manifest:
    """The int8 graph in place of the fp32 one: the first way of quantising that stays near the original."""
    source = work / check.manifest.graph
    target = source.with_stem("model_int8")
    rows, pad_id = check.calibration, check.manifest.pad_id

    def nncf(*, smooth: bool) -> Callable[[], None]:
        return lambda: graphs.quantize_openvino(source, target, rows=rows, pad_id=pad_id, smooth=smooth)

    ways: tuple[tuple[str, Callable[[], None]], ...] = (
        (("dynamic, each column by itself", lambda: graphs.quantize_onnx(source, target)),)
        if check.manifest.backend == "onnx"
        # Without smoothing it is nearer to the original, unless a model has outliers, as trained ones may.
        else (
            ("static", nncf(smooth=False)),
            ("static, SmoothQuant", nncf(smooth=True)),
            ("weights alone", lambda: graphs.compress_openvino(source, target)),
        )
    )
    manifest = check.manifest
    for method, quantize in ways:
        quantize()
        manifest = replace(check.manifest, weights="int8", method=method, graph=target.name)
        manifest = _checked(work, manifest, check)
        if manifest.min_cosine >= LEAST_COSINE:
            break
    for file in work.glob("model.*"):
        file.unlink()
    return manifest


def _checked(work: Path, manifest: Manifest, check: _Check) -> Manifest:
    """The manifest with its cosines, as the engine computes in the precision that it takes by itself."""
    runner = make_runner(work, manifest, "auto")
    cosines: list[float] = []
    for i in range(0, len(check.rows), _BATCH):
        found, expected = runner.start(check.rows[i : i + _BATCH])(), check.expected[i : i + _BATCH]
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
        cosines += (np.einsum("ij,ij->i", found, expected) / np.where(lengths == 0, 1, lengths)).tolist()
    return replace(
        manifest,
        min_cosine=round(min(cosines), 6),
        mean_cosine=round(float(np.mean(cosines)), 6),
        checked_in=str(getattr(runner, "precision", "")),
    )


def _require(settings: EmbedSettings) -> None:
    """Raises before a model is loaded for nothing."""
    if settings.backend == "onnx":
        graphs.require_onnx()
    elif weights_of(settings) == "int8":
        graphs.require_nncf()
