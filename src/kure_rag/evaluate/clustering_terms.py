"""What a group of texts is about: the nouns that stand in it and not in the others."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TermsOf: TypeAlias = Callable[[Sequence[str]], list[list[str]]]

# Of what an index keeps, the tags that name a thing by themselves: common and proper nouns, Latin letters, Hanja. A
# verb's stem, such as 정하, or a number is no name for a group.
_NAMING: Final = frozenset({"NNG", "NNP", "SL", "SH"})


def nouns(texts: Sequence[str]) -> list[list[str]]:
    """The nouns of each text, by Kiwi, in order; Latin letters in lower case, as an index has them."""
    from kure_rag.tokenize.kiwi import shared_kiwi

    clean = [unicodedata.normalize("NFC", text) for text in texts]
    analysed = shared_kiwi().tokenize(clean)
    return [[token.form.lower() for token in tokens if token.tag in _NAMING] for tokens in analysed]


def typical_terms(
    texts: Sequence[str], labels: NDArray[np.int64], *, most: int = 5, terms_of: TermsOf = nouns
) -> dict[int, tuple[str, ...]]:
    """The most typical terms of each cluster.

    A term's weight is its part of the Kullback-Leibler divergence of the cluster from all clusters (Tomokiyo and Hurst
    2003): ``p log(p / q)``, where ``p`` is the share of the cluster's texts that have the term and ``q`` the share of
    all texts. What stands everywhere weighs nothing, and so does what only one text of many has. A term of one syllable
    is taken only where a cluster has no longer one.

    Args:
        texts: In the order of ``labels``.
        labels: Of each text the number of its cluster; a negative one is none.
        most: How many of each cluster.
        terms_of: What makes terms of texts.

    Returns:
        Cluster → terms, best first; of equal ones in the order of their letters. Empty where no text has a term.
    """
    sizes = Counter(label for label in labels.tolist() if label >= 0)
    counts: dict[int, Counter[str]] = {label: Counter() for label in sorted(sizes)}
    for label, terms in zip(labels.tolist(), terms_of(texts), strict=True):
        if label >= 0:
            counts[label].update(set(terms))
    everywhere: Counter[str] = Counter()
    for of_cluster in counts.values():
        everywhere.update(of_cluster)
    shares = {term: count / sizes.total() for term, count in everywhere.items()}
    return {label: _best(of_cluster, sizes[label], shares, most) for label, of_cluster in counts.items()}


def _best(of_cluster: Counter[str], size: int, shares: dict[str, float], most: int) -> tuple[str, ...]:
    chosen = {term: count / size for term, count in of_cluster.items() if len(term) > 1}
    chosen = chosen or {term: count / size for term, count in of_cluster.items()}
    weight = {term: share * math.log(share / shares[term]) for term, share in chosen.items()}
    # Of one cluster alone all weights are 0: then the terms that most texts have.
    return tuple(sorted(weight, key=lambda term: (-weight[term], -chosen[term], term))[:most])
