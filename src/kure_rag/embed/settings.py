"""How a model is loaded and used."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

BackendName = Literal["torch", "onnx", "openvino", "remote"]
PoolingName = Literal["cls", "mean", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"]
Precision = Literal["auto", "fp32", "bf16", "fp16", "int8"]

MAX_BATCH_TOKENS: Final = 1 << 22
LEAST_CACHE: Final = 1 << 20  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedSettings:
    """How a model is loaded and used. ``None`` leaves a matter to the model's card or to the machine.

    Attributes:
        revision: Commit, branch or tag on the model hub. Without one, and without one on the card, the newest when it
            is first downloaded; a copy in the cache stays at its commit.
        query_prefix: Put before each query.
        passage_prefix: Put before each passage.
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
        for name, choices in (
            ("too_long", ("warn", "raise")),
            ("backend", get_args(BackendName)),
            ("precision", get_args(Precision)),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose one of {', '.join(choices)}")
        if self.pooling is not None and self.pooling not in get_args(PoolingName):
            raise ValueError(f"pooling={self.pooling!r}: choose one of {', '.join(get_args(PoolingName))}, or None")
        if self.timeout is not None and not self.timeout > 0:
            raise ValueError(f"timeout={self.timeout!r}: choose more than 0 seconds")
        if self.retries is not None and self.retries < 0:
            raise ValueError(f"retries={self.retries!r}: choose 0 or more")
        if self.batch_texts is not None and self.batch_texts < 1:
            raise ValueError(f"batch_texts={self.batch_texts!r}: choose 1 or more")
        if self.cache_bytes is not None and self.cache_bytes < LEAST_CACHE:
            raise ValueError(f"cache_bytes={self.cache_bytes!r}: a cache needs {LEAST_CACHE:,} at the least")
        for name, most in (("dimension", 1 << 16), ("max_tokens", 1 << 20), ("batch_tokens", MAX_BATCH_TOKENS)):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= most:
                raise ValueError(f"{name}={value!r}: choose a whole number from 1 to {most:,}")
        if (self.backend == "remote") != (self.endpoint is not None):
            raise ValueError("backend='remote' and endpoint='http://…' belong together; give both or neither")
        if self.batch_texts is not None and self.backend != "remote":
            raise ValueError(
                f"batch_texts={self.batch_texts!r} is for backend='remote'; other engines fill batches by tokens: "
                "set batch_tokens, or leave both out"
            )
