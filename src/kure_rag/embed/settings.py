"""How a model is loaded and used."""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final, Literal, get_args

BackendName = Literal["torch", "onnx", "openvino", "remote"]
PoolingName = Literal["cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]

MAX_BATCH_TOKENS: Final = 1 << 22
LEAST_CACHE: Final = 1 << 20  # bytes

_CHOICES: Final[Mapping[str, tuple[Any, ...]]] = {
    "too_long": ("warn", "raise"),
    "backend": get_args(BackendName),
    "precision": get_args(Precision),
    "pooling": (*get_args(PoolingName), None),
}


def _text(value: object) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:  # half a character
        return False


def _path(value: object) -> bool:
    return isinstance(value, str | os.PathLike)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _number(least: float, most: float = math.inf) -> Callable[[object], bool]:
    return lambda value: isinstance(value, Real) and not isinstance(value, bool) and least <= float(value) <= most


def _whole(least: int, most: float = math.inf) -> Callable[[object], bool]:
    return lambda value: isinstance(value, Integral) and _number(least, most)(value)


def _up_to(most: int) -> tuple[Callable[[object], bool], str]:
    return _whole(1, most), f"choose a whole number from 1 to {most:,}"


_TEXT: Final = (_text, "give a string of whole characters; a lone surrogate is half of one")
_PATH: Final = (_path, "give the path of a folder")
_FLAG: Final = (_flag, "choose True or False")
_RIGHT: Final[Mapping[str, tuple[Callable[[object], bool], str]]] = {
    **dict.fromkeys(("revision", "query_prefix", "passage_prefix", "device", "endpoint"), _TEXT),
    **dict.fromkeys(("cache", "cache_folder"), _PATH),
    **dict.fromkeys(("normalize", "local_files_only", "trust_remote_code"), _FLAG),
    "dense_weight": (_number(0, 1), "choose a number from 0 to 1"),
    "dimension": _up_to(1 << 16),
    "max_tokens": _up_to(1 << 20),
    "batch_tokens": _up_to(MAX_BATCH_TOKENS),
    "batch_texts": (_whole(1), "choose a whole number, 1 or more"),
    "timeout": (_number(math.nextafter(0, 1)), "choose more than 0 seconds"),
    "retries": (_whole(0), "choose a whole number, 0 or more"),
    "cache_bytes": (_whole(LEAST_CACHE), f"a cache needs a whole number of bytes, {LEAST_CACHE:,} at the least"),
}
_NEVER_NONE: Final = frozenset({"local_files_only", "trust_remote_code"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedSettings:
    """How a model is loaded and used. ``None`` leaves a matter to the model's card or to the machine.

    Attributes:
        revision: Commit, branch or tag on the model hub. Without one, and without one on the card, the newest when it
            is first downloaded; a copy in the cache stays at its commit. A local folder has only its own: loading it
            with another is an error.
        query_prefix: Put before each query; put in Unicode form NFC here, as texts are.
        passage_prefix: Put before each passage; likewise.
        pooling: How token vectors become one, instead of what the card or the model itself says: ``cls`` (the first
            token), ``mean``, ``max``, ``lasttoken``, ``weightedmean``, ``mean_sqrt_len_tokens``.
        normalize: Scale vectors to unit length.
        dense_weight: Weight beside keyword scores, from 0 to 1.
        dimension: Keep this many numbers of each vector (Matryoshka models); unit length is restored afterwards.
        max_tokens: Tokens of a text that are used, special tokens among them; never above the model's own limit.
        too_long: What to do with texts over the limit: ``warn`` once with counts and cut, or ``raise``.
        backend: ``torch``, ``onnx``, ``openvino`` (extras of these names) or ``remote`` (extra ``remote``).
        precision: ``fp32``, ``bf16``, ``fp16``, ``int8``; ``auto`` is the fastest that keeps cosine >= .999 to fp32 on
            this machine: half precision on GPUs, bf16 on processors with instructions for it, fp32 otherwise.
        device: ``cpu``, ``cuda``, ``cuda:1``, ``mps``; by default the best there is. Several, as ``cuda:0,cuda:1`` or
            ``cpu,cpu``, are used at once, one process each.
        batch_tokens: Tokens in one forward pass, padding among them; by default what suits the device. For a server,
            tokens in one request, where each character counts as one; 100,000 by default.
        endpoint: URL of an embedding server, for ``backend="remote"``.
        batch_texts: Texts in one request to a server; 64 by default, and fewer where the server says so.
        timeout: Seconds to wait for the server's answer; 120 by default.
        retries: How often a request is repeated that the server was too busy for; 5 by default.
        cache: Folder of a persistent cache of vectors; ``None`` for none.
        cache_bytes: Size of its file over which the vectors that were not used for longest go; 1 GiB by default.
        cache_folder: Where downloaded weights lie; by default the Hugging Face cache.
        local_files_only: Never go to the network.
        trust_remote_code: Run code that the model brings along. Off unless you have read it.

    Raises:
        ValueError: A value that is none of these.
    """

    revision: str | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    pooling: PoolingName | None = None
    normalize: bool | None = None
    dense_weight: float | None = None
    dimension: int | None = None
    max_tokens: int | None = None
    too_long: Literal["warn", "raise"] = "warn"
    backend: BackendName = "torch"
    precision: Precision = "auto"
    device: str | None = None
    batch_tokens: int | None = None
    endpoint: str | None = field(default=None, repr=False)  # its query string may hold a key
    batch_texts: int | None = None
    timeout: float | None = None
    retries: int | None = None
    cache: str | Path | None = None
    cache_bytes: int | None = None
    cache_folder: str | None = None
    local_files_only: bool = False
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"{name}={value!r}: choose one of {', '.join(map(str, choices))}")
        for name, (is_right, wanted) in _RIGHT.items():
            value = getattr(self, name)
            if not (is_right(value) or (value is None and name not in _NEVER_NONE)):
                shown = "…" if name == "endpoint" else repr(value)  # its query string may hold a key
                raise ValueError(f"{name}={shown}: {wanted}")
        for name in ("query_prefix", "passage_prefix"):  # as texts are: another form would be another prefix
            if (prefix := getattr(self, name)) is not None:
                object.__setattr__(self, name, unicodedata.normalize("NFC", prefix))
        if (self.backend == "remote") != (self.endpoint is not None):
            raise ValueError("backend='remote' and endpoint='http://…' belong together; give both or neither")
        if self.batch_texts is not None and self.backend != "remote":
            raise ValueError(
                f"batch_texts={self.batch_texts!r} is for backend='remote'; other engines fill batches by tokens: "
                "set batch_tokens, or leave both out"
            )
