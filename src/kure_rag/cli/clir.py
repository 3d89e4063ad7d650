"""``kure-rag clir``: windows of a Wikipedia dump, scores of questions in one language on passages in another, a map."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.cli import common, embedding
from kure_rag.cli.texts import check_writable
from kure_rag.errors import ConfigError

if TYPE_CHECKING:
    from kure_rag.cli.clir_table import Result
    from kure_rag.embed import Embedder

# As train/cross_lingual_score.py and evaluate/clustering_projection.py have them; importing those brings numpy.
KS: Final = (1, 5, 10, 20, 50, 100)
PROJECTIONS: Final = ("tsne", "umap", "pca")
DEFAULT: Final = "intfloat/multilingual-e5-base"

_EXAMPLES: Final = """\
  kure-rag clir windows kowiki-latest-pages-articles.xml.bz2 --out ko/corpus.jsonl --model multilingual-e5-base
  kure-rag clir score questions.jsonl --corpus ko/corpus.jsonl --model my-clir --vectors ko-vectors
  kure-rag clir score park_news_test.tsv --model my-clir --before multilingual-e5-base
  kure-rag clir plot park_news_test.tsv --model my-clir --before multilingual-e5-base --out languages.png"""


def add(commands: common.Commands) -> None:
    """Adds the command and its steps."""
    parser = common.command(
        commands, "clir", "find passages of one language with questions of another: prepare, score, draw", _EXAMPLES
    )
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    _add_windows(steps)
    _add_score(steps)
    _add_plot(steps)


def _add_windows(steps: common.Commands) -> None:
    parser = common.command(
        steps,
        "windows",
        "cut a Wikipedia dump into windows of so many tokens, as a corpus.jsonl",
        """\
  kure-rag clir windows kowiki-latest-pages-articles.xml.bz2 --out ko/corpus.jsonl --model multilingual-e5-base
  kure-rag clir windows articles.jsonl --out en/corpus.jsonl --length 100 --stride 50

DUMP is MediaWiki's XML (.xml, .bz2 or .gz), or has one article a line: JSON objects with id, title and text, or bare
text. Windows end before a word; each keeps its article's title.""",
    )
    parser.add_argument("dump", type=Path, metavar="DUMP")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where the windows are written")
    common.add_model(parser, f"{DEFAULT}; only its tokenizer is used")
    parser.add_argument("--length", type=int, default=256, metavar="N", help="tokens of a window (256)")
    parser.add_argument("--stride", type=int, metavar="N", help="tokens from one window to the next (as --length)")
    parser.add_argument("--articles", type=int, metavar="N", help="only the first so many articles")
    common.add_json(parser)
    parser.set_defaults(run=run_windows, interrupted="interrupted; no file was written")


def _add_score(steps: common.Commands) -> None:
    parser = common.command(
        steps,
        "score",
        "score a model by exact search: accuracy and MRR within the first 1 to 100",
        """\
  kure-rag clir score park_news_test.tsv --model my-clir --before multilingual-e5-base
  kure-rag clir score ko-en/ ko-ko/ --model my-clir --out scores.csv
  kure-rag clir score questions.jsonl --corpus ko/corpus.jsonl --model my-clir --vectors ko-vectors

A SET is bitext (ko and en between tabs), rows with query_ko and passage_en, or a folder with corpus.jsonl,
queries.jsonl and qrels.tsv. With --corpus, SET has lines of {"question": "…", "answers": ["…"]}: a passage in which an
answer stands is the right one. Intervals are 95 % bootstraps over the questions, the test is paired.""",
    )
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET")
    parser.add_argument(
        "--corpus", type=Path, metavar="FILE", help="the passages, where SET has questions with answers"
    )
    parser.add_argument("--before", metavar="NAME", help="compare with this model, such as the one before training")
    parser.add_argument("--vectors", type=Path, metavar="DIR", help="keep the passages' vectors here for another time")
    parser.add_argument("--ks", type=_depths, default=KS, metavar="N,N", help="how deep to look (1,5,10,20,50,100)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table as CSV")
    common.add_json(parser)
    embedding.add_embedding(parser, DEFAULT, engine="torch")
    parser.set_defaults(run=run_score, parser=parser, interrupted="interrupted; vectors that were kept are whole")


def _add_plot(steps: common.Commands) -> None:
    parser = common.command(
        steps,
        "plot",
        "draw parallel texts of both languages on a map, before and after training",
        """\
  kure-rag clir plot park_news_test.tsv --model my-clir --before multilingual-e5-base --out languages.png
  kure-rag clir plot bitext.tsv --model my-clir --out languages.svg --pairs 100 --projection umap

A line joins each Korean text with its English partner. Both panels have one scale. Beside the picture two numbers are
printed that do not depend on the projection.""",
    )
    parser.add_argument("bitext", type=Path, metavar="BITEXT", help="ko and en between tabs")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the picture (.png, .svg or .pdf)")
    parser.add_argument("--before", metavar="NAME", help="draw this model beside it")
    parser.add_argument("--pairs", type=int, default=200, metavar="N", help="pairs to draw, by chance (200)")
    parser.add_argument("--projection", choices=PROJECTIONS, default="tsne", help="what places them (tsne)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of what is drawn by chance (0)")
    common.add_json(parser)
    embedding.add_embedding(parser, DEFAULT, engine="torch")
    parser.set_defaults(run=run_plot, interrupted="interrupted; no file was written")


def _depths(text: str) -> tuple[int, ...]:
    try:
        found = tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        found = ()
    if not found or found[0] < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers from 1 on, such as 1,5,10")
    return found


def run_windows(options: argparse.Namespace) -> int:
    """Cuts a dump."""
    from itertools import islice

    from kure_rag.train.wikipedia import read_articles
    from kure_rag.train.windows import WindowSettings, load_tokenizer, windows, write_windows

    stride = options.length if options.stride is None else options.stride
    settings = WindowSettings(length=options.length, stride=stride)
    if options.articles is not None and options.articles < 1:
        raise ConfigError(f"--articles {options.articles}: give 1 or more")
    check_writable("--out", options.out)
    articles = islice(read_articles(options.dump), options.articles)
    tokenizer = load_tokenizer(_folder(options.model or DEFAULT))
    with common.progress("cutting") as advance:

        def told() -> Any:
            for done, article in enumerate(articles, 1):
                advance(done, options.articles, article.title)
                yield article

        count, cut = write_windows(windows(told(), tokenizer, settings), options.out)
    if not count:
        raise ConfigError(f"{options.dump.name}: no article with text in it; {options.out.name} is empty")
    if options.json:
        common.print_json({"out": str(options.out), "windows": count, "articles": cut})
    else:
        print(f"{count:,} windows of {cut:,} articles in {options.out}")
    return 0


def _folder(model: str) -> Path:
    from kure_rag.embed import Embedder, EmbedSettings
    from kure_rag.embed.hub import model_folder

    embedder = Embedder(model)
    return embedder.folder or model_folder(embedder.card.name, embedder.revision, EmbedSettings())


def run_score(options: argparse.Namespace) -> int:
    """Scores one model, or two beside each other."""
    from kure_rag.cli.clir_table import as_dict, print_table, write_csv
    from kure_rag.evaluate.statistics import paired_test
    from kure_rag.train.cross_lingual_score import rank, read_score_set

    if options.corpus is not None and len(options.sets) > 1:
        options.parser.error("--corpus goes with one SET")
    if options.vectors is not None and len(options.sets) > 1:
        options.parser.error("--vectors keeps the vectors of one corpus: give one SET")
    check_writable("--out", options.out)
    common.log_to_stderr()
    sets = [read_score_set(path, options.corpus) for path in options.sets]  # all of them before any work
    results: list[Result] = []
    models = _models(options)
    for one in sets:
        found = []
        for which, model in models.items():
            vectors = None if options.vectors is None else options.vectors / which
            with common.progress(f"{one.name}, {model.name}") as advance:
                found.append(
                    rank(model, one, ks=options.ks, vectors=vectors, progress=lambda done: advance(done, None, ""))
                )
        after, before = found[0], found[1] if len(found) > 1 else None
        tests = (
            {}
            if before is None
            else {name: paired_test(before.each(name), after.each(name)) for name in after.measures()}
        )
        results.append((after, before, tests))
    if options.out is not None:
        write_csv(options.out, results)
    if options.json:
        common.print_json({"results": [as_dict(*result) for result in results]})
        return 0
    for number, result in enumerate(results):
        if number:
            print()
        print_table(*result)
    return 0


def _models(options: argparse.Namespace) -> dict[str, Embedder]:
    """The model, and the one before it, which is used as its own card says."""
    from kure_rag.embed import Embedder, EmbedSettings

    if options.card is not None and options.model is None:
        raise ConfigError("--card says what --model is a copy of; give both")
    options.model = options.model or DEFAULT
    models = {"after" if options.before else "model": embedding.embedder(options)}
    if options.before:
        models["before"] = Embedder(options.before, EmbedSettings(device=options.device))
    return models


def run_plot(options: argparse.Namespace) -> int:
    """Draws the map."""
    import random

    from kure_rag.autorag.files import whole_files
    from kure_rag.evaluate.clustering_projection import check_projection
    from kure_rag.evaluate.plots import check_plot, save_plot
    from kure_rag.evaluate.plots_fonts import korean_font
    from kure_rag.train.cross_lingual_data import Pair, read_pairs
    from kure_rag.train.cross_lingual_plot import draw_languages, map_languages

    check_writable("--out", options.out)
    check_plot(options.out)
    check_projection(options.projection)
    font = korean_font()
    if options.pairs < 3:
        raise ConfigError(f"--pairs {options.pairs}: give 3 or more")
    common.log_to_stderr()
    pairs: list[Pair] = list(read_pairs(options.bitext))
    if len(pairs) > options.pairs:
        chosen = sorted(random.Random(options.seed).sample(range(len(pairs)), options.pairs))  # noqa: S311 - no secret
        pairs = [pairs[i] for i in chosen]
    models = _models(options)
    maps = []
    for which in sorted(models, reverse=True):  # before, then after
        title = models[which].name if which == "model" else f"{which}: {models[which].name}"
        with common.progress(f"placing {title}") as advance:
            advance(0, None, options.projection)
            maps.append(
                map_languages(models[which], pairs, projection=options.projection, seed=options.seed, title=title)
            )
    title = f"{options.bitext.name}: {len(pairs):,} pairs, {options.projection}"
    with whole_files(options.out) as (part,):
        save_plot(draw_languages(maps, title=title, font=font), part, ending=options.out.suffix)
    if options.json:
        panels = [{"model": one.model, "mixing": one.mixing, "partners": one.partners} for one in maps]
        common.print_json({"out": str(options.out), "pairs": len(pairs), "panels": panels})
        return 0
    for one in maps:
        print(
            f"{one.model}: {one.mixing:.1%} of the ten nearest neighbours are of the other language; partners are "
            f"{one.partners:+.3f} nearer (cosine) than others"
        )
    print(f"wrote {options.out}")
    return 0
