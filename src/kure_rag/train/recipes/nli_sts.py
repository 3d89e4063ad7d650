"""Inference (NLI) and similarity (STS) data: read, checked, and kept apart from what the model is scored on.

What the recipes for sentence embeddings share. Without development files a tenth is held back, and rows that share a
text with it are left out; with such files, training rows that stand in them are left out. ``nli_sts_stages`` makes
triplets and losses of the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.evaluate.sts_sets import read_sts
from kure_rag.train.development import Development
from kure_rag.train.development_sets import RetrievalDev, StsDev
from kure_rag.train.readers import (
    Kind,
    NliRow,
    Omissions,
    Row,
    StsPair,
    detect_kind,
    read_nli,
    read_training_data,
    texts_of,
)
from kure_rag.train.recipe import Say, Sources
from kure_rag.train.recipes.nli_rows import NliRows, each_once
from kure_rag.train.recipes.plain_text import read_texts
from kure_rag.train.recipes.triplet_dev import digest, shared_answers

_SHARE: Final = 10  # one in so many is held back
_LEAST: Final = 50  # rows (premises) that a tenth is worth holding back of
_PAIRS: Final = 1_000  # the most pairs that are held back
_PREMISES: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceData:
    """What the files hold.

    Attributes:
        nli: Premises and hypotheses, each row once; they lie on disk.
        sts: Pairs with a similarity from 0 to 5.
        others: Texts of rows of other kinds, each once.
        development: What the model is scored on.
        notes: What was left out.
    """

    nli: NliRows = field(default_factory=NliRows)
    sts: tuple[StsPair, ...] = ()
    others: tuple[str, ...] = ()
    development: tuple[Development, ...] = ()
    notes: tuple[str, ...] = ()

    def texts(self) -> Iterator[str]:
        """All texts, with repetitions."""
        for row in self.nli:
            yield from texts_of(row)
        for pair in self.sts:
            yield from texts_of(pair)
        yield from self.others


def read_sentences(
    sources: Sources,
    need: Collection[Kind],
    *,
    any_text: bool = False,
    skip_faults: bool,
    seed: int,
    say: Say,
) -> SentenceData:
    """Reads the training and the development files.

    Args:
        sources: Where they lie.
        need: Kinds of rows of which there must be some.
        any_text: Read rows of all kinds and plain text; those needed alone by default.
        skip_faults: Leave faulty rows out and count them.
        seed: Of what is held back where there are no development files.
        say: Told what was read.

    Raises:
        SourceNotFoundError: A file is missing.
        CorpusFormatError: A file breaks its format, or holds something else.
        ConfigError: A kind that is needed is in none of them.
    """
    omissions = Omissions()
    sts: list[StsPair] = []
    others: dict[str, None] = {}
    read = 0
    rows: Iterator[str | Row]
    if any_text:
        rows = read_texts(sources.train, sources.work, omissions, skip_faults=skip_faults)
    else:
        rows = read_training_data(
            sources.train, need, skip_faults=skip_faults, omissions=omissions, scratch=sources.work
        )

    def inferences() -> Iterator[NliRow]:
        nonlocal read
        for row in rows:
            if isinstance(row, NliRow):
                read += 1
                yield row
            elif isinstance(row, StsPair):
                sts.append(row)
            else:
                others.update(dict.fromkeys((row,) if isinstance(row, str) else texts_of(row)))

    nli = NliRows.written(each_once(inferences()), sources.work / "read")
    say(f"read {read:,} NLI rows, {len(sts):,} STS pairs and {len(others):,} other texts")
    found = {"nli": bool(len(nli)), "sts": bool(sts)}
    if missing := [kind.upper() for kind in need if not found.get(kind, True)]:
        names = ", ".join(path.name for path in sources.train) or "no file"
        raise ConfigError(f"no {' and no '.join(missing)} rows in the training data ({names}); add a file with them")
    notes = list(omissions.lines())
    if repeated := read - len(nli):
        notes.append(f"{repeated:,} NLI rows that repeat another were left out")
    data = SentenceData(nli=nli, sts=tuple(sts), others=tuple(others), notes=tuple(notes))
    return _with_files(data, sources.dev) if sources.dev else _held_back(data, seed)


def _with_files(data: SentenceData, paths: Sequence[Path]) -> SentenceData:
    """Scored on files of their own, whose pairs are taken out of the training data."""
    sets: list[Development] = []
    pairs: set[frozenset[int]] = set()
    premises: set[int] = set()
    texts: set[int] = set()
    for path in paths:
        kind = detect_kind(path)
        if kind == "sts":
            read = read_sts(path)
            sets.append(StsDev(read.name, read.pairs))
            pairs.update(_digests(pair) for pair in read.pairs)
            texts.update(*(_digests(pair) for pair in read.pairs))
        elif kind == "nli":
            rows = tuple(read_nli(path))
            sets.append(inference_development(path.name.split(".tsv")[0].split(".json")[0], rows))
            premises.update(digest(row.premise) for row in rows)
            texts.update(*(_digests(row) for row in rows))
        else:
            raise CorpusFormatError(
                path.name, f"holds {kind}; these recipes are scored on STS or NLI: give such a file"
            )
    nli = data.nli.where(lambda row: digest(row.premise) not in premises)
    sts = tuple(pair for pair in data.sts if _digests(pair) not in pairs)
    others = tuple(text for text in data.others if digest(text) not in texts)
    notes = list(data.notes)
    # As the published sets are used, KorSTS's own parts among them: a sentence may stand in pairs of both.
    shared = sum(not texts.isdisjoint(_digests(row)) for row in nli)
    shared += sum(not texts.isdisjoint(_digests(pair)) for pair in sts)
    if shared:
        notes.append(f"{shared:,} training rows have a sentence that stands in another row of the development data")
    if gone := len(data.nli) - len(nli) + len(data.sts) - len(sts) + len(data.others) - len(others):
        notes.append(f"{gone:,} training rows that stand in the development data as well were left out")
    return replace(data, nli=nli, sts=sts, others=others, development=tuple(sets), notes=tuple(notes))


def _digests(row: NliRow | StsPair) -> frozenset[int]:
    """Its texts, whatever their spaces."""
    return frozenset(digest(text) for text in texts_of(row))


def _held_back(data: SentenceData, seed: int) -> SentenceData:
    """Scored on a tenth of the STS pairs or, where there are none, of the premises."""
    if len(data.sts) >= _LEAST:
        return _pairs_held_back(data, seed)
    premises = list(dict.fromkeys(row.premise for row in data.nli))
    if not data.sts and len(premises) >= _LEAST:
        return _premises_held_back(data, premises, seed)
    why = "texts alone do not say which are alike"
    if data.sts or premises:
        few = f"{len(data.sts):,} STS pairs" if data.sts else f"{len(premises):,} premises"
        why = f"{few} are too few to hold some back"
    return replace(data, notes=(*data.notes, f"the model is not scored: {why}; name development files with --dev"))


def _pairs_held_back(data: SentenceData, seed: int) -> SentenceData:
    chosen = _some(len(data.sts), min(_PAIRS, len(data.sts) // _SHARE), seed)
    held = [pair for i, pair in enumerate(data.sts) if i in chosen]
    if len({pair.score for pair in held}) < 2:
        note = "the model is not scored: a tenth of the STS pairs has one score only; name development files with --dev"
        return replace(data, notes=(*data.notes, note))
    texts = {text for pair in held for text in texts_of(pair)}
    sts = tuple(pair for pair in data.sts if texts.isdisjoint(texts_of(pair)))
    shared = len(data.sts) - len(held) - len(sts)
    note = f"{len(held):,} STS pairs were held back to score the model on, and {shared:,} that share a text left out"
    others = tuple(text for text in data.others if text not in texts)
    development = (StsDev("STS-held-back", held),)
    return replace(data, sts=sts, others=others, development=development, notes=(*data.notes, note))


def _premises_held_back(data: SentenceData, premises: Sequence[str], seed: int) -> SentenceData:
    numbers = _some(len(premises), min(_PREMISES, len(premises) // _SHARE), seed)
    chosen = {premise for i, premise in enumerate(premises) if i in numbers}
    held = tuple(row for row in data.nli if row.premise in chosen)
    if not any(row.label == "entailment" for row in held):
        note = "the model is not scored: no premise that could be held back entails anything; name files with --dev"
        return replace(data, notes=(*data.notes, note))
    texts = {text for row in held for text in texts_of(row)}
    nli = data.nli.where(lambda row: texts.isdisjoint(texts_of(row)))
    shared = len(data.nli) - len(held) - len(nli)
    note = (
        f"{len(chosen):,} premises were held back to score the model on, and {shared:,} rows that share a text left out"
    )
    others = tuple(text for text in data.others if text not in texts)
    development = (inference_development("NLI-held-back", held),)
    return replace(data, nli=nli, others=others, development=development, notes=(*data.notes, note))


def inference_development(name: str, rows: Iterable[NliRow]) -> RetrievalDev:
    """Finding what a premise entails among all entailed and contradicting hypotheses.

    Premises that entail one hypothesis are alike, and count as one draw in intervals and tests.

    Raises:
        CorpusFormatError: No premise entails anything.
    """
    queries: dict[str, str] = {}
    passages: dict[str, str] = {}
    relevant: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.label == "neutral":
            continue
        passage = passages.setdefault(row.hypothesis, f"h{len(passages)}")
        if row.label == "entailment":
            query = queries.setdefault(row.premise, f"p{len(queries)}")
            relevant.setdefault(query, {})[passage] = 1.0
    return RetrievalDev(name, _turned(queries), _turned(passages), relevant, groups=shared_answers(relevant))


def _some(count: int, chosen: int, seed: int) -> set[int]:
    """So many of the numbers below a count, by chance."""
    return {int(i) for i in np.random.default_rng(seed).choice(count, chosen, replace=False)}


def _turned(ids: Mapping[str, str]) -> dict[str, str]:
    return {identifier: text for text, identifier in ids.items()}
