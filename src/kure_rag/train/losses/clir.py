"""The loss of ``clir``: a student keeps its teacher's English neighbourhoods, and finds them in Korean too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class CrossLingualKlLoss(nn.Module):
    r"""``KL(P, softmax(T_en S_enᵀ / t)) + KL(P, softmax(T_en S_koᵀ / t))`` with ``P = softmax(T_en T_enᵀ / t)``.

    T and S are the teacher's and the student's unit vectors of a batch. P says how near the batch's English texts are
    to each other for the teacher. The student's English vectors must stay where the teacher's are, and its Korean ones
    come to lie beside those of their English partners. The teacher is frozen, always in evaluation mode and no part of
    this module: it is neither trained nor written into checkpoints.

    Args:
        model: The student.
        teacher: Turns the same token ids into vectors of the same dimension.
        temperature: t, above 0.

    Raises:
        ValueError: The temperature is not above 0, or the two have vectors of different dimensions.
    """

    def __init__(self, model: SentenceTransformer, teacher: SentenceTransformer, *, temperature: float = 1.0) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature is {temperature}; it must be above 0")
        own, others = model.get_embedding_dimension(), teacher.get_embedding_dimension()
        if own != others:
            raise ValueError(
                f"vectors of {own} numbers from the student, {others} from the teacher; they must be as many"
            )
        self.model = model
        self.temperature = temperature
        teacher.eval().requires_grad_(requires_grad=False)
        self._frozen = (teacher,)  # in a tuple, where torch does not take it for a part of this module

    @property
    def teacher(self) -> SentenceTransformer:
        """The frozen one."""
        return self._frozen[0]

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:
        """The mean over the batch, in nats.

        Args:
            sentence_features: Token ids and masks of the English texts, then of the Korean ones at the same places.
            labels: Not used.
        """
        english, korean = sentence_features
        # Models write their vectors into what they are given: each gets a dictionary of its own.
        target = self._target(dict(english))
        vectors = [_unit(self.model(dict(features))["sentence_embedding"]) for features in (english, korean)]
        return self.compute_loss_from_embeddings(target, vectors)

    def compute_loss_from_embeddings(self, target: Tensor, vectors: Iterable[Tensor]) -> Tensor:
        """The loss of unit vectors.

        Args:
            target: The teacher's English ones, shape (batch, dimension).
            vectors: The student's in each language, of the same shape.
        """
        # In float32 whatever the precision: in 16 bits, cosines lose what tells neighbours apart.
        with torch.autocast(target.device.type, enabled=False):
            wanted = self._log_shares(target, target)
            losses = [
                nn.functional.kl_div(self._log_shares(target, own), wanted, reduction="batchmean", log_target=True)
                for own in vectors
            ]
            return torch.stack(losses).sum()

    def _log_shares(self, target: Tensor, vectors: Tensor) -> Tensor:
        return torch.log_softmax(target.float() @ vectors.float().T / self.temperature, dim=1)

    @torch.no_grad()
    def _target(self, english: dict[str, Any]) -> Tensor:
        teacher = self.teacher
        device = english["input_ids"].device
        if teacher.device != device:
            teacher.to(device)
        teacher.eval()
        return _unit(teacher(english)["sentence_embedding"])

    def get_config_dict(self) -> dict[str, Any]:
        """For the model card that sentence-transformers writes."""
        return {"temperature": self.temperature}


def _unit(vectors: Tensor) -> Tensor:
    return nn.functional.normalize(vectors.float(), dim=1)
