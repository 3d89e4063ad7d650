"""What the recipes for sentence embeddings train on: triplets of inferences, pairs with scores, and their losses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.readers import NliRow, StsPair, as_dataset, check_batch, check_labels, check_scores
from kure_rag.train.recipes.nli_rows import NliRows

if TYPE_CHECKING:
    import torch

LABELS: Final[Mapping[str, int]] = {"contradiction": 0, "entailment": 1, "neutral": 2}
"""Classes in the order of KoSBERT's code."""

_NLI: Final = "the NLI data"
_STS: Final = "the STS data"
_BOTH: Final = "both"  # entailed and contradicted
_MOST: Final = 5.0  # STS scores run from 0 to 5, cosines of what belongs together to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NliTriplet:
    """What a contrastive loss takes.

    Attributes:
        anchor: A text.
        positive: What follows from it, or (mirrored) what it follows from.
        negative: What contradicts the premise of the two.
    """

    anchor: str
    positive: str
    negative: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NliTriplets:
    """Triplets, and what was left out.

    Attributes:
        rows: In the order of the premises; a mirrored one follows the one that it mirrors.
        premises: How many different premises they have: the most that a batch without equal texts can hold.
        notes: What was left out.
    """

    rows: tuple[NliTriplet, ...]
    premises: int
    notes: tuple[str, ...]


def make_triplets(rows: Iterable[NliRow], *, mirrored: bool) -> NliTriplets:
    """Triplets of entailments and contradictions.

    The negative is a contradiction of the same premise, each in turn. (Where the reversed pairs of KorNLI are grouped
    by their first sentence, as in ko-sentence-transformers, a common hypothesis such as "한 남자가 자고 있다." gathers
    contradictions of other scenes.) A hypothesis that one premise both entails and contradicts, two English sentences
    with one machine translation, is in no triplet, nor is one that is equal to its premise.

    Args:
        rows: In any order; neutral ones are not used.
        mirrored: Each entailment in both directions: its hypothesis is an anchor as well.

    Raises:
        CorpusFormatError: There is no entailment, no contradiction, or no premise with both.
    """
    counts: Counter[str] = Counter()
    groups: dict[str, dict[str, str]] = {}  # premise → hypothesis → label
    for row in rows:
        counts[row.label] += 1
        if row.label != "neutral":
            group = groups.setdefault(row.premise, {})
            if group.setdefault(row.hypothesis, row.label) != row.label:
                group[row.hypothesis] = _BOTH
    for label in ("entailment", "contradiction"):
        if not counts[label]:
            has = ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "no rows"
            raise CorpusFormatError(_NLI, f"no {label} in it ({has}); triplets are made of both: add rows with it")
    triplets: list[NliTriplet] = []
    premises = lone = doubtful = 0
    for premise, group in groups.items():
        positives = [text for text, label in group.items() if label == "entailment" and text != premise]
        negatives = [text for text, label in group.items() if label == "contradiction" and text != premise]
        doubtful += sum(label in ("entailment", _BOTH) for label in group.values()) - len(positives)
        if not negatives:
            lone += len(positives)
            continue
        premises += bool(positives)
        for i, positive in enumerate(positives):
            negative = negatives[i % len(negatives)]
            triplets.append(NliTriplet(anchor=premise, positive=positive, negative=negative))
            if mirrored:
                triplets.append(NliTriplet(anchor=positive, positive=premise, negative=negative))
    if not triplets:
        raise CorpusFormatError(
            _NLI, "no premise has both an entailment and a contradiction; triplets are made of both"
        )
    notes = []
    if lone:
        notes.append(f"{lone:,} entailments whose premise has no contradiction were left out")
    if doubtful:
        notes.append(f"{doubtful:,} entailments equal to their premise or to a contradiction of it were left out")
    return NliTriplets(rows=tuple(triplets), premises=premises, notes=tuple(notes))


def triplet_dataset(triplets: NliTriplets, cache: Path, *, batch_size: int) -> Any:
    """Columns ``anchor``, ``positive`` and ``negative``.

    Raises:
        ConfigError: A batch without equal texts would need more premises than there are.
    """
    check_batch(batch_size, triplets.premises, f"what can stand in one ({_NLI}: a triplet of each premise)")
    return as_dataset(triplets.rows, ("anchor", "positive", "negative"), cache, source=_NLI)


def class_dataset(rows: NliRows, cache: Path, *, batch_size: int) -> Any:
    """Columns ``first`` (the premise), ``second`` and ``label``, a number of :data:`LABELS`.

    Raises:
        CorpusFormatError: One of the three classes is missing.
        ConfigError: A batch is larger than the data.
    """
    check_labels((row.label for row in rows), _NLI, expected=tuple(LABELS))
    check_batch(batch_size, len(rows), _NLI)
    numbered = ({"first": row.premise, "second": row.hypothesis, "label": LABELS[row.label]} for row in rows)
    return as_dataset(numbered, {"first": "text", "second": "text", "label": "int"}, cache, source=_NLI)


def score_dataset(pairs: Sequence[StsPair], cache: Path, *, batch_size: int, passes: int = 1) -> Any:
    """Columns ``first``, ``second`` and ``score``, from 0 to 1.

    Args:
        pairs: With scores from 0 to 5.
        cache: Folder for the rows.
        batch_size: Rows in a step.
        passes: How often each pair is in it.

    Raises:
        CorpusFormatError: All pairs have one score.
        ConfigError: A batch is larger than the data.
    """
    check_scores((pair.score for pair in pairs), _STS)
    check_batch(batch_size, len(pairs), _STS)
    scaled = (
        {"first": pair.first, "second": pair.second, "score": pair.score / _MOST}
        for _ in range(passes)
        for pair in pairs
    )
    return as_dataset(scaled, {"first": "text", "second": "text", "score": "float"}, cache, source=_STS)


def contrast(model: Any, temperature: float) -> torch.nn.Module:
    """InfoNCE (van den Oord et al. 2018) over the positives and negatives of the whole batch.

    ``-log(exp(cos(a, p) / T) / sum(exp(cos(a, x) / T)))`` with x all positives and negatives, the mean over anchors a.

    Args:
        model: A ``SentenceTransformer``.
        temperature: T.
    """
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    return MultipleNegativesRankingLoss(model, scale=1 / temperature)


def cosine(model: Any) -> torch.nn.Module:
    """Mean squared error of the cosines of pairs against their scores from 0 to 1 (Reimers and Gurevych 2019)."""
    from sentence_transformers.sentence_transformer.losses import CosineSimilarityLoss

    return CosineSimilarityLoss(model)


def classify(model: Any) -> torch.nn.Module:
    """Cross-entropy of a linear layer over ``(u, v, |u - v|)`` with three classes (Reimers and Gurevych 2019)."""
    from sentence_transformers.sentence_transformer.losses import SoftmaxLoss

    return SoftmaxLoss(model, embedding_dimension=model.get_embedding_dimension(), num_labels=len(LABELS))


def nested(model: Any, loss: torch.nn.Module, dimensions: Sequence[int]) -> torch.nn.Module:
    """The loss on the first numbers of the vectors as well (Matryoshka, Kusupati et al. 2022), added up.

    Args:
        model: A ``SentenceTransformer``; its whole vectors are always among the lengths.
        loss: On whole vectors.
        dimensions: Lengths; none gives the loss back.

    Raises:
        ConfigError: One is longer than the model's vectors.
    """
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss

    if not dimensions:
        return loss
    whole = model.get_embedding_dimension()
    if max(dimensions) > whole:
        raise ConfigError(f"matryoshka: {max(dimensions)} numbers of vectors that have {whole}; take {whole} and less")
    return MatryoshkaLoss(model, loss, sorted({whole, *dimensions}, reverse=True))
