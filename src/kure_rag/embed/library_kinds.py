"""How sentence-transformers makes and runs each kind of model that is not dense."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from kure_rag.embed.base import Role
from kure_rag.embed.library_engine import Library, Row
from kure_rag.embed.loading import weight_options
from kure_rag.embed.model_card import Kind

# On these half precision is measured: questions, terms, a clause of law, a finding, a table's line.
_QUERIES: Final = ("보증금은 언제 돌려받나요?", "퇴직금 중간정산 사유", "당기순이익이 줄어든 까닭은 무엇인가?")
_PASSAGES: Final = (
    "임대인은 임대차가 끝나면 임차인에게 보증금을 돌려주어야 하며, 임차인은 이와 동시에 집을 비워 주어야 한다.",
    "무주택자인 근로자가 본인 명의로 주택을 구입하는 경우에는 퇴직금을 미리 정산하여 받을 수 있다.",
    "당기순이익은 1,204억 원으로 전년보다 18.3% 줄었다. 이자비용이 늘고 환율이 올랐기 때문이다.",
    "흉부 방사선 사진에서 오른쪽 아래 폐야의 침윤이 보인다.",
)


class Sparse:
    """A :class:`sentence_transformers.SparseEncoder`. See :class:`~kure_rag.embed.library_engine.Library`."""

    kind: Kind = "sparse"

    def made(self, where: str, **common: Any) -> Any:
        """The library's object."""
        from sentence_transformers import SparseEncoder

        return SparseEncoder(where, model_kwargs=weight_options(), **common)

    def encoded(self, model: Any, items: list[Any], role: Role) -> list[Row]:
        """(indices, values) of each text."""
        # The library's own two methods, since some models have another path for queries than for passages.
        encode = model.encode_query if role == "query" else model.encode_document
        found = encode(items, prompt="", batch_size=len(items), show_progress_bar=False, save_to_cpu=True)
        rows = [row.coalesce() for row in found]
        return [
            (row.indices()[0].numpy().astype(np.int32), row.values().float().numpy().astype(np.float32)) for row in rows
        ]

    def probe(self, model: Any) -> list[npt.NDArray[np.float32]]:
        """Vectors of some queries and passages."""
        out, rows = [], _both(self, model)
        size = int(model.get_embedding_dimension())  # which the library knows after a first text
        for indices, values in rows:
            out.append(np.zeros(size, dtype=np.float32))
            out[-1][indices] = values
        return out


class LateInteraction:
    """A :class:`sentence_transformers.MultiVectorEncoder`. See :class:`~kure_rag.embed.library_engine.Library`."""

    kind: Kind = "late-interaction"

    def made(self, where: str, **common: Any) -> Any:
        """The library's object."""
        from sentence_transformers import MultiVectorEncoder

        return MultiVectorEncoder(where, model_kwargs=weight_options(), **common)

    def encoded(self, model: Any, items: list[Any], role: Role) -> list[Row]:
        """The token vectors of each text, of the length that the model gives them."""
        # The library's own two methods: queries are padded with mask tokens, passages lose their punctuation.
        encode = model.encode_query if role == "query" else model.encode_document
        found = encode(
            items,
            prompt="",
            batch_size=len(items),
            show_progress_bar=False,
            convert_to_numpy=True,
            normalize_embeddings=False,
        )
        return [(np.ascontiguousarray(vectors, dtype=np.float32),) for vectors in found]

    def probe(self, model: Any) -> list[npt.NDArray[np.float32]]:
        """Token vectors of some queries and passages."""
        return [row[0] for row in _both(self, model)]


class Reranker:
    """A :class:`sentence_transformers.CrossEncoder`. See :class:`~kure_rag.embed.library_engine.Library`."""

    kind: Kind = "reranker"

    def made(self, where: str, **common: Any) -> Any:
        """The library's object."""
        from sentence_transformers import CrossEncoder

        return CrossEncoder(where, model_kwargs=weight_options(), **common)

    def encoded(self, model: Any, items: list[Any], role: Role) -> list[Row]:
        """(score,) of each pair."""
        found = model.predict(items, batch_size=len(items), show_progress_bar=False, convert_to_numpy=True)
        return [(np.asarray(score, dtype=np.float32),) for score in found]

    def probe(self, model: Any) -> list[npt.NDArray[np.float32]]:
        """Scores of some pairs, before they are squeezed between 0 and 1, as they differ from their mean."""
        import torch

        pairs = list(itertools.product(_QUERIES, _PASSAGES))
        found = model.predict(pairs, batch_size=len(pairs), show_progress_bar=False, activation_fn=torch.nn.Identity())
        scores = np.asarray(found, dtype=np.float32)
        return [scores - scores.mean(axis=0)]


def _both(library: Library, model: Any) -> list[Row]:
    return [
        *library.encoded(model, list(_QUERIES), "query"),
        *library.encoded(model, list(_PASSAGES), "passage"),
    ]


LIBRARIES: Final[Mapping[Kind, Library]] = {
    library.kind: library for library in (Sparse(), LateInteraction(), Reranker())
}
