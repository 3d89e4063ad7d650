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
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.errors import MissingExtraError
from kure_rag.train.data import TrainingText, read_training_text
from kure_rag.train.static_tune import TuneSettings, TuneText, tune
from kure_rag.train.static_vectors import VectorSettings, quantise, start_vectors
from kure_rag.train.static_vocab import (
    Vocabulary,
    VocabularySettings,
    build_vocabulary,
    make_tokenizer,
)

if TYPE_CHECKING:
    from kure_rag.train.static_vectors import Ids, Matrix

_KORSTS_DEV: Final = "sts/kornlu/KorSTS/sts-dev.tsv"
_FACTS: Final = "sets/ko_strategyqa_facts_dev"
_SENTENCES: Final = 6  # that make a passage
_PASSAGE: Final = 250  # pieces


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
    dim: int = 256
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
    """Train a model on the files below ``data`` and write it to ``out``.

    The model is made in a folder beside ``out`` that takes its name at the very end: whatever interrupts the training,
    ``out`` is as it was before. A card (``README.md``) that lies in ``out`` already is kept.

    Args:
        data: Folder with ``statutes``, ``sts`` and ``bitext``; see :mod:`kure_rag.train.data` for the files.
        out: Folder of the model; replaced if it holds a model, refused if it holds anything else.
        settings: What to train.
        progress: Called with one line at each stage.

    Raises:
        SourceNotFoundError: A training file is missing.
        CorpusFormatError: A training file breaks its format; the message names file and line.
        MissingExtraError: scikit-learn or SciPy is not installed.
        FileExistsError: ``out`` is there, and is no model.
    """
    say = progress or _silent
    started = time.monotonic()
    out = out.resolve()
    _check_extra()
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]) and not (out / "modules.json").is_file():
        raise FileExistsError(f"{out}: is there already and is not a model; name a new folder")
    text = read_training_text(data)
    say(f"read {len(text.articles):,} articles and {len(text.general()):,} sentences")
    vocabulary, vectors, tokenizer = _train(text, settings, say)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as beside:
        made = Path(beside, "model")
        _write(made, tokenizer, vectors, levels=settings.levels)
        scores = _dev_scores(made, data)
        if (out / "README.md").is_file():
            shutil.copyfile(out / "README.md", made / "README.md")
        _put_in_place(made, out, aside=Path(beside, "before"))
    return StaticReport(
        rows=len(vectors),
        vocabulary=len(vocabulary.pieces),
        seconds=time.monotonic() - started,
        size=sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
        scores=scores,
    )


def _train(text: TrainingText, settings: StaticSettings, say: Callable[[str], None]) -> tuple[Vocabulary, Matrix, Any]:
    from kure_rag.tokenize.kiwi import shared_kiwi

    vocabulary = build_vocabulary(
        [f"{a.law} {a.title}\n{a.text[: settings.analysed]}" for a in text.articles],
        text.general(),
        kiwi=shared_kiwi(),
        settings=settings.vocabulary,
    )
    tokenizer = make_tokenizer(vocabulary)
    say(f"made a vocabulary of {len(vocabulary.pieces):,} pieces")

    def ids(texts: Sequence[str]) -> list[Ids]:
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.int64) for encoding in encodings]

    bodies = ids([article.text for article in text.articles])
    titles = ids([f"{article.law} {article.title}" for article in text.articles])
    runs = [ids(run) for run in text.runs]
    general = [*ids(text.sentences), *(sentence for run in runs for sentence in run)]
    statutes = [np.concatenate(pair) for pair in zip(titles, bodies, strict=True)]
    vectors = start_vectors(
        statutes,
        general,
        _passages(bodies, runs, general, seed=settings.seed),
        vocabulary,
        dim=settings.dim,
        seed=settings.seed,
        settings=settings.vectors,
    )
    say("factorised the co-occurrences")
    tuned = tune(
        vectors,
        TuneText(
            titles=titles,
            headings=ids([article.title for article in text.articles]),
            bodies=bodies,
            runs=runs,
            paraphrases=list(
                zip(ids([a for a, _ in text.paraphrases]), ids([b for _, b in text.paraphrases]), strict=True)
            ),
        ),
        seed=settings.seed,
        settings=settings.tuning,
        progress=say,
    )
    return vocabulary, tuned, tokenizer


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


def _put_in_place(made: Path, out: Path, *, aside: Path) -> None:
    if not out.exists():
        made.rename(out)
        return
    out.rename(aside)
    try:
        made.rename(out)
    except BaseException:
        aside.rename(out)
        raise


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
