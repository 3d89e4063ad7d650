"""One model of sentence-transformers on one device: texts or pairs through it in batches of nearly one length."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from kure_rag.embed.base import Role
from kure_rag.embed.batches import batches
from kure_rag.embed.hub import first_line
from kure_rag.embed.library_precision import in_precision
from kure_rag.embed.loading import require_all_weights
from kure_rag.embed.model_card import Kind, ModelCard
from kure_rag.embed.settings import EmbedSettings
from kure_rag.embed.tokens import TextTokenizer
from kure_rag.errors import EmbeddingError

Item: TypeAlias = "str | tuple[str, str]"
"""A text with its prefix, or a pair of a query and a passage."""

Row: TypeAlias = tuple[npt.NDArray[Any], ...]
"""What a model makes of one item: (indices, values), (token vectors,) or (score,)."""

TooLong = Callable[[Sequence[tuple[int, int]]], None]
"""Told (position, tokens) of items over the limit, before anything is computed on one device; may raise."""

_CPU_TOKENS: Final = 4096
_GPU_TOKENS: Final = 32_768
_CPU_PASS: Final = 128  # tokens of padding that cost as much as one more pass
_GPU_PASS: Final = 4096
_CPU_LOGITS: Final = 1 << 30  # bytes for what a sparse model makes of one batch: a number for each token and word
_GPU_LOGITS: Final = 1 << 33
_BYTES_A_LOGIT: Final = 12  # the library holds three of them at once
_NO_LIMIT: Final = 1 << 30  # transformers writes 10 ** 30 where a tokenizer has no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a model once it is loaded.

    Attributes:
        prompts: Those it stores, by the library's names.
        query_tokens: Tokens of a query, or of a pair, that are used; ``None`` for no limit.
        passage_tokens: Tokens of a passage that are used.
        dimension: Numbers in a vector, or in the vector of a token; ``None`` for a reranker.
        labels: Scores for a pair; 1 for all other kinds.
        precision: What its transformer computes in, such as ``bfloat16``.
        cosine: Smallest cosine to fp32 where half precision was measured, see
            :mod:`~kure_rag.embed.library_precision`.
    """

    prompts: Mapping[str, str | None]
    query_tokens: int | None
    passage_tokens: int | None
    dimension: int | None
    labels: int
    precision: str
    cosine: float | None


class Engine(Protocol):
    """A loaded model, on one device or on several. One object serves many threads."""

    @property
    def facts(self) -> Facts:
        """What is known of it."""
        ...

    def encode(self, items: Sequence[Item], role: Role, too_long: TooLong) -> list[Row]:
        """A row for each item, in order. Texts are checked and have their prefix."""
        ...

    def names(self, ids: Sequence[int]) -> list[str]:
        """Tokens of the vocabulary by their numbers."""
        ...

    def close(self) -> None:
        """Ends the processes of a model on several devices."""
        ...


class Library(Protocol):
    """One of the library's kinds of model."""

    kind: Kind

    def made(self, where: str, **common: Any) -> Any:
        """The library's object, from a folder."""
        ...

    def encoded(self, model: Any, items: list[Any], role: Role) -> list[Row]:
        """One batch."""
        ...

    def probe(self, model: Any) -> list[npt.NDArray[np.float32]]:
        """See :data:`~kure_rag.embed.library_precision.Probe`."""
        ...


class LibraryEngine:
    """A model on one device. See :class:`Engine`.

    Args:
        library: Its kind.
        folder: Its files, which are checked.
        card: How it is used.
        settings: With one device, or none for the best there is.

    Raises:
        EmbeddingError: It cannot be loaded, or ``max_tokens`` leaves no room for a text.
    """

    def __init__(self, library: Library, folder: Path, card: ModelCard, settings: EmbedSettings) -> None:
        self._library, self._folder, self._card, self._settings = library, folder, card, settings
        # Threads that share a model take turns: a tokenizer must not be set for queries while it reads passages.
        self._turn = threading.Lock()
        model, precision, cosine = in_precision(
            self._loaded, library.probe, settings.precision, keep_head=library.kind == "reranker"
        )
        self._model = model
        pair = library.kind == "reranker"
        self._tokenizer = TextTokenizer(copy.deepcopy(model.tokenizer), None)  # the library sets its own to cut and pad
        self._alone = int(model.tokenizer.num_special_tokens_to_add())
        self._together = int(model.tokenizer.num_special_tokens_to_add(pair=True))
        query, passage = self._limits(model)
        _require_room(query, self._together if pair else self._alone)
        _require_room(passage, self._alone)
        self.facts = Facts(
            prompts=dict(getattr(model, "prompts", None) or {}),
            query_tokens=query,
            passage_tokens=passage,
            dimension=None if pair else self._dimension(),
            labels=int(model.num_labels) if pair else 1,
            precision=precision,
            cosine=cosine,
        )
        self._most = settings.batch_tokens or self._budget()

    def encode(self, items: Sequence[Item], role: Role, too_long: TooLong) -> list[Row]:
        """See :class:`Engine`.

        Raises:
            EmbeddingError: A GPU's memory does not suffice for a single item.
        """
        lengths = self._lengths(items)
        limit = self.facts.query_tokens if role == "query" else self.facts.passage_tokens
        if limit is not None and (over := [(i, tokens) for i, tokens in enumerate(lengths) if tokens > limit]):
            too_long(over)
        out: list[Row] = [()] * len(items)
        # Queries that are filled up with mask tokens are all of one length.
        least = expansion["length"] if role == "query" and (expansion := self._expansion) else 1
        used = [max(least, min(tokens, limit or tokens)) for tokens in lengths]
        one_pass = _CPU_PASS if self._model.device.type == "cpu" else _GPU_PASS
        for group in batches(used, self._most, pass_tokens=one_pass):
            rows = self._batch([items[i] for i in group], role, sum(used[i] for i in group))
            for i, row in zip(group, rows, strict=True):
                out[i] = row
        return out

    def names(self, ids: Sequence[int]) -> list[str]:
        """See :class:`Engine`."""
        with self._turn:
            return [str(name) for name in self._model.tokenizer.convert_ids_to_tokens(list(ids))]

    def close(self) -> None:
        """Nothing to end."""

    def _batch(self, items: list[Item], role: Role, tokens: int) -> list[Row]:
        import torch

        try:
            with self._turn:
                return self._library.encoded(self._model, items, role)
        except torch.cuda.OutOfMemoryError as error:
            if len(items) == 1:
                raise EmbeddingError(
                    f"{self._model.device} has no memory left for {tokens:,} tokens; set max_tokens lower, free the "
                    "device, or use another one"
                ) from error
        # Outside of the handler: the exception holds what the pass had allocated.
        torch.cuda.empty_cache()
        self._most = max(1, min(self._most, tokens // 2))
        half = len(items) // 2
        return [row for part in (items[:half], items[half:]) for row in self._batch(part, role, tokens // 2)]

    def _lengths(self, items: Sequence[Item]) -> list[int]:
        """Tokens of each item, before anything is cut."""
        if self._library.kind != "reranker":
            return [len(row) for row in self._tokenizer.encode([str(item) for item in items]).ids]
        texts = list(dict.fromkeys(text for pair in items for text in pair))  # one query stands in many pairs
        tokens = {
            text: len(row) - self._alone for text, row in zip(texts, self._tokenizer.encode(texts).ids, strict=True)
        }
        return [sum(tokens[text] for text in pair) + self._together for pair in items]

    def _loaded(self) -> Any:
        settings = self._settings
        try:
            model = self._library.made(
                str(self._folder),
                device=settings.device,
                local_files_only=True,
                trust_remote_code=settings.trust_remote_code,
            )
        except Exception as error:  # tokenizers and safetensors raise it bare for broken files
            raise EmbeddingError(f"{self._folder}: the model could not be loaded ({first_line(error)})") from error
        require_all_weights(self._folder, model)
        return model.eval()

    @property
    def _expansion(self) -> Mapping[str, Any] | None:
        """How the model fills up queries, as ColBERT does."""
        found: Mapping[str, Any] | None = getattr(self._model[0], "query_expansion", None)
        return found

    def _limits(self, model: Any) -> tuple[int | None, int | None]:
        """Tokens of queries and of passages that are used; the model is set to cut at the smallest limit named."""
        named = (getattr(model, "max_seq_length", None), self._card.max_tokens, self._settings.max_tokens)
        whole = [limit for limit in (*named, *_positions(model)) if isinstance(limit, int) and limit < _NO_LIMIT]
        most = min(whole, default=None)
        if most is not None and model.max_seq_length != most:
            model.max_seq_length = most
        first = model[0]
        if (own := getattr(first, "document_length", None)) is not None and most is not None and most < own:
            first.document_length = most
        passage = getattr(first, "document_length", None) or most
        if (expansion := self._expansion) is not None and expansion["strategy"] == "fixed":
            return int(expansion["length"]), passage  # a query is that long whatever else is set
        if (own := getattr(first, "query_length", None)) is not None and most is not None and most < own:
            first.query_length = most if expansion is None else max(most, int(expansion["length"]))
        return getattr(first, "query_length", None) or most, passage

    def _dimension(self) -> int:
        if self._library.kind == "sparse":  # the library says the transformer's width until it has seen a text
            self._library.encoded(self._model, ["가"], "passage")
        return int(self._model.get_embedding_dimension())

    def _budget(self) -> int:
        cpu = self._model.device.type == "cpu"
        tokens = _CPU_TOKENS if cpu else _GPU_TOKENS
        if self._library.kind != "sparse" or not self.facts.dimension:
            return tokens
        room = _CPU_LOGITS if cpu else _GPU_LOGITS
        return max(1, min(tokens, room // (_BYTES_A_LOGIT * self.facts.dimension)))


def _require_room(limit: int | None, special: int) -> None:
    if limit is not None and limit <= special:
        raise EmbeddingError(
            f"max_tokens={limit} leaves no room for a text: the model puts {special} special tokens around it; choose "
            f"{special + 1} or more"
        )


def _positions(model: Any) -> Iterator[int]:
    """How many tokens a model has places for: RoBERTa's 514 positions, say, begin at 2 and are good for 512."""
    for module in model.modules():
        offset, table = getattr(module, "padding_idx", None), getattr(module, "position_embeddings", None)
        if isinstance(offset, int) and table is not None and hasattr(table, "num_embeddings"):
            yield table.num_embeddings - offset - 1
