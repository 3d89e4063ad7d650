"""The loss of ``kodiffcse``: two views of a sentence lie together, and its vector tells which words were replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, nn

from kure_rag.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_TOKEN_KEYS: Final = ("input_ids", "attention_mask", "token_type_ids")


class DropoutReplacedTokenLoss(nn.Module):
    r"""InfoNCE over dropout views, plus a share of replaced-token detection (DiffCSE, Chuang et al. 2022).

    For each view of a sentence some tokens are masked and filled by a frozen masked language model, the generator. A
    discriminator, which begins as a copy of the encoder, reads the altered sentence with the view's own vector in the
    place of the first token's embedding, and tells for each token whether it was replaced. It can only know where the
    vector has kept what the sentence said. The gradient reaches the encoder through that vector alone.

    Only words are masked and judged: never padding, nor the marks at a sentence's beginning and end. Masks are drawn
    from torch's random numbers, as dropout is: a training that goes on from a checkpoint draws the same.

    Args:
        model: The encoder, a transformer with an embedding layer such as BERT's.
        generator: The same vocabulary → logits, such as ``BertForMaskedLM``.
        contrastive: The InfoNCE of two views' vectors: ``MultipleNegativesRankingLoss`` of the same model.
        weight: Of the detection beside InfoNCE, from 0; at 0 it is not computed.
        mask_share: Share of the words that are masked, above 0 and below 1; one word of a sentence at the least.
        seed: Of the discriminator's last layer.

    Attributes:
        last: The two parts of the latest loss, detached, before weighting.

    Raises:
        ConfigError: The encoder cannot be a discriminator, or generator and encoder have different vocabularies.
        ValueError: A share or weight out of its range.
    """

    special: Tensor

    def __init__(
        self,
        model: SentenceTransformer,
        generator: Any,
        contrastive: nn.Module,
        *,
        weight: float = 0.005,
        mask_share: float = 0.15,
        seed: int = 42,
    ) -> None:
        super().__init__()
        if weight < 0:
            raise ValueError(f"weight is {weight}; it must be 0 or more")
        if not 0 < mask_share < 1:
            raise ValueError(f"mask_share is {mask_share}; it must be above 0 and below 1")
        self.model = model
        self.weight = weight
        self.mask_share = mask_share
        self.last: dict[str, float | Tensor] = {}
        encoder = transformer_of(model)
        tokenizer = model.tokenizer
        if tokenizer.mask_token_id is None:
            raise ConfigError("the base's tokenizer has no mask token, which kodiffcse needs; give a BERT or RoBERTa")
        self._mask_id = int(tokenizer.mask_token_id)
        size = generator.config.vocab_size
        if size < len(tokenizer):
            raise ConfigError(
                f"the generator knows {size} tokens and the base's tokenizer {len(tokenizer)}; give one with the same "
                "vocabulary, or scratch, which trains one"
            )
        special = torch.zeros(size, dtype=torch.bool)
        special[torch.tensor(tokenizer.all_special_ids)] = True
        special[len(tokenizer) :] = True  # rows that only round a table's size up
        self.register_buffer("special", special, persistent=False)
        generator.eval().requires_grad_(requires_grad=False)
        # In a tuple, where torch does not take them for parts of this module, which are trained and kept.
        self._frozen = (generator,)
        self._contrastive: tuple[Any] = (contrastive,)
        self.discriminator = copy.deepcopy(encoder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(encoder.config.hidden_size, 2)

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: Tensor | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            sentence_features: Token ids and masks of the sentences, twice: each time dropout falls elsewhere.
            labels: Not used.
        """
        views = list(sentence_features)
        # Models write their vectors into what they are given: each gets a dictionary of its own.
        vectors = [self.model(dict(view))["sentence_embedding"] for view in views]
        loss: Tensor = self._contrastive[0].compute_loss_from_embeddings(vectors, labels)
        self.last = {"contrastive": loss.detach()}
        if self.weight:
            found = [self.detection(view, vector) for view, vector in zip(views, vectors, strict=True)]
            self.last["replaced_tokens"] = sum(part.detach() for part in found)
            # Added up over the views, as the paper's repository has it.
            loss = loss + self.weight * torch.stack(found).sum()
        return loss

    def detection(self, features: dict[str, Any], vectors: Tensor) -> Tensor:
        """Cross entropy of replaced or not, the mean over all words of the batch; 0 where no sentence has a word.

        Args:
            features: Token ids and masks of the sentences.
            vectors: The encoder's, shape (batch, width).
        """
        tokens: dict[str, Tensor] = {key: features[key] for key in _TOKEN_KEYS if key in features}
        ids = tokens["input_ids"]
        words = tokens["attention_mask"].bool() & ~self.special[ids]
        altered = self.alter(tokens, words)
        scores: Tensor = self.head(self._read({**tokens, "input_ids": altered}, vectors)).float()
        if not words.any():
            return scores.sum() * 0.0  # keeps every weight in the graph, which training on several GPUs needs
        return nn.functional.cross_entropy(scores[words], (altered != ids)[words].long())

    @torch.no_grad()
    def alter(self, tokens: dict[str, Tensor], words: Tensor) -> Tensor:
        """The ids with masked words filled by the generator, which may fill in the right one.

        Args:
            tokens: Ids and masks, shape (batch, length).
            words: Which of them may be masked.
        """
        generator = self._frozen[0]
        ids = tokens["input_ids"]
        if generator.device != ids.device:
            generator.to(ids.device)
        generator.eval()
        masked = choose(words, self.mask_share)
        given = {**tokens, "input_ids": ids.masked_fill(masked, self._mask_id)}
        # A mark such as [SEP] in the middle of a sentence would give the replacement away.
        logits = masked_logits(generator, given, masked).float().masked_fill(self.special, -torch.inf)
        return ids.masked_scatter(masked, logits.argmax(-1))

    def _read(self, tokens: dict[str, Tensor], vectors: Tensor) -> Tensor:
        """The discriminator's outputs, with the sentences' vectors where the first token's embedding would be."""

        def condition(_module: nn.Module, _inputs: Any, embedded: Tensor) -> Tensor:
            return torch.cat([vectors.to(embedded.dtype)[:, None], embedded[:, 1:]], dim=1)

        hook = self.discriminator.embeddings.register_forward_hook(condition)
        try:
            read: Tensor = self.discriminator(**tokens).last_hidden_state
        finally:
            hook.remove()
        return read

    def get_config_dict(self) -> dict[str, Any]:
        """For the model card that sentence-transformers writes."""
        return {"weight": self.weight, "mask_share": self.mask_share}


def masked_logits(generator: Any, tokens: dict[str, Tensor], masked: Tensor) -> Tensor:
    """The logits of masked places alone, shape (places, vocabulary): of all places they would take most of the time.

    Args:
        generator: A masked language model.
        tokens: What it reads.
        masked: Which places, shape (batch, length).
    """
    head = getattr(generator, "cls", None) or getattr(generator, "lm_head", None)  # BERT's, RoBERTa's
    if head is None:
        found: Tensor = generator(**tokens).logits[masked]
        return found
    hidden = generator.base_model(**tokens).last_hidden_state
    logits: Tensor = head(hidden[masked])
    return logits


def choose(words: Tensor, share: float) -> Tensor:
    """Draws in each row a share of its words, rounded, one at the least where there is any.

    Args:
        words: Which places are words, shape (batch, length).
        share: How many of them.

    Returns:
        Of the same shape: which were drawn.
    """
    counts = words.sum(1, keepdim=True)
    wanted = torch.minimum((counts * share).round().long().clamp(min=1), counts)
    drawn = torch.rand(words.shape, device=words.device).masked_fill(~words, 2.0)  # after every word
    ranks = drawn.argsort(1).argsort(1)
    return (ranks < wanted) & words


def transformer_of(model: SentenceTransformer) -> Any:
    """The transformer of an encoder, if the detection can be conditioned on a vector in it.

    Raises:
        ConfigError: It has none, or one without an embedding layer as wide as its vectors.
    """
    encoder = getattr(model[0], "auto_model", None)
    if encoder is None or not isinstance(getattr(encoder, "embeddings", None), nn.Module):
        raise ConfigError(
            "kodiffcse needs a transformer with an embedding layer such as BERT's or RoBERTa's as its base; "
            "give klue/roberta-base or scratch:bert"
        )
    width = model.get_embedding_dimension()
    if width != encoder.config.hidden_size:
        raise ConfigError(
            f"the base's vectors have {width} numbers and its layers {encoder.config.hidden_size}; kodiffcse needs as "
            "many: give a base without a layer behind the pooling"
        )
    return encoder
