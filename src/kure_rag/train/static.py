"""Train the bundled model: a table of vectors that a plain ``SentenceTransformer`` loads.

::

    train_static(Path("data"), Path("static-ko"))
    SentenceTransformer("static-ko").encode(["근로자의 퇴직금은 언제 지급하나요?"])

A text's embedding is the mean of its pieces' vectors, scaled to length 1. The same data, seed and versions of Kiwi,
NumPy, SciPy and PyTorch on the same machine give the same bytes.
"""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from kure_rag.errors import MissingExtraError
from kure_rag.train.data import TrainingText, read_training_text
from kure_rag.train.development import Development, Measured
from kure_rag.train.disk import full_disk_told
from kure_rag.train.place import put_in_place, require_apart, require_free
from kure_rag.train.report import TrainReport, change, from_json, to_json
from kure_rag.train.static_batches import TuneText
from kure_rag.train.static_development import flat, read_development, sets_to_score, values_of
from kure_rag.train.static_folder import START, as_model, rows_of, write_model, write_story
from kure_rag.train.static_losses import Row, Scored, write_losses
from kure_rag.train.static_settings import StaticReport, StaticSettings
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
from kure_rag.train.static_tune import Tuner
from kure_rag.train.static_vectors import start_vectors
from kure_rag.train.static_vocab import Vocabulary, build_vocabulary, make_tokenizer
from kure_rag.train.workdir import WorkFolder, beside

if TYPE_CHECKING:
    from kure_rag.train.static_vectors import Ids, Matrix

_SENTENCES: Final = 6  # that make a passage
_PASSAGE: Final = 250  # pieces
_SAID: Final = 100  # steps between two lines of progress
_KEPT: Final = 250  # steps that a kill costs at most, and between two scores


def train_static(
    data: Path,
    out: Path,
    *,
    dev: Sequence[Path] = (),
    settings: StaticSettings | None = None,
    progress: Callable[[str], None] | None = None,
) -> StaticReport:
    """Train a model on the files below ``data`` and write it to ``out``.

    With it come a card, ``loss.csv``, ``training.json`` and, where matplotlib is installed, a plot. All is made in
    ``out.training``, a folder beside ``out``, and takes its name at the very end: whatever interrupts the training,
    ``out`` is as it was before. The same call goes on from there: from the vocabulary, the vectors before tuning, or
    the last 250 batches, to the same bytes. A card (``README.md``) that somebody has written in ``out`` is kept, and
    the training's is then ``TRAINING.md``.

    Args:
        data: Folder with ``statutes``, ``sts`` and ``bitext``; see :mod:`kure_rag.train.data` for the files.
        out: Folder of the model; replaced if it holds a model, refused if it holds anything else.
        dev: What to score on before tuning, every 250 batches and after: STS sets, folders in BEIR's layout, triplets.
            By default KorSTS's ``sts-dev.tsv`` and ``sets/ko_strategyqa_facts_dev``, if they lie below ``data``.
        settings: What to train; the bundled model by default.
        progress: Called with one line at each stage.

    Raises:
        SourceNotFoundError: A training file is missing.
        CorpusFormatError: A training file breaks its format; the message names file and line.
        ConfigError: Beside ``out`` lies the unfinished training of another model, another process trains there, or a
            set to score on is trained on.
        TrainingError: ``out`` is there and is no model, or the disk is full; what was reached is kept.
        MissingExtraError: scikit-learn or SciPy is not installed.
    """
    say, settings = progress or _silent, settings or StaticSettings()
    started = time.monotonic()
    out = out.resolve()
    _check_extra()
    require_free(out)
    require_apart(out, beside(out), [data], "--data")
    paths = sets_to_score(data, dev)
    require_apart(out, beside(out), paths, "--dev")
    text = read_training_text(data)
    say(f"read {len(text.articles):,} articles and {len(text.general()):,} sentences")
    told = identity(data, settings, paths, out)
    with full_disk_told(out.parent), WorkFolder(out, told, worth=FILES) as work:
        if work.resumed:
            say(f"going on in {work.path.name}")
        development, notes = read_development(paths, text, work.path / "data")
        done = _train(text, settings, work, development, say)
        say("scoring the trained model" if development else "no set to score the model on; name some as development")
        model = as_model(done.tokenizer, done.vectors, levels=settings.levels)
        after = {one.name: one.score(model) for one in development}
        training = TrainReport(
            recipe="static",
            out=out,
            base=START,
            steps={"tuning": settings.tuning.steps},
            seconds=time.monotonic() - started,
            resumed=work.resumed,
            loss=done.losses[-1][2] if done.losses else float("nan"),
            changes=[change(one.name, one.main, done.before[one.name], after[one.name]) for one in development],
            rows=rows_of(text),
            notes=notes,
        )
        made = work.path / "finished"
        shutil.rmtree(made, ignore_errors=True)
        with writing(made):
            write_model(made, done.tokenizer, done.vectors, levels=settings.levels)
            write_losses(made, done.losses, done.scored)
            write_story(made, out, training, settings, told)
        put_in_place(made, out, aside=work.aside)
        work.remove()
    return StaticReport(
        rows=len(done.vectors),
        vocabulary=len(done.vocabulary.pieces),
        seconds=time.monotonic() - started,
        size=sum(path.stat().st_size for path in out.rglob("*") if path.is_file()),
        scores=flat({name: measured.values for name, measured in after.items()}),
        training=training,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    vocabulary: Vocabulary
    tokenizer: Any
    vectors: Matrix
    losses: list[Row]
    scored: list[Scored]
    before: Mapping[str, Measured]


def _train(
    text: TrainingText,
    settings: StaticSettings,
    work: WorkFolder,
    development: Sequence[Development],
    say: Callable[[str], None],
) -> _Done:
    from kure_rag.tokenize.kiwi import shared_kiwi

    kept = work.path
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

    def as_it_is(rows: Matrix) -> Any:
        return as_model(tokenizer, rows, levels=settings.levels)

    before = _before(work, development, lambda: as_it_is(vectors))
    tuned, losses, scored = _tune(
        vectors, tune_text, settings, kept, lambda rows: values_of(development, as_it_is(rows)), say
    )
    return _Done(vocabulary=vocabulary, tokenizer=tokenizer, vectors=tuned, losses=losses, scored=scored, before=before)


def _before(work: WorkFolder, development: Sequence[Development], model: Callable[[], Any]) -> Mapping[str, Measured]:
    """Scores before tuning, which an interrupted training has kept."""
    if work.before is not None:
        return {name: from_json(stored) for name, stored in work.before.items()}
    start = model() if development else None
    scores = {one.name: one.score(start) for one in development}
    work.keep_before({name: to_json(measured) for name, measured in scores.items()})
    return scores


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
    vectors: Matrix,
    text: TuneText,
    settings: StaticSettings,
    kept: Path,
    score: Callable[[Matrix], Mapping[str, float]],
    say: Callable[[str], None],
) -> tuple[Matrix, list[Row], list[Scored]]:
    tuner = Tuner(vectors, text, seed=settings.seed, settings=settings.tuning)
    losses: list[Row] = []
    scored: list[Scored] = []
    state = load_tuning(kept)
    if state is not None:
        arrays, values = state
        tuner.restore(arrays, values)
        losses = [(step, kind, loss, rate) for step, kind, loss, rate in values["losses"]]
        scored = [(step, measured) for step, measured in values["scored"]]
        say(f"tuning: going on from step {tuner.step}")
    while tuner.step < settings.tuning.steps:
        kind, loss, rate = tuner.advance()
        losses.append((tuner.step, kind, loss, rate))
        if tuner.step % _SAID == 0:
            say(f"tuning: step {tuner.step} of {settings.tuning.steps}, {kind} loss {loss:.3f}")
        if tuner.step % _KEPT == 0 or tuner.step == settings.tuning.steps:
            if measured := score(tuner.result()):
                scored.append((tuner.step, dict(measured)))
                say("tuning: " + ", ".join(f"{name} {value:.4g}" for name, value in measured.items()))
            arrays, values = tuner.state()
            save_tuning(kept, arrays, {**values, "losses": losses, "scored": scored})
    return tuner.result(), losses, scored


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


def _check_extra() -> None:
    if not all(importlib.util.find_spec(package) for package in ("scipy", "sklearn")):
        raise MissingExtraError("Training a model", "train")


def _silent(_: str) -> None:
    pass
