"""A model's vectors under mteb's ``EncoderProtocol``, with the prefixes and pooling of the model's card."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kure_rag.embed import Embedder, EmbedSettings, as_embedder
from kure_rag.evaluate.mteb_folder import need_mteb
from kure_rag.evaluate.mteb_meta import encoder_meta

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mteb.models import ModelMeta

    from kure_rag.embed import EmbedderLike
    from kure_rag.embed.two_roles import TwoRoles

_log = logging.getLogger(__name__)

Progress = Callable[[int, int | None, str], None]
"""Called with what is done, of how many (``None`` where that is not known), and what is being done."""


class KureEncoder:
    """What ``mteb.evaluate`` takes for a model.

    mteb says of each text whether it is a query or a document, and this makes its vector in that role: the prompts that
    mteb would choose by itself are not used, so a card's prefixes are there, once. Texts of symmetric tasks are
    queries, as the authors of prefixed models advise.

    Example:
        >>> import mteb
        >>> from kure_rag.evaluate.mteb_encoder import KureEncoder
        >>> from kure_rag.evaluate.mteb_tasks import find_tasks
        >>> mteb.evaluate(KureEncoder("KoE5"), find_tasks(["Ko-StrategyQA"]))  # doctest: +SKIP

    Args:
        model: A name from ``kure-rag models``, ``owner/name`` on the hub, the folder of a local model, or an object
            such as ``KureEmbeddings(...)``.
        revision: Of a model on the hub.
        device: As ``cuda:0``.
        settings: What to do differently from the model's card.
        progress: Called while texts are embedded.

    Raises:
        MissingExtraError: mteb is not installed.
        EmbeddingError: The model makes no vectors of this kind.
    """

    def __init__(
        self,
        model: str | object,
        revision: str | None = None,
        *,
        device: str | None = None,
        settings: EmbedSettings | None = None,
        progress: Progress | None = None,
        **_: Any,
    ) -> None:
        need_mteb()
        given: dict[str, Any] = {
            key: value for key, value in (("revision", revision), ("device", device)) if value is not None
        }
        if isinstance(model, str):
            self.embedder: EmbedderLike | TwoRoles = self._made(model, replace(settings or EmbedSettings(), **given))
        elif given or settings is not None:
            raise ValueError("revision, device and settings are for a model that is given by its name")
        else:
            self.embedder = as_embedder(model)
        self.progress = progress
        self._meta: ModelMeta | None = None

    def _made(self, model: str, settings: EmbedSettings) -> EmbedderLike | TwoRoles:
        return Embedder(model, settings)

    @property
    def mteb_model_meta(self) -> ModelMeta:
        """Name, revision and settings, under which mteb keeps the results."""
        if self._meta is None:
            self._meta = encoder_meta(self.embedder)
        return self._meta

    def encode(
        self,
        inputs: Iterable[Any],
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **_: Any,
    ) -> Any:
        """Vectors of what mteb gives, batch by batch; the model makes its own batches out of all of them.

        Args:
            inputs: Batches with ``text``, a list of strings; of documents with their title before the text.
            task_metadata: The task's.
            hf_split: Not used.
            hf_subset: Not used.
            prompt_type: ``document``, ``query`` or ``None`` for neither.

        Returns:
            Shape (texts, dimension), float32; other kinds of models give what they make. An empty text has the zero
            vector, which is near nothing.
        """
        texts = [str(text) for batch in inputs for text in batch["text"]]
        is_document = prompt_type is not None and str(getattr(prompt_type, "value", prompt_type)) == "document"
        embed = self._told(
            is_document, f"{task_metadata.name}: {'documents' if is_document else 'queries'}", len(texts)
        )
        full = [i for i, text in enumerate(texts) if text.strip()]
        if len(full) == len(texts):
            return embed(texts)
        lost = len(texts) - len(full)
        _log.warning("%s: %d of %d texts are empty; they are near nothing", task_metadata.name, lost, len(texts))
        return self._with_blanks(embed([texts[i] for i in full]), full, len(texts))

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Cosines of all vectors with all others, shape (first, second)."""
        from mteb.similarity_functions import cos_sim

        return cos_sim(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Cosines of vectors at equal places, shape (pairs,)."""
        from mteb.similarity_functions import pairwise_cos_sim

        return pairwise_cos_sim(embeddings1, embeddings2)

    def _with_blanks(self, vectors: Any, full: Sequence[int], count: int) -> Any:
        """Vectors at their places among so many, those between them near nothing."""
        out = np.zeros((count, vectors.shape[1]), dtype=np.float32)
        out[full] = vectors
        return out

    def _told(self, is_document: bool, label: str, total: int) -> Callable[[Sequence[str]], Any]:
        """What embeds in a role, and says how far it is where it can."""
        embedder: Any = self.embedder
        embed: Callable[..., Any] = embedder.embed_passages if is_document else embedder.embed_queries
        progress = self.progress
        if progress is None or not isinstance(embedder, Embedder):  # others cannot say how far they are
            return embed
        return lambda texts: embed(texts, progress=lambda done: progress(done, total, label))
