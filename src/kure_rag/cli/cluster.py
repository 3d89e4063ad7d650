"""``kure-rag cluster``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kure_rag.cli import common, embedding
from kure_rag.cli.texts import check_writable, read_texts
from kure_rag.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from kure_rag.cli.cluster_texts import Texts
    from kure_rag.evaluate.clustering import Clustering, ClusterSettings

# As evaluate/clustering.py and clustering_projection.py have them; importing those brings numpy.
METHODS: Final = ("kmeans", "hdbscan")
PROJECTIONS: Final = ("tsne", "umap", "pca")

_SHOWN: Final = 70  # characters of an example
_EXAMPLES: Final = """\
  kure-rag cluster sentences.txt --model static-ko
  kure-rag cluster sentences.txt --model static-ko -k 4 --out clusters.csv --plot map.png
  kure-rag cluster --index my-index --method hdbscan --min-size 10 --plot map.png --projection umap
  kure-rag cluster --index my-index -k 8 --json

A cluster is named by its most typical nouns. TEXTS is UTF-8 with one text a line; empty lines are left out. The CSV has
a row for each text and a byte order mark, without which spreadsheets garble Korean. The same seed gives the same
clusters and the same map. t-SNE takes minutes for some thousands of texts; --projection pca or --sample is faster."""


def add(commands: common.Commands) -> None:
    """Adds the command."""
    parser = common.command(
        commands, "cluster", "group texts that mean something alike, and draw them on a map", _EXAMPLES
    )
    parser.add_argument("texts", type=Path, nargs="?", metavar="TEXTS", help="a file with one text a line")
    parser.add_argument("--index", type=Path, metavar="DIR", help="the passages of this index, by the vectors it has")
    parser.add_argument("--method", choices=METHODS, default="kmeans", help="hdbscan leaves texts between groups out")
    parser.add_argument("-k", type=int, metavar="N", help="clusters of kmeans (from 2 to 12, by silhouette)")
    parser.add_argument(
        "--min-size", type=int, metavar="N", help="smallest cluster of hdbscan (a hundredth of the texts, 5 at least)"
    )
    parser.add_argument("--terms", type=int, default=5, metavar="N", help="nouns that name a cluster (5)")
    parser.add_argument("--sample", type=int, metavar="N", help="only so many texts, drawn by chance")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything that is drawn by chance (0)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write each text's cluster as CSV")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the texts on a map (.png, .svg or .pdf)")
    parser.add_argument("--projection", choices=PROJECTIONS, default="tsne", help="what places them on the map (tsne)")
    common.add_json(parser)
    embedding.add_embedding(parser, "nlpai-lab/KURE-v1, or the index's own", engine="torch, or the index's own")
    parser.set_defaults(run=run, parser=parser, interrupted="interrupted; no file was written")


def run(options: argparse.Namespace) -> int:
    """Groups the texts, writes what was asked for, prints the clusters."""
    from kure_rag.cli.cluster_texts import of_file, of_index
    from kure_rag.evaluate.clustering import check_count, cluster_vectors

    settings = _check(options)
    common.log_to_stderr()
    font = _font(options)
    if options.index is not None:
        texts = of_index(options)
        check_count(len(texts.texts), settings)
    else:
        lines = read_texts(options.texts)
        check_count(len(lines), settings)
        texts = of_file(options, lines)
    with common.progress("grouping") as advance:
        advance(0, None, settings.method)
        clustering = cluster_vectors(texts.vectors, texts.texts, settings)
        places = None
        if options.plot:
            advance(0, None, options.projection)
            places = _places(options, texts)
    _write(options, texts, clustering, places, font)
    if options.json:
        common.print_json(_as_dict(options, texts, clustering))
    else:
        _print(options, texts, clustering)
    return 0


def _check(options: argparse.Namespace) -> ClusterSettings:
    """What can be told before the work."""
    from kure_rag.evaluate.clustering import ClusterSettings

    refuse = options.parser.error
    if (options.texts is None) == (options.index is None):
        refuse("give TEXTS or --index DIR, one of the two")
    if options.sample is not None and options.sample < 2:
        refuse("--sample is 2 or more")
    if options.card is not None and options.model is None:
        raise ConfigError("--card says what --model is a copy of; give both")
    check_writable("--out", options.out)
    check_writable("--plot", options.plot)
    if options.plot is not None and options.plot == options.out:
        refuse("--out and --plot name the same file")
    return ClusterSettings(
        method=options.method,
        clusters=options.k,
        min_cluster_size=options.min_size,
        terms=options.terms,
        seed=options.seed,
    )


def _font(options: argparse.Namespace) -> Path | None:
    """The font of the map, looked for before the work: without one nothing can be drawn."""
    if options.plot is None:
        return None
    from kure_rag.evaluate.clustering_projection import check_projection
    from kure_rag.evaluate.plots import check_plot
    from kure_rag.evaluate.plots_fonts import korean_font

    check_plot(options.plot)
    check_projection(options.projection)
    return korean_font()


def _places(options: argparse.Namespace, texts: Texts) -> NDArray[np.float64]:
    from kure_rag.evaluate.clustering_projection import project

    return project(texts.vectors, options.projection, seed=options.seed)


def _write(
    options: argparse.Namespace,
    texts: Texts,
    clustering: Clustering,
    places: NDArray[np.float64] | None,
    font: Path | None,
) -> None:
    """Both files, or none of them."""
    from contextlib import ExitStack

    from kure_rag.autorag.files import whole_files
    from kure_rag.cli.cluster_texts import write_csv

    with ExitStack() as stack:
        if options.out is not None:
            (part,) = stack.enter_context(whole_files(options.out))
            write_csv(part, texts, clustering, places)
        if options.plot is not None and places is not None:
            from kure_rag.evaluate.plots import draw_clusters, save_plot

            (part,) = stack.enter_context(whole_files(options.plot))
            title = f"{texts.name}: {len(texts.texts):,} texts, {texts.model}, {options.method}, {options.projection}"
            save_plot(draw_clusters(places, clustering, title=title, font=font), part, ending=options.plot.suffix)


def _as_dict(options: argparse.Namespace, texts: Texts, clustering: Clustering) -> dict[str, Any]:
    written = {"out": options.out, "plot": options.plot}
    return {
        "source": texts.name,
        "model": texts.model,
        "texts": len(texts.texts),
        "method": options.method,
        "clusters": [
            {
                "cluster": cluster.number,
                "size": cluster.size,
                "terms": list(cluster.terms),
                "example": texts.texts[cluster.example],
            }
            for cluster in clustering.clusters
        ],
        "noise": clustering.noise,
        "silhouette": clustering.silhouette,
        **{name: str(path) for name, path in written.items() if path is not None},
    }


def _print(options: argparse.Namespace, texts: Texts, clustering: Clustering) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = common.console()
    count = len(clustering.clusters)
    shown.print(
        f"{texts.name}, {texts.model}: {len(texts.texts):,} texts, {count} cluster{'' if count == 1 else 's'} "
        f"({options.method}){_quality(clustering)}",
        markup=False,
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("cluster", justify="right", no_wrap=True)
    table.add_column("texts", justify="right", no_wrap=True)
    table.add_column("terms")
    table.add_column("nearest to its mean")
    for cluster in clustering.clusters:
        example = _short(texts.texts[cluster.example])
        table.add_row(str(cluster.number), str(cluster.size), Text(", ".join(cluster.terms)), Text(example))
    shown.print(table)
    if clustering.noise:
        shown.print(f"{clustering.noise} texts in no cluster")
    for path in (options.out, options.plot):
        if path is not None:
            shown.print(f"wrote {path}", markup=False)


def _quality(clustering: Clustering) -> str:
    return "" if clustering.silhouette is None else f", silhouette {clustering.silhouette:.2f}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"
