"""Plots: Korean letters that are there, files that are the same twice, and clear errors."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kure_rag.errors import ConfigError, MissingExtraError
from kure_rag.evaluate.clustering import NOISE, Cluster, Clustering
from kure_rag.evaluate.plots import check_plot, draw_clusters, draw_sweep, save_plot
from kure_rag.evaluate.plots_fonts import PREFERRED, korean_font
from kure_rag.evaluate.sts import Correlation, StsScores

pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")

KOREAN = "가각힣똠뷁연차휴가금리복용"


@pytest.fixture(scope="module")
def font() -> Path:
    try:
        return korean_font()
    except ConfigError:
        pytest.skip("no font with Hangul on this machine")


def clustering(terms: list[tuple[str, ...]], noise: int = 0) -> Clustering:
    sizes = [3 + len(terms) - i for i in range(len(terms))]
    labels = np.array([i for i, size in enumerate(sizes) for _ in range(size)] + [NOISE] * noise)
    clusters = tuple(
        Cluster(number=i, size=size, terms=of, example=int(np.flatnonzero(labels == i)[0]))
        for i, (size, of) in enumerate(zip(sizes, terms, strict=True))
    )
    return Clustering(labels=labels, clusters=clusters, silhouette=0.5)


def drawn(found: Clustering, font: Path, **more: Any) -> Any:
    places = np.random.default_rng(0).normal(size=(len(found.labels), 2))
    return draw_clusters(places, found, font=font, **more)


def png(figure: Any) -> bytes:
    out = io.BytesIO()
    save_plot(figure, out, ending=".png")
    return out.getvalue()


def test_no_glyph_is_missing_from_korean_labels(font: Path) -> None:
    terms = [("연차", "휴가"), ("금리", "대출 이자"), ("복용", "漢方", "AI"), ("뷁", "똠방각하", "$3 ~ $5")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of each glyph that a font does not have
        figure = drawn(clustering(terms, noise=4), font, title="취업규정.txt: 글 21개 (k-means)")
        picture = png(figure)
    assert picture.startswith(b"\x89PNG")
    [axes] = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == [
        "0  연차, 휴가 (7)",
        "1  금리, 대출 이자 (6)",
        "2  복용, 漢方, AI (5)",
        "3  뷁, 똠방각하, $3 ~ $5 (4)",
        "no cluster (4)",
    ]
    assert not any(text.get_parse_math() for text in axes.get_legend().get_texts())  # a dollar sign is one
    assert {text.get_text() for text in axes.texts} == {"0", "1", "2", "3"}
    assert axes.get_title(loc="left").startswith("취업규정.txt")


def test_a_font_without_hangul_would_be_noticed_by_that_test() -> None:
    from matplotlib import get_data_path

    latin = Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    with pytest.warns(UserWarning, match="missing from font"):
        png(drawn(clustering([("연차", "휴가")]), latin))


def test_the_font_that_is_found_has_every_letter_and_is_upright(font: Path) -> None:
    from matplotlib.ft2font import FT2Font

    face = FT2Font(str(font))
    assert all(face.get_char_index(ord(letter)) for letter in KOREAN)
    assert "Italic" not in face.style_name


def test_fonts_are_preferred_in_order_whatever_order_they_are_found_in(font: Path) -> None:
    from matplotlib.font_manager import findSystemFonts
    from matplotlib.ft2font import FT2Font

    files = sorted(findSystemFonts())
    assert korean_font(files) == korean_font(reversed(files)) == font
    others = [file for file in files if Path(file) != font]
    try:
        second = korean_font(others)
    except ConfigError:
        return  # it was the only one
    families = [FT2Font(str(file)).family_name for file in (font, second)]
    ranks = [(*PREFERRED, family).index(family) for family in families]
    assert ranks == sorted(ranks)


def test_no_korean_font_and_broken_font_files_say_what_to_install(tmp_path: Path) -> None:
    from matplotlib import get_data_path

    broken = tmp_path / "NanumGothic.ttf"
    broken.write_bytes(b"no font")
    with pytest.raises(ConfigError, match="apt-get install fonts-nanum"):
        korean_font([broken, tmp_path / "gone.ttf", Path(get_data_path(), "fonts/ttf/DejaVuSans.ttf")])


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_the_same_plot_is_the_same_file(font: Path, tmp_path: Path, ending: str) -> None:
    found = clustering([("연차",), ("금리",)])
    for name in ("one", "two"):
        save_plot(drawn(found, font), tmp_path / f"{name}{ending}")
    first, second = ((tmp_path / f"{name}{ending}").read_bytes() for name in ("one", "two"))
    assert first == second
    assert len(first) > 1000


def test_more_clusters_than_a_legend_holds_are_drawn_and_counted(font: Path) -> None:
    figure = drawn(clustering([(f"낱말{i}",) for i in range(40)]), font)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels[-1].endswith("… and 16 smaller ones")
    assert len(figure.axes[0].texts) == 40


def test_no_cluster_at_all_is_a_map_of_noise(font: Path) -> None:
    found = Clustering(labels=np.full(5, NOISE), clusters=(), silhouette=None)
    assert [text.get_text() for text in drawn(found, font).axes[0].get_legend().get_texts()] == ["no cluster (5)"]


def test_a_sweep_shows_each_length_with_its_interval() -> None:
    sweep = [
        StsScores(
            dimension=dimension,
            correlations={"cosine_spearman": Correlation(value=value, low=value - 3, high=value + 2)},
        )
        for dimension, value in ((256, 66.3), (64, 63.1), (128, 66.0))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw_sweep(sweep, title="KorSTS-test")
        assert png(figure) == png(draw_sweep(sweep, title="KorSTS-test"))
    [axes] = figure.axes
    [line] = axes.lines
    assert np.asarray(line.get_xydata()).tolist() == [[64, 63.1], [128, 66.0], [256, 66.3]]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["64", "128", "256"]
    low, high = axes.collections[0].get_paths()[0].get_extents().intervaly
    assert (low, high) == pytest.approx((60.1, 68.3))
    assert [text.get_text() for text in axes.texts] == ["63.1", "66.0", "66.3"]


def test_a_name_that_is_no_picture_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"map\.jpeg: a plot is written as \.png, \.svg, \.pdf"):
        check_plot(Path("map.jpeg"))
    check_plot(Path("지도.PNG"))


def test_without_matplotlib_the_error_holds_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    # What an interpreter without the package has: it is not found, wherever it is looked for.
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [])
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtraError, match=r'pip install "kure-rag\[plots\]"$'):
        check_plot(Path("map.png"))
