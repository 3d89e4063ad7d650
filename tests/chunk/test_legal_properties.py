"""What holds for every text the legal profile cuts."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Chunk, Document

WORDS = WhitespaceTokenizer()

# Pieces that real texts are made of, in any order, and so mostly nonsense.
FRAGMENTS = (
    *(
        "제1조(목적) ",
        "제2조(정의)",
        "제3조 삭제 <2020. 2. 4.>",
        "제7조의13(특례)\n",
        "제4조부터 제6조까지 삭제",
        "제5조",
    ),
    *("제15조(휴가)에 따라 ", "제1장 총칙\n", "제2절 이용 <신설 2019. 4. 2.>\n", "제3장에서 ", "제 8 조의 2 (비밀)"),
    *("부칙 <법률 제1호, 2020. 1. 1.>\n", "부      칙\n", "[별표 1] 기준표\n", "별지 제3호서식\n", "【보통약관】\n"),
    *(
        "골절 특별약관\n",
        "① ",
        "\n② ",
        "\n③",
        "\n1. ",
        "\n1의2. ",
        "\n2. ",
        "\n가. ",
        "\n나. ",
        "\n1) ",
        "\n(1) ",
        "[1] ",
    ),
    *(
        "【주 문】\n",
        "【이 유】 ",
        "【판시사항】\n",
        "주 문\n",
        "이 유\n",
        "대법원 2021. 4. 29. 선고 2021다202309 판결\n",
    ),
    *(
        "제3조를 다음과 같이 한다.\n",
        "다음 각 호와 같다. ",
        "<개정 2020. 2. 4.>",
        "[전문개정 2010. 1. 4.]\n",
        "「민법」 제32조 ",
    ),
    *(
        "제3조. 손해배상\n",
        "제4조 관할\n",
        "특약사항\n",
        "[별첨 1] 도면\n",
        "2025년 3월 2일\n갑 (인)\n",
        "<단체 특약>\n",
    ),
    *(
        "직원은 휴가를 쓴다. ",
        "회사는 보험금을 드립니다.\n",
        "(",
        ")",
        "<",
        "[",
        "】",
        "제",
        "조",
        "\n",
        "\n\n",
        " ",
        "\u3000",
        ".",
    ),
)
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join)
LENGTHS = st.integers(min_value=5, max_value=60)


def cut(text: str, target: int = 400) -> list[Chunk]:
    document = Document(id="d" * 64, source="규정.pdf", title="규정", domain="legal", text=text)
    return [item.chunk for item in chunk_document(document, WORDS, ChunkSettings(target=target, longest=2 * target))]


@settings(deadline=None, max_examples=300)
@given(text=TEXTS, target=LENGTHS)
def test_every_visible_character_is_in_one_chunk_at_its_offset(text: str, target: int) -> None:
    chunks = cut(text, target)
    for chunk in chunks:
        assert text[chunk.start : chunk.end] == chunk.text
        assert chunk.text == chunk.text.strip() != ""
    for chunk, following in pairwise(chunks):
        assert chunk.end <= following.start
    assert "".join("".join(c.text.split()) for c in chunks) == "".join(text.split())


@settings(deadline=None)
@given(text=TEXTS)
def test_cutting_twice_gives_the_same(text: str) -> None:
    assert cut(text) == cut(text)


ARTICLES = st.lists(
    st.tuples(
        st.integers(min_value=1, max_value=3),  # how far the number rises
        st.integers(min_value=0, max_value=2),  # its branch: 제3조의2
        st.sampled_from(["목적", "정의", "휴가(연차를 포함한다)", "직원의 의무 등"]),
        st.lists(
            st.sampled_from(
                [
                    "직원은 규정을 지켜야 한다.",
                    "\n② 제1항에도 불구하고 원장이 정할 수 있다.",
                    "\n1. 질병으로 쉬는 경우",
                    "\n제90조(벌칙)에 따라 처벌한다.",
                    "\n제2장 및 제3장을 준용한다.",
                    " <개정 2020. 2. 4.>",
                ]
            ),
            min_size=1,
            max_size=6,
        ),
        st.booleans(),  # whether a chapter begins before it
    ),
    min_size=3,
    max_size=12,
)


@settings(deadline=None, max_examples=200)
@given(articles=ARTICLES, target=st.sampled_from([20, 60, 400]))
def test_a_chunks_article_and_chapter_are_the_last_headings_above_it(
    articles: list[tuple[int, int, str, list[str], bool]], target: int
) -> None:
    lines, places = [], []  # places: offset, article, chapter
    number = chapter = length = 0
    for rise, branch, title, body, new in articles:
        number += rise
        if new or not chapter:
            chapter += 1
            lines.append(f"제{chapter}장 {chapter}번째 장\n")
            length += len(lines[-1])
        label = f"제{number}조" + (f"의{branch + 1}" if branch else "")
        places.append((length, label, f"제{chapter}장 {chapter}번째 장"))
        lines.append(f"{label}({title}) 원장은 이를 정한다." + "".join(body) + "\n")
        length += len(lines[-1])
    chunks = cut("".join(lines), target)
    tagged = [c for c in chunks if "article" in c.metadata]
    for chunk in tagged:
        _, label, chapter_name = [place for place in places if place[0] <= chunk.start][-1]
        assert chunk.metadata["article"] == label
        assert chunk.metadata["chapter"] == chapter_name
        assert chunk.breadcrumb[1] == chapter_name
    assert list(dict.fromkeys(c.metadata["article"] for c in tagged)) == [label for _, label, _ in places]
    assert all(c.kind == "heading" for c in chunks if c.text.startswith("제") and "번째 장" in c.text)
