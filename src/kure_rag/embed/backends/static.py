"""Static vectors: one for each token, and a text's is their mean. NumPy and a tokenizer are all it takes.

Neither torch nor sentence-transformers is imported for a local copy: such a model answers its first query before those
would be loaded. The vectors are what sentence-transformers' ``StaticEmbedding`` gives. There is nothing to run, so the
settings for devices, precisions and engines change nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import numpy.typing as npt

from kure_rag.embed.backends.base import Progress, TooLong
from kure_rag.embed.backends.pieces import TokenIds
from kure_rag.embed.base import Role, Vectors
from kure_rag.errors import EmbeddingError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_WINDOW: Final = 1_024  # texts tokenised together
_BLOCK: Final = 512  # tokens of a text added up at once, in single precision: few enough that it stays exact
_LIBRARY: Final = "sentence_transformers."
_KNOWN_TYPES: Final = frozenset({"F64", "F32", "F16", "I8", "U8"})  # NumPy has no bfloat16: the library reads that


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """Where a static model lies.

    Attributes:
        weights: A safetensors file with ``embedding.weight`` (sentence-transformers) or ``embeddings`` (model2vec).
        tokenizer: A ``tokenizer.json``.
        unit: Whether the model ends in scaling to unit length.
    """

    weights: Path
    tokenizer: Path
    unit: bool


def find_static(folder: Path) -> StaticFiles | None:
    """The files of a folder that holds a static model this module can run; ``None`` for any other folder.

    Such a folder has a ``modules.json`` that names ``StaticEmbedding`` and at most ``Normalize`` after it, or is one
    that model2vec has written, whose ``config.json`` says so.
    """
    found = _from_modules(folder) if (folder / "modules.json").is_file() else _from_model2vec(folder)
    if found is None or not found.weights.is_file() or not found.tokenizer.is_file():
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(found.weights, framework="np") as opened:
            names = [name for name in opened.keys() if name.startswith("embedding")]  # noqa: SIM118  (no dictionary)
            kinds = {opened.get_slice(name).get_dtype() for name in names}
    except (SafetensorError, OSError) as error:
        raise _broken(found.weights, error) from error
    return found if kinds and kinds <= _KNOWN_TYPES else None


class StaticBackend:
    """A static model on the processor. One object serves many threads.

    Args:
        tokenizer: A ``tokenizers.Tokenizer``; its own cut is taken over, and its padding turned off.
        embeddings: Shape (rows, dimension), of any number type: 8-bit rows stay 8-bit in memory.
        weights: What each token's row is multiplied by, by token id.
        mapping: Row of each token id; by default the id itself.
        unit: Scale results to unit length.
        max_tokens: Texts are cut at this many tokens.

    Raises:
        EmbeddingError: The arrays do not fit each other.
    """

    def __init__(
        self,
        tokenizer: Any,
        embeddings: npt.NDArray[Any],
        *,
        weights: npt.NDArray[Any] | None = None,
        mapping: npt.NDArray[Any] | None = None,
        unit: bool = False,
        max_tokens: int | None = None,
    ) -> None:
        tokens = len(embeddings) if mapping is None else len(mapping)
        if embeddings.ndim != 2 or (weights is not None and weights.shape != (tokens,)):
            raise EmbeddingError("the model's arrays do not fit each other; copy it again")
        self._ids = TokenIds(tokenizer, max_tokens)
        self._embeddings = embeddings
        self._weights = np.ones(tokens, np.float32) if weights is None else weights.astype(np.float32)
        self._mapping = mapping
        self._unit = unit

    @classmethod
    def from_files(cls, files: StaticFiles, *, max_tokens: int | None = None) -> Self:
        """Loads a model.

        Raises:
            EmbeddingError: A file is broken.
        """
        from safetensors import SafetensorError, safe_open
        from tokenizers import Tokenizer

        try:
            with safe_open(files.weights, framework="np") as opened:
                arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  (no dictionary)
        except (SafetensorError, OSError) as error:
            raise _broken(files.weights, error) from error
        try:
            tokenizer = Tokenizer.from_file(str(files.tokenizer))
        except Exception as error:  # it raises nothing narrower
            raise _broken(files.tokenizer, error) from error
        if "embedding.weight" in arrays:  # the library reads no others beside it
            return cls(tokenizer, arrays["embedding.weight"], unit=files.unit, max_tokens=max_tokens)
        return cls(
            tokenizer,
            arrays["embeddings"],
            weights=arrays.get("weights"),
            mapping=arrays.get("mapping"),
            unit=files.unit,
            max_tokens=max_tokens,
        )

    @classmethod
    def from_library(cls, model: SentenceTransformer, *, max_tokens: int | None = None) -> Self | None:
        """Takes over a model that sentence-transformers has loaded, from a hub; ``None`` if it is no static one."""
        modules: list[Any] = list(model)
        names = [type(module).__name__ for module in modules]
        if names[:1] != ["StaticEmbedding"] or names[1:] not in ([], ["Normalize"]):
            return None
        rows = modules[0].embedding.weight.detach().float().cpu().numpy()
        return cls(modules[0].tokenizer, rows, unit=len(names) == 2, max_tokens=max_tokens)

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return int(self._embeddings.shape[1])

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that are used; static vectors have no limit of their own."""
        return self._ids.limit

    def encode(
        self, texts: Sequence[str], *, role: Role, too_long: TooLong | None = None, progress: Progress | None = None
    ) -> Vectors:
        """See :class:`~kure_rag.embed.backends.base.Backend`. A text without any known token has a vector of zeros."""
        out = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for first in range(0, len(texts), _WINDOW):
            ids, over = self._ids.of(texts[first : first + _WINDOW])
            if over and too_long is not None:
                too_long([(first + i, count) for i, count in over])
            for i, row in enumerate(ids):
                self._add_up(row, out[first + i])
            if progress is not None:
                progress(first + len(ids))
        if self._unit:
            out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        return out

    def _add_up(self, ids: npt.NDArray[np.int32], out: Vectors) -> None:
        """The mean of tokens' rows, as products of their weights and rows: no slower than a plain sum."""
        if not len(ids):
            return
        total: npt.NDArray[np.float64] | Vectors = out if len(ids) <= _BLOCK else np.zeros(len(out))
        try:
            for start in range(0, len(ids), _BLOCK):
                part = ids[start : start + _BLOCK]
                rows = self._embeddings.take(part if self._mapping is None else self._mapping.take(part), axis=0)
                total += self._weights.take(part) @ rows.astype(np.float32, copy=False)
        except IndexError as error:
            raise EmbeddingError(
                f"the model has {len(self._weights):,} vectors and its tokenizer asks for number {int(ids.max()):,}; "
                "they do not belong together: copy the model again"
            ) from error
        out[:] = total / len(ids)


def _from_modules(folder: Path) -> StaticFiles | None:
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        kinds = [str(module["type"]) for module in modules]
        place = folder / str(modules[0]["path"])
    except (OSError, ValueError, LookupError, TypeError):
        return None  # the library says what is wrong with it
    names = [kind.rpartition(".")[2] for kind in kinds if kind.startswith(_LIBRARY)]
    if len(names) != len(kinds) or names not in (["StaticEmbedding"], ["StaticEmbedding", "Normalize"]):
        return None
    return StaticFiles(place / "model.safetensors", place / "tokenizer.json", len(names) == 2)


def _from_model2vec(folder: Path) -> StaticFiles | None:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if config["model_type"] != "model2vec":
            return None
        unit = bool(config.get("normalize", False))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    return StaticFiles(folder / "model.safetensors", folder / "tokenizer.json", unit)


def _broken(file: Path, error: BaseException) -> EmbeddingError:
    told = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return EmbeddingError(f"{file}: the model could not be loaded ({told}); copy it again")
