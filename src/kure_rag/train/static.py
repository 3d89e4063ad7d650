"""Train the bundled model: a table of vectors that a plain ``SentenceTransformer`` loads.

::

    train_static(Path("data"), Path("static-ko"))
    SentenceTransformer("static-ko").encode(["근로자의 퇴직금은 언제 지급하나요?"])

A text's embedding is the mean of its pieces' vectors, scaled to length 1. The same data, seed and versions of Kiwi,
NumPy, SciPy and PyTorch on the same machine give the same bytes.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.errors import MissingExtraError
from kure_rag.train.data import TrainingText, read_training_text
from kure_rag.train.place import put_in_place, require_free
from kure_rag.train.static_batches import TuneText
from kure_rag.train.static_losses import Row, write_losses
from kure_rag.train.static_stages import (
    FILES,
    identity,
    load_start,
    load_tuning,
    load_vocabulary,
    save_start,
    save_tuning,
    save_vocabulary,
    writing,
)
from kure_rag.train.static_tune import Tuner, TuneSettings
from kure_rag.train.static_vectors import VectorSettings, quantise, start_vectors
from kure_rag.train.static_vocab import Vocabulary, VocabularySettings, build_vocabulary, make_tokenizer
from kure_rag.train.workdir import WorkFolder

if TYPE_CHECKING:
    from kure_rag.train.static_vectors import Ids, Matrix

_KORSTS_DEV: Final = "sts/kornlu/KorSTS/sts-dev.tsv"
_FACTS: Final = "sets/ko_strategyqa_facts_dev"
_SENTENCES: Final = 6  # that make a passage
_PASSAGE: Final = 250  # pieces
_SAID: Final = 100  # steps between two lines of progress
_KEPT: Final = 250  # steps that a kill costs at most


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticSettings:
    """Everything that decides what comes out. The defaults are the bundled model's.

    Attributes:
        seed: Of all that is random.
        dim: How long an embedding is.
        levels: A stored number is a whole number from ``-levels`` to ``levels``; at most 127.
        analysed: How many characters of an article Kiwi cuts for the vocabulary; vectors are made from all of them.
        vocabulary: Which pieces there are.
        vectors: Where their vectors start.
        tuning: How they are tuned.
    """

    seed: int = 20_240_611
    dim: int = 368
    levels: int = 15
    analysed: int = 1_000
    vocabulary: VocabularySettings = field(default_factory=VocabularySettings)
    vectors: VectorSettings = field(default_factory=VectorSettings)
    tuning: TuneSettings = field(default_factory=TuneSettings)

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for settings that no model can be made with."""
        if self.dim < 1:
            raise ValueError(f"dim is {self.dim}; it must be 1 or more")
        if not 1 <= self.levels <= 127:
            raise ValueError(f"levels is {self.levels}; it must be from 1 to 127 to fit into a byte")


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticReport:
    """What was trained.

    Attributes:
        rows: Vectors in the model.
        vocabulary: Pieces that its tokenizer knows; one vector each.
        seconds: How long it took.
        size: Bytes of the folder, unpacked.
        scores: On the development sets that lie beside the training data, such as ``korsts_dev_spearman``.
    """

    rows: int
    vocabulary: int
    seconds: float
    size: int
    scores: Mapping[str, float]


def train_static(
    data: Path,
    out: Path,
    *,
    settings: StaticSettings = StaticSettings(),
    progress: Callable[[str], None] | None = None,
) -> StaticReport:
    """Train a model on the files below ``data`` and write it to ``out``, with ``loss.csv`` and, if it can, a plot.

    The model is made in ``out.training``, a folder beside ``out``, and takes its name at the very end: whatever
    interrupts the training, ``out`` is as it was before. The same call goes on from there: from the vocabulary, the
    vectors before tuning, or the last 250 batches, to the same bytes. A card (``README.md``) that lies in ``out``
    already is kept.

    Args:
        data: Folder with ``statutes``, ``sts`` and ``bitext``; see :mod:`kure_rag.train.data` for the files.
        out: Folder of the model; replaced if it holds a model, refused if it holds anything else.
        settings: What to train.
        progress: Called with one line at each stage.

    Raises:
        SourceNotFoundError: A training file is missing.
        CorpusFormatError: A training file breaks its format; the message names file and line.
        ConfigError: Beside ``out`` lies the unfinished training of another model, or another process trains there.
        TrainingError: ``out`` is there and is no model, or the disk is full; what was reached is kept.
        MissingExtraError: scikit-learn or SciPy is not installed.
    """
    say = progress or _silent
    started = time.monotonic()
    out = out.resolve()
    _check_extra()
    require_free(out)
    text = read_training_text(data)
    say(f"read {len(text.articles):,} articles and {len(text.general()):,} sentences")
    with WorkFolder(out, identity(data, settings), worth=FILES) as work:
        if work.resumed:
            say(f"going on in {work.path.name}")
        vocabulary, vectors, tokenizer, losses = _train(text, settings, work.path, say)
        made = work.path / "model"
        shutil.rmtree(made, ignore_errors=True)
        with writing(made):
            _write(made, tokenizer, vectors, levels=settings.levels)
            write_losses(made, losses)
        scores = _dev_scores(made, data)
        if (out / "README.md").is_file():
            shutil.copyfile(out / "README.md", made / "README.md")
        put_in_place(made, out, aside=work.path / "before")
        work.remove()
    return StaticReport(
        rows=len(vectors),
        vocabulary=len(vocabulary.pieces),
        seconds=time.monotonic() - started,
        size=sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
        scores=scores,
    )


def _train(
    text: TrainingText, settings: StaticSettings, kept: Path, say: Callable[[str], None]
) -> tuple[Vocabulary, Matrix, Any, list[Row]]:
    from kure_rag.tokenize.kiwi import shared_kiwi

    vocabulary = load_vocabulary(kept)
    if vocabulary is None:
        vocabulary = build_vocabulary(
            [f"{a.law} {a.title}\n{a.text[: settings.analysed]}" for a in text.articles],
            text.general(),
            kiwi=shared_kiwi(),
            settings=settings.vocabulary,
        )
        save_vocabulary(kept, vocabulary)
    say(f"made a vocabulary of {len(vocabulary.pieces):,} pieces")
    tokenizer = make_tokenizer(vocabulary)

    def ids(texts: Sequence[str]) -> list[Ids]:
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int64) for encoding in encodings]

    def pairs(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[Ids, Ids]]:
        return zip(ids(left), ids(right), strict=True)

    tune_text = TuneText(
        titles=ids([f"{article.law} {article.title}" for article in text.articles]),
        headings=ids([article.title for article in text.articles]),
        bodies=ids([article.text for article in text.articles]),
        runs=[ids(run) for run in text.runs],
        paraphrases=list(pairs([a for a, _ in text.paraphrases], [b for _, b in text.paraphrases])),
        scored=[
            (*both, score)
            for both, (_, _, score) in zip(
                pairs([a for a, _, _ in text.scored], [b for _, b, _ in text.scored]), text.scored, strict=True
            )
        ],
    )
    vectors = load_start(kept)
    if vectors is None:
        vectors = _start(ids(text.sentences), tune_text, vocabulary, settings)
        save_start(kept, vectors)
    say("factorised the co-occurrences")
    tuned, losses = _tune(vectors, tune_text, settings, kept, say)
    return vocabulary, tuned, tokenizer, losses


def _start(sentences: Sequence[Ids], text: TuneText, vocabulary: Vocabulary, settings: StaticSettings) -> Matrix:
    general = [*sentences, *(sentence for run in text.runs for sentence in run)]
    return start_vectors(
        [np.concatenate(pair) for pair in zip(text.titles, text.bodies, strict=True)],
        general,
        _passages(text.bodies, text.runs, general, seed=settings.seed),
        vocabulary,
        dim=settings.dim,
        seed=settings.seed,
        settings=settings.vectors,
    )


def _tune(
    vectors: Matrix, text: TuneText, settings: StaticSettings, kept: Path, say: Callable[[str], None]
) -> tuple[Matrix, list[Row]]:
    tuner = Tuner(vectors, text, seed=settings.seed, settings=settings.tuning)
    losses: list[Row] = []
    state = load_tuning(kept)
    if state is not None:
        arrays, values = state
        tuner.restore(arrays, values)
        losses = [(step, kind, loss, rate) for step, kind, loss, rate in values["losses"]]
        say(f"tuning: going on from step {tuner.step}")
    while tuner.step < settings.tuning.steps:
        kind, loss, rate = tuner.advance()
        losses.append((tuner.step, kind, loss, rate))
        if tuner.step % _SAID == 0:
            say(f"tuning: step {tuner.step} of {settings.tuning.steps}, {kind} loss {loss:.3f}")
        if tuner.step % _KEPT == 0 or tuner.step == settings.tuning.steps:
            arrays, values = tuner.state()
            save_tuning(kept, arrays, {**values, "losses": losses})
    return tuner.result(), losses


def _passages(bodies: Sequence[Ids], runs: Sequence[Sequence[Ids]], general: Sequence[Ids], *, seed: int) -> list[Ids]:
    """Texts as long as the ones that are searched: reports, sentences thrown together, and some statutes.

    Statutes are the fewest, for all that they are most of the text: the directions to be shrunk are those that any two
    passages share, not those that any two statutes do.
    """
    rng = np.random.default_rng(seed)
    reports = [np.concatenate(run[start : start + _SENTENCES]) for run in runs for start in range(0, len(run), 2)]
    mixed = [
        np.concatenate([general[i] for i in rng.integers(0, len(general), _SENTENCES)]) for _ in range(2 * len(reports))
    ]
    chosen = rng.permutation(len(bodies))[: len(reports) // 2]
    return [*reports, *mixed, *(bodies[i][:_PASSAGE] for i in chosen)]


def _write(folder: Path, tokenizer: Any, vectors: Matrix, *, levels: int) -> None:
    """The folder as ``SentenceTransformer.save`` lays it out, with the vectors in whole numbers."""
    from safetensors.numpy import save_file
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    whole, scale = quantise(vectors, levels=levels)
    static = StaticEmbedding(tokenizer, embedding_weights=whole.astype(np.float32) * scale[:, None])
    model = SentenceTransformer(modules=[static, Normalize()], device="cpu", similarity_fn_name="cosine")
    model.save(str(folder), create_model_card=False)
    # StaticEmbedding.load multiplies `embeddings` by `weights`; its own save would write four bytes a number.
    save_file({"embeddings": whole, "weights": scale}, folder / "model.safetensors", metadata={"format": "np"})
    # safetensors makes files that only their owner can read, which a wheel would carry to every machine.
    (folder / "model.safetensors").chmod(0o644)
    # One line instead of one line a piece, and without the versions of this machine in it.
    compact = json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(compact + "\n", encoding="utf-8")


def _dev_scores(folder: Path, data: Path) -> dict[str, float]:
    from sentence_transformers import SentenceTransformer

    from kure_rag.train.static_score import dense_scores, korsts_scores

    model = SentenceTransformer(str(folder), device="cpu")
    scores: dict[str, float] = {}
    if (data / _KORSTS_DEV).is_file():
        pearson, spearman = korsts_scores(model, data / _KORSTS_DEV)
        scores |= {"korsts_dev_pearson": pearson, "korsts_dev_spearman": spearman}
    if (data / _FACTS).is_dir():
        scores["ko_strategyqa_facts_dev_ndcg@10"] = dense_scores(model, data / _FACTS)["all"].ndcg_at_10
    return scores


def _check_extra() -> None:
    if not all(importlib.util.find_spec(package) for package in ("scipy", "sklearn")):
        raise MissingExtraError("Training a model", "train")


def _silent(_: str) -> None:
    pass
