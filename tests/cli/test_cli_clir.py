"""``kure-rag clir``: windows of a dump, exact search and its scores, the map of two languages."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from commands import call
from support import HashEmbedder

from kure_rag.errors import ConfigError, CorpusFormatError
from kure_rag.train.cross_lingual_score import Ranked, rank, read_score_set
from kure_rag.train.exact_search import best_rows, embed_to_file, texts_digest
from kure_rag.train.wikipedia import read_articles
from kure_rag.train.wikitext import plain_text
from kure_rag.train.windows import WindowSettings, cut

DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="ko">
  <siteinfo><sitename>위키백과</sitename><dbname>kowiki</dbname></siteinfo>
  <page>
    <title>한강</title><ns>0</ns><id>5</id>
    <revision>
      <id>99</id><contributor><username>어느 편집자</username><id>7</id></contributor>
      <text bytes="310" xml:space="preserve">{{다른 뜻|영화|한강 (영화)}}
'''한강'''(漢江)은 [[대한민국]]의 [[강 (지리)|강]]이다.&lt;ref name="길이"&gt;어느 [[책]]에서&lt;/ref&gt;
[[파일:한강.jpg|섬네일|[[서울]]을 지나는 강]]
== 이름 ==
* '한'은 크다는 뜻이다 &amp;amp; '강'은 강이다.
{| class="wikitable"
! 지류 !! 길이
|-
| {{나라|북한강}} || 317
|}
[[분류:대한민국의 강]]</text>
    </revision>
  </page>
  <page><title>한가람</title><ns>0</ns><id>6</id><redirect title="한강" />
    <revision><id>100</id><text xml:space="preserve">#넘겨주기 [[한강]]</text></revision></page>
  <page><title>토론:한강</title><ns>1</ns><id>8</id><revision><id>101</id><text>토론이다.</text></revision></page>
  <page><title>낙동강</title><ns>0</ns><id>9</id>
    <revision><id>102</id><text>낙동강은 남해로 흐른다.</text></revision></page>
</mediawiki>
"""


def dump(tmp_path: Path) -> Path:
    path = tmp_path / "kowiki-pages-articles.xml.bz2"
    path.write_bytes(bz2.compress(DUMP.encode()))
    return path


@pytest.mark.parametrize("pack", [bz2.compress, gzip.compress, bytes])
def test_articles_of_a_dump_are_plain_text_without_redirects_and_talk(tmp_path: Path, pack: object) -> None:
    path = tmp_path / "dump"
    path.write_bytes(pack(DUMP.encode()))  # type: ignore[operator]
    han, nakdong = read_articles(path)
    assert (han.id, han.title) == ("5", "한강")
    assert han.text == "한강(漢江)은 대한민국의 강이다.\n이름\n'한'은 크다는 뜻이다 & '강'은 강이다."
    assert (nakdong.id, nakdong.text) == ("9", "낙동강은 남해로 흐른다.")


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("가 [http://a.kr 누리집] 나", "가 누리집 나"),
        ("가<br/>나<nowiki>다</nowiki>", "가\n나다"),
        ("{{틀|{{안|}}|}}가", "가"),
        ("<math>x < y</math>가<ref name=a />나<!-- 다", "가나"),
        ("[[en:River]][[:분류:강]][[강]]의 ''길이''", "분류:강강의 길이"),
        ("{| a\n| {{b}} |}가", "가"),
        ("가 {{ 닫지 않은 틀", "가 닫지 않은 틀"),
        ("__목차__ __TOC__가&nbsp;나", "__목차__ 가 나"),
    ],
)
def test_markup(markup: str, text: str) -> None:
    assert plain_text(markup) == text.replace("[[:분류:강]]", "")


@pytest.mark.parametrize("hostile", ["{{", "[[", "<ref>", "{{|}", "<a ", "<!--", "[[|]]", "'''''", "[//"])
def test_brackets_that_never_close_take_no_longer_than_the_text(hostile: str) -> None:
    """A quadratic pass would not be done with these within a test's patience."""
    plain_text(hostile * 100_000)


def test_a_hostile_or_broken_dump_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "dump.xml"
    bomb = '<!DOCTYPE mediawiki [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    path.write_text(f"{bomb}<mediawiki><page><title>&b;</title></page></mediawiki>", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"dump\.xml: line 1: a document type is declared"):
        list(read_articles(path))
    path.write_text(DUMP[: DUMP.index("낙동강은")], encoding="utf-8")
    articles = read_articles(path)
    assert next(articles).title == "한강"  # what came before is not lost
    with pytest.raises(CorpusFormatError, match=r"line \d+: not XML"):
        list(articles)
    path.write_text("<html><body/></html>", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match="<mediawiki> should be"):
        list(read_articles(path))
    path.write_bytes(bz2.compress(DUMP.encode())[:-40])
    with pytest.raises(CorpusFormatError, match="breaks off"):
        list(read_articles(path))
    path.write_text("", encoding="utf-8")
    with pytest.raises(CorpusFormatError, match="empty"):
        read_articles(path)


def test_windows_lose_nothing_and_end_before_words() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    letters = sorted(set("가나다라마바사 "))
    tokenizer = Tokenizer(models.WordLevel({letter: i for i, letter in enumerate(letters)}, unk_token=" "))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split("", "isolated")]
    )
    text = "가나다 라마 바사가 나다라마바사 가나 다"
    settings = WindowSettings(length=6, stride=6, least=1)
    found = [text[start:end] for start, end in cut(text, tokenizer, settings)]
    assert found == ["가나다 라마", "바사가", "나다라마바사", "가나 다"]
    overlapping = [text[a:b] for a, b in cut(text, tokenizer, WindowSettings(length=6, stride=3, least=1))]
    assert overlapping[:2] == ["가나다 라마", "라마 바사가"]
    assert overlapping[-1].endswith("다")
    long = "가" * 20  # one word that no window holds
    pieces = [long[a:b] for a, b in cut(long, tokenizer, settings)]
    assert "".join(pieces) == long
    assert list(cut("", tokenizer, settings)) == []
    with pytest.raises(ConfigError, match="text would be lost"):
        WindowSettings(length=4, stride=5)


def test_windows_of_a_dump_are_a_corpus(tmp_path: Path) -> None:
    out = tmp_path / "corpus.jsonl"
    said = call(
        "clir", "windows", dump(tmp_path), "--out", out, "--model", "static-ko", "--length", "12", "--json"
    ).json()
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert said == {"out": str(out), "windows": len(rows), "articles": 2}
    assert {row["title"] for row in rows} == {"한강", "낙동강"}
    assert len({row["_id"] for row in rows}) == len(rows) > 2
    assert rows[0]["_id"] == "5-0"
    assert rows[0]["text"].startswith("한강(漢江)은")
    lines = tmp_path / "articles.txt"
    lines.write_text("낙동강은 남해로 흐른다.\n\n한강은 서해로 흐른다.\n", encoding="utf-8")
    assert "2 windows of 2 articles" in call("clir", "windows", lines, "--out", out, "--model", "static-ko").out


def test_exact_search_is_a_full_sort(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    vectors = chance.standard_normal((9_000, 6)).astype(np.float32)  # more than a block
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = chance.standard_normal((5, 6)).astype(np.float32)
    wanted = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :20]
    np.testing.assert_array_equal(best_rows(vectors, queries, 20), wanted)
    assert best_rows(vectors[:3], queries, 20).shape == (5, 3)


def test_kept_vectors_are_taken_for_the_same_corpus_and_model_only(tmp_path: Path) -> None:
    texts = ["한강은 서해로 흐른다", "낙동강은 남해로 흐른다"]
    digest = texts_digest(texts)
    first = embed_to_file(HashEmbedder(), texts, tmp_path / "v", corpus=digest)

    class Never(HashEmbedder):
        def embed_passages(self, _: object) -> np.ndarray:
            raise AssertionError("embedded again")

    again = embed_to_file(Never(), texts, tmp_path / "v", corpus=digest)
    np.testing.assert_array_equal(first.open(), again.open())
    with pytest.raises(ConfigError, match="another corpus"):
        embed_to_file(HashEmbedder(), texts[:1], tmp_path / "v", corpus=texts_digest(texts[:1]))
    with pytest.raises(ConfigError, match="another model"):
        embed_to_file(HashEmbedder("2"), texts, tmp_path / "v", corpus=digest)
    with (tmp_path / "v" / "vectors.f32").open("ab") as file:
        file.write(b"1234")
    with pytest.raises(ConfigError, match="not as long"):
        embed_to_file(HashEmbedder(), texts, tmp_path / "v", corpus=digest)


def test_measures_are_those_of_the_ranks() -> None:
    found = Ranked(name="s", model="m", passages=200, ranks=(1, 3, 0, 20), depth=20, ks=(1, 5, 20))
    means = {name: interval.mean for name, interval in found.intervals().items()}
    assert means["accuracy@1"] == 0.25
    assert means["accuracy@5"] == 0.5
    assert means["accuracy@20"] == 0.75
    assert means["mrr@1"] == 0.25
    assert means["mrr@5"] == pytest.approx((1 + 1 / 3) / 4)
    assert means["mrr@20"] == pytest.approx((1 + 1 / 3 + 1 / 20) / 4)


def write_set(folder: Path) -> Path:
    folder.mkdir()
    corpus = [{"_id": f"d{i}", "title": "", "text": text} for i, text in enumerate(("한강 물", "낙동강 물", "금강 물"))]
    (folder / "corpus.jsonl").write_text("\n".join(map(json.dumps, corpus)) + "\n", encoding="utf-8")
    queries = [{"_id": "q1", "text": "낙동강"}, {"_id": "q2", "text": "금강"}]
    (folder / "queries.jsonl").write_text("\n".join(map(json.dumps, queries)) + "\n", encoding="utf-8")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t1\n", encoding="utf-8")
    return folder


def test_a_set_in_beirs_layout_and_questions_with_answers_are_scored(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "ko-ko")
    assert rank(HashEmbedder(), read_score_set(folder)).ranks == (1, 1)
    questions = tmp_path / "questions.jsonl"
    rows = [{"question": "낙동강", "answers": ["낙동강  물"]}, {"question": "금강", "answers": ["없는 말", "없다"]}]
    questions.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    assert rank(HashEmbedder(), read_score_set(questions, folder / "corpus.jsonl")).ranks == (1, 0)
    questions.write_text('{"question": "낙동강", "answers": []}\n', encoding="utf-8")
    with pytest.raises(CorpusFormatError, match=r"questions\.jsonl: line 1: answers"):
        read_score_set(questions, folder / "corpus.jsonl")
    with pytest.raises(ConfigError, match="its own corpus"):
        read_score_set(folder, folder / "corpus.jsonl")


def bitext(tmp_path: Path, count: int = 12) -> Path:
    names = ("LG", "SK", "KT", "POSCO", "Naver", "Kakao", "Toyota", "BMW", "Volvo", "Intel", "Nokia", "Sony")[:count]
    rows = [f"{name} 주가가 올랐다\t{name} shares rose" for name in names]
    path = tmp_path / "news.tsv"
    path.write_text("ko\ten\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_scores_are_printed_compared_and_written(tmp_path: Path) -> None:
    path, out = bitext(tmp_path), tmp_path / "scores.csv"
    kept = tmp_path / "vectors"
    words = ("clir", "score", path, "--model", "static-ko", "--before", "static-ko", "--ks", "1,5", "--vectors", kept)
    (found,) = call(*words, "--out", out, "--json").json()["results"]
    assert (found["set"], found["questions"], found["passages"]) == ("news", 12, 12)
    assert set(found["metrics"]) == {"accuracy@1", "accuracy@5", "mrr@1", "mrr@5"}
    assert found["tests"]["accuracy@1"]["p_value"] == 1.0
    assert found["before"]["metrics"] == found["metrics"]
    assert sorted(path.name for path in kept.iterdir()) == ["after", "before"]
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8
    assert {(row["measure"], row["k"]) for row in rows} == {(m, k) for m in ("accuracy", "mrr") for k in ("1", "5")}
    assert float(rows[0]["value"]) == pytest.approx(found["metrics"]["accuracy@1"]["mean"], abs=1e-6)
    printed = call(*words).out
    assert "news: 12 questions, 12 passages" in printed
    assert "MRR@5" in printed
    assert call("clir", "score", path, path, "--model", "static-ko", "--vectors", kept).status == 2


def test_both_languages_are_drawn_in_panels_of_one_scale(tmp_path: Path) -> None:
    from kure_rag.train.cross_lingual_data import read_pairs
    from kure_rag.train.cross_lingual_plot import draw_languages, map_languages, mixing, partner_gap

    pairs = list(read_pairs(bitext(tmp_path)))
    maps = [map_languages(HashEmbedder(), pairs, projection="pca", title=name) for name in ("before", "after")]
    figure = draw_languages(maps, title="한국어와 영어")
    left, right = figure.axes
    assert left.get_xlim() == right.get_xlim() == left.get_ylim() == right.get_ylim()
    (lines,) = left.collections[:1]
    assert len(lines.get_segments()) == len(pairs)
    np.testing.assert_allclose(lines.get_segments()[0], [maps[0].korean[0], maps[0].english[0]])
    same = np.eye(12)
    assert mixing(same[:6], same[6:]) < 1
    korean = np.eye(3)
    assert partner_gap(korean, korean) == 1.0
    apart = np.concatenate([np.tile([1.0, 0], (12, 1)), np.tile([0.0, 1], (12, 1))])
    assert mixing(apart[:12], apart[12:]) == 0.0
    out = tmp_path / "map.png"
    said = call("clir", "plot", bitext(tmp_path), "--model", "static-ko", "--out", out, "--projection", "pca", "--json")
    assert out.read_bytes().startswith(b"\x89PNG")
    assert said.json()["pairs"] == 12
    again = tmp_path / "again.png"
    call("clir", "plot", bitext(tmp_path), "--model", "static-ko", "--out", again, "--projection", "pca")
    assert again.read_bytes() == out.read_bytes()


def test_wrong_arguments_are_told_before_any_work(tmp_path: Path) -> None:
    path, no_folder = bitext(tmp_path), tmp_path / "no" / "map.png"
    for status, words, arguments in (
        (2, "no list of whole numbers", ("score", path, "--ks", "0,x")),
        (1, "--out", ("plot", path, "--out", no_folder)),
        (1, ".png", ("plot", path, "--out", tmp_path / "map.gif")),
        (1, "--pairs", ("plot", path, "--out", tmp_path / "map.png", "--pairs", "2")),
        (1, "stride", ("windows", path, "--out", tmp_path / "w.jsonl", "--length", "4", "--stride", "9")),
        (1, "missing.tsv", ("score", tmp_path / "missing.tsv", "--model", "static-ko")),
    ):
        said = call("clir", *arguments)
        assert said.status == status
        assert words in said.err
        assert said.err.count("\n") < 12
    assert not list(tmp_path.glob("*.part"))
