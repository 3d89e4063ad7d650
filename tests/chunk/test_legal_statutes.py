"""Statutes and regulations: what is a heading, what stands under which, what a provision says about itself."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest

from kure_rag.chunk import ChunkSettings, Sentences, chunk_document
from kure_rag.chunk.outline import Cutter, outline
from kure_rag.tokenize import Sentence, WhitespaceTokenizer
from kure_rag.types import Chunk, Document, Table

WORDS = WhitespaceTokenizer()


def cut(text: str, *, title: str = "도서관법", tables: Sequence[Table] = (), target: int = 400) -> list[Chunk]:
    document = Document(
        id="d" * 64, source="도서관법.pdf", title=title, domain="legal", text=text, tables=tuple(tables)
    )
    return [item.chunk for item in chunk_document(document, WORDS, ChunkSettings(target=target, longest=2 * target))]


def articles(chunks: Sequence[Chunk], part: str = "본칙") -> list[str]:
    found = [c.metadata["article"] for c in chunks if c.metadata.get("part") == part and "article" in c.metadata]
    return list(dict.fromkeys(found))


def of(chunks: Sequence[Chunk], article: str, part: str = "본칙") -> list[Chunk]:
    return [c for c in chunks if c.metadata.get("article") == article and c.metadata.get("part") == part]


def about(chunks: Sequence[Chunk], article: str, part: str = "본칙") -> dict[str, Any]:
    (chunk,) = of(chunks, article, part)
    return dict(chunk.metadata)


STATUTE = """도서관 운영에 관한 법률
[시행 2025. 1. 1.] [법률 제20001호, 2024. 3. 5., 일부개정]
문화체육관광부 (도서관정책과) 044-000-0000
제1장 총칙 <개정 2019. 4. 2.>
제1조(목적) 이 법은 도서관의 설립과 운영에 필요한 사항을 정하여 국민의 독서 생활을 돕는 것을 목적으로 한다.
제2조(정의) 이 법에서 사용하는 용어의 뜻은 다음과 같다. <개정 2019. 4. 2., 2024. 3. 5.>
1. “도서관”이란 자료를 수집하여 공중이 이용하게 하는 시설을 말한다.
1의2. “분관”이란 도서관에 딸린 시설을 말한다.
2. 삭제 <2024. 3. 5.>
[전문개정 2010. 1. 4.]
제2조의2(국가의 책무) 국가는 「지방자치법」 제13조 및 제14조에 따라 도서관을 지원하여야 한다.
[본조신설 2019. 4. 2.]
제3조 삭제 <2020. 2. 4.>
제4조부터 제6조까지 삭제 <2020. 2. 4.>
제2장 자료의 수집과 이용
제1절 자료의 수집
제7조(납본) ① 출판사는 법 시행 후 제2조제1호의 도서관에 자료를 두 부 제출하여야 한다.
② 제1항에 따른 제출 절차는 대통령령으로 정한다.
제2절 자료의 이용 <신설 2019. 4. 2.>
제7조의13(대출) 도서관은 한 사람에게 다섯 권까지 빌려줄 수 있다.
부칙 <법률 제10001호, 2010. 1. 4.>
이 법은 공포 후 6개월이 지난 날부터 시행한다.
부칙 <법률 제20001호, 2024. 3. 5.>
제1조(시행일) 이 법은 2025년 1월 1일부터 시행한다.
제2조(납본에 관한 적용례) 제7조의 개정규정은 이 법 시행 후 출판한 자료부터 적용한다.
[별표 1] 과태료의 부과기준(제7조 관련)
1. 일반기준
가. 위반 횟수는 최근 1년간 같은 행위로 부과받은 경우에 센다.
2. 개별기준
"""


def test_a_statute_becomes_an_article_a_chunk_in_order() -> None:
    chunks = cut(STATUTE)
    assert articles(chunks) == ["제1조", "제2조", "제2조의2", "제3조", "제4조", "제7조", "제7조의13"]
    assert [c.kind for c in chunks] == [
        *("text", "heading", "article", "article", "article", "article", "article", "heading", "article", "heading"),
        *("article", "article", "heading", "article", "article", "appendix"),
    ]


def test_what_stands_before_the_first_article_is_not_of_it() -> None:
    first = cut(STATUTE)[0]
    assert first.text.startswith("도서관 운영에")
    assert first.text.endswith("044-000-0000")
    assert "article" not in first.metadata


def test_chapters_are_in_the_breadcrumb_without_their_notes_and_in_no_article() -> None:
    chunks = cut(STATUTE)
    assert about(chunks, "제1조")["chapter"] == "제1장 총칙"
    assert of(chunks, "제1조")[0].breadcrumb == ("도서관법", "제1장 총칙", "제1조(목적)")
    last = of(chunks, "제7조의13")[0]
    assert last.breadcrumb == ("도서관법", "제2장 자료의 수집과 이용", "제2절 자료의 이용", "제7조의13(대출)")
    assert last.text == "제7조의13(대출) 도서관은 한 사람에게 다섯 권까지 빌려줄 수 있다."
    headings = [c.text for c in chunks if c.kind == "heading"]
    assert "제2장 자료의 수집과 이용\n제1절 자료의 수집" in headings


def test_amendments_are_dates_and_references_name_their_law() -> None:
    chunks = cut(STATUTE)
    assert about(chunks, "제2조")["amended"] == ["2010.1.4", "2019.4.2", "2024.3.5"]
    assert about(chunks, "제2조의2")["references"] == ["「지방자치법」 제13조", "「지방자치법」 제14조"]
    assert about(chunks, "제7조")["references"] == ["제2조제1호"]
    assert "amended" not in about(chunks, "제1조")


def test_deleted_articles_say_so() -> None:
    chunks = cut(STATUTE)
    assert about(chunks, "제3조")["deleted"] is True
    assert about(chunks, "제3조")["amended"] == ["2020.2.4"]
    assert about(chunks, "제4조")["through"] == "제6조"
    assert "deleted" not in about(chunks, "제2조")  # an item of it was deleted, not the article


def test_addenda_count_from_one_again_and_say_which_they_are() -> None:
    chunks = cut(STATUTE)
    assert articles(chunks, "부칙") == ["제1조", "제2조"]
    added = about(chunks, "제1조", "부칙")
    assert added["part_name"] == "부칙 <법률 제20001호, 2024. 3. 5.>"
    assert added["title"] == "시행일"
    assert added["addenda"] == 2
    assert of(chunks, "제2조", "부칙")[0].breadcrumb == (
        "도서관법",
        "부칙 <법률 제20001호, 2024. 3. 5.>",
        "제2조(납본에 관한 적용례)",
    )


def test_addenda_whose_first_article_stands_in_the_same_line() -> None:
    text = f"{filler(1, 3)}\n부칙 <제9호, 2024. 1. 1.>제1조(시행일) 오늘부터 시행한다.\n제2조(적용례) 새로 적용한다.\n"
    chunks = cut(text)
    assert articles(chunks, "부칙") == ["제1조", "제2조"]
    assert of(chunks, "제1조", "부칙")[0].text == "제1조(시행일) 오늘부터 시행한다."


def test_addenda_without_articles_are_one_passage_with_their_heading() -> None:
    (old,) = [c for c in cut(STATUTE) if c.text.startswith("부칙 <법률 제10001호")]
    assert old.text.endswith("6개월이 지난 날부터 시행한다.")
    assert old.metadata["part"] == "부칙"
    assert "article" not in old.metadata


def test_an_appendix_is_of_no_article() -> None:
    last = cut(STATUTE)[-1]
    assert last.kind == "appendix"
    assert last.breadcrumb == ("도서관법", "별표 1 과태료의 부과기준(제7조 관련)")
    assert last.metadata["part"] == "별표"
    assert "article" not in last.metadata


def filler(first: int, last: int) -> str:
    return "\n".join(f"제{n}조(사항 {n}) 위원회는 {n}번째 사항을 심의한다." for n in range(first, last + 1))


@pytest.mark.parametrize(
    "line",
    [
        "제15조(연차휴가)에 따라 휴가를 쓴 사람에게는 적용하지 아니한다.",
        "제15조(연차휴가) 및 제16조(병가)를 준용한다.",
        "제2장 및 제3장은 수습 직원에게 준용한다.",
        "제3장에서 정한 절차를 따른다.",
        "제9조제2항에 따른 승인을 받은 경우에는 그러하지 아니하다.",
        "제9조 단서에 해당하는 사람은 제외한다.",
        "제1조(목적)의 취지에 맞게 운영한다.",
        "부칙 제2조에 따른 경과조치를 따른다.",
        "별표 1에 따른 금액으로 한다.",
        "[별표 2]와 같이 정한다.",
    ],
)
def test_a_reference_at_a_lines_start_is_no_heading(line: str) -> None:
    chunks = cut(f"{filler(1, 4)}\n{line}\n{filler(5, 8)}\n")
    assert articles(chunks) == [f"제{n}조" for n in range(1, 9)]
    assert of(chunks, "제4조")[0].text.endswith(line)


def test_a_heading_whose_number_does_not_follow_is_a_reference() -> None:
    chunks = cut(f"{filler(1, 4)}\n제40조(심의 사항)\n{filler(5, 8)}\n제2조(사항 2) 위원회는 이를 다시 본다.\n")
    assert articles(chunks) == [f"제{n}조" for n in range(1, 9)]


def test_articles_quoted_in_addenda_are_not_of_the_statute() -> None:
    text = f"""{filler(1, 5)}
부칙 <제100호, 2024. 5. 1.>(문화기본법)
제1조(시행일) 이 법은 공포한 날부터 시행한다.
제2조 생략
제3조(다른 법률의 개정) ① 도서관법 일부를 다음과 같이 개정한다.
제5조 중 “위원회”를 “심의회”로 한다.
제6조를 다음과 같이 한다.
제6조(심의회) 심의회는 열 명으로 구성한다.
제4조를 다음과 같이 한다.
제4조(회의) 회의는 해마다 두 번 연다.
제4조(경과조치) 종전의 위원회는 심의회로 본다.
"""
    chunks = cut(text)
    assert articles(chunks) == [f"제{n}조" for n in range(1, 6)]
    assert articles(chunks, "부칙") == ["제1조", "제2조", "제3조", "제4조"]
    assert about(chunks, "제2조", "부칙")["omitted"] is True
    assert "제6조(심의회)" in of(chunks, "제3조", "부칙")[0].text
    assert about(chunks, "제4조", "부칙")["title"] == "경과조치"


def test_a_table_of_contents_is_no_text_of_articles() -> None:
    contents = "목차\n제1장 총칙 ········ 1\n제1조(사항 1) ········ 1\n제2조(사항 2) ········ 2\n"
    plain = "차례\n제1조(사항 1)\n제2조(사항 2)\n제3조(사항 3)\n제4조(사항 4)\n"
    for above in (contents, plain):
        chunks = cut(f"{above}{filler(1, 4)}\n")
        assert [c.metadata["article"] for c in chunks if "article" in c.metadata] == [
            "제1조",
            "제2조",
            "제3조",
            "제4조",
        ]
        assert of(chunks, "제1조")[0].text == filler(1, 1)


def test_articles_without_titles() -> None:
    text = """제1장 총 칙
제1조 본교에 문화상을 둔다.
제2조 문화상은 재학생과 졸업생에게 준다.
제3조 ① 상은 해마다 한 번 준다.
② 제2조에 해당하는 사람이 없으면 주지 아니한다.
제4조 이 규정에 없는 사항은 총장이 정한다.
"""
    chunks = cut(text, title="문화상 규정")
    assert articles(chunks) == ["제1조", "제2조", "제3조", "제4조"]
    assert of(chunks, "제3조")[0].breadcrumb == ("문화상 규정", "제1장 총 칙", "제3조")


def test_articles_numbered_by_chapter() -> None:
    text = """제1장 총칙
제1-1조(목적) 이 규정은 감독에 필요한 사항을 정한다.
제1-2조(정의) 용어의 뜻은 법과 같다.
제2장 인가
제2-1조(신청) 인가를 받으려는 자는 신청서를 낸다.
제2-1조의2(보완) 서류가 모자라면 보완하게 한다.
"""
    assert articles(cut(text)) == ["제1-1조", "제1-2조", "제2-1조", "제2-1조의2"]


def test_an_article_that_moved_away_leaves_its_number() -> None:
    text = f"{filler(1, 3)}\n제4조\n[제4조는 제6조로 이동 <2023. 1. 3.>]\n{filler(5, 7)}\n"
    chunks = cut(text)
    assert about(chunks, "제4조")["moved"] is True
    assert articles(chunks) == [f"제{n}조" for n in range(1, 8)]


def test_a_title_that_speaks_of_deletion_or_moving_is_a_title() -> None:
    chunks = cut(
        "제1조(삭제ㆍ전송중단의 명령) 명령한다.\n제2조(이동통신) 요금을 정한다.\n제3조(신설합병의 총회) 연다.\n"
    )
    assert [c.metadata["title"] for c in chunks] == ["삭제ㆍ전송중단의 명령", "이동통신", "신설합병의 총회"]


def test_two_wordings_of_an_article_are_two_chunks_and_the_later_is_not_yet_in_force() -> None:
    now, later = (
        "제3조(수수료) 수수료는 천원으로 한다.",
        "제3조(수수료) 수수료는 이천원으로 한다.\n[시행일: 2026. 1. 1.] 제3조",
    )
    chunks = cut(f"{filler(1, 2)}\n{now}\n{later}\n{filler(4, 6)}\n")
    assert [c.text for c in of(chunks, "제3조")] == [now]
    (coming,) = of(chunks, "제3조", "본칙(시행예정)")
    assert coming.text == later
    assert coming.metadata["effective"] == "2026.1.1"
    assert "amended" not in coming.metadata
    assert "references" not in coming.metadata  # the note is about the article itself


def test_no_piece_ends_inside_an_amendment_note() -> None:
    note = "<개정 2001. 2. 1., 2002. 2. 1., 2003. 2. 1., 2004. 2. 1., 2005. 2. 1.>"
    text = f"위원회는 사항을 심의하고 그 결과를 기록하여야 한다.{note}\n위원회는 해마다 두 번 모인다."

    class Hasty(WhitespaceTokenizer):
        """Takes the bracket and a comma for the end of a sentence."""

        def sentences(self, texts: Iterable[str]) -> Iterator[list[Sentence]]:
            for line in texts:
                ends = [match.end() for match in re.finditer("<|2002. 2. 1., ", line)]
                yield [Sentence(a, b, ()) for a, b in pairwise([0, *ends, len(line)])]

    sentences = Sentences(text, Hasty())
    lengths = ChunkSettings(target=50, longest=80)
    cutter = Cutter(text, sentences, lengths, together=lengths.longest, whole=lengths.longest)
    found = [text[piece.start : piece.end].strip() for piece in cutter.pieces(outline(text, 0, len(text)), 0)]
    assert found == ["위원회는 사항을 심의하고 그 결과를 기록하여야 한다.", note, "위원회는 해마다 두 번 모인다."]


def test_a_collection_of_regulations_starts_again_with_each() -> None:
    text = f"""휴가 규정
{filler(1, 3)}
부칙
이 규정은 2024년 3월 1일부터 시행한다.
여비 규정
제1조(목적) 이 규정은 여비를 정한다.
제2조(지급) 여비는 미리 준다.
"""
    chunks = cut(text, title="규정집")
    assert [c.breadcrumb for c in chunks if c.metadata.get("title") == "지급"] == [
        ("규정집", "여비 규정", "제2조(지급)")
    ]
    assert about(chunks, "제3조")["part"] == "본칙"
    assert articles(chunks, "부칙") == []


def test_an_article_that_a_report_quotes_does_not_swallow_the_report() -> None:
    text = """검토보고서
현행법은 위원회의 구성을 다음과 같이 정하고 있다.
제22조(위원회의 구성) 위원회는 위원장을 포함하여 열 명으로 구성한다.
이에 따라 개정안은 위원을 열다섯 명으로 늘리려 한다.
"""
    assert {c.kind for c in cut(text, title="검토보고서")} == {"text"}


def test_a_page_of_a_statute_begins_in_the_middle_of_its_count() -> None:
    assert articles(cut(filler(22, 23))) == ["제22조", "제23조"]


def test_the_comparison_at_a_bills_end_is_not_of_its_addenda() -> None:
    text = """도서관법 일부개정법률안
제7조제1항 중 “두 부”를 “세 부”로 한다.
부 칙
제1조(시행일) 이 법은 공포한 날부터 시행한다.
제2조(적용례) 이 법 시행 후 출판한 자료부터 적용한다.
신ㆍ구조문대비표
제7조(납본) ① 두 부를 제출한다.
제7조(납본) ① 세 부를 제출한다.
"""
    chunks = cut(text)
    assert articles(chunks, "부칙") == ["제1조", "제2조"]
    assert of(chunks, "제2조", "부칙")[0].text.endswith("자료부터 적용한다.")
    assert chunks[-1].kind == "appendix"
    assert chunks[-1].breadcrumb == ("도서관법", "신ㆍ구조문대비표")
    assert articles(chunks) == []


LONG = """제1조(목적) 이 규칙은 검사의 절차를 정한다.
제2조(검사) ① 검사소는 해마다 한 번 검사한다.
② 검사소는 다음 각 호의 어느 하나에 해당하는 경우에는 검사를 다시 할 수 있다. <개정 2022. 7. 1.>
1. 다음 각 목의 어느 하나에 해당하는 사정으로 검사를 마치지 못한 경우
가. 정전이나 설비의 고장으로 검사를 이어 갈 수 없게 되어 그 사실을 기록한 때
나. 검사를 받는 사람이 자리를 비워 두 번 넘게 연락하였는데도 오지 아니한 때
2. 검사 결과에 잘못이 있다고 볼 만한 뚜렷한 사정이 새로 드러난 경우
3. 검사를 받은 사람이 결과를 받은 날부터 서른 날 안에 다시 검사하여 달라고 한 경우
③ 제2항에 따른 검사의 비용은 검사소가 낸다.
④ 그 밖의 사항은 소장이 정한다.
제3조(보고) 소장은 결과를 보고한다.
"""


def test_a_long_article_is_cut_at_its_paragraphs_then_items_then_subitems() -> None:
    parts = [c for c in cut(LONG, target=80) if c.metadata["article"] == "제2조"]
    numbers = [tuple(c.metadata.get(key, "") for key in ("paragraph", "item", "subitem")) for c in parts]
    assert numbers == [
        ("①", "", ""),
        ("②", "1.", "가."),
        ("②", "1.", "나."),
        ("②", "2.", ""),
        ("②", "3.", ""),
        ("③-④", "", ""),
    ]
    assert "".join("".join(c.text.split()) for c in parts) == "".join(
        LONG.split("\n제3조")[0].partition("\n")[2].split()
    )


def test_the_lead_in_goes_along_with_what_it_announces_and_without_its_notes() -> None:
    parts = [c for c in cut(LONG, target=80) if c.metadata["article"] == "제2조"]
    opening = "② 검사소는 다음 각 호의 어느 하나에 해당하는 경우에는 검사를 다시 할 수 있다."
    assert [c.lead for c in parts[3:5]] == [opening, opening]
    assert parts[2].lead == f"{opening}\n1. 다음 각 목의 어느 하나에 해당하는 사정으로 검사를 마치지 못한 경우"
    assert parts[0].lead == ""
    assert parts[5].lead == ""
    assert parts[3].contextualized().startswith("도서관법 > 제2조(검사)\n② 검사소는")


def test_a_whole_article_names_no_paragraph() -> None:
    assert "paragraph" not in about(cut(LONG), "제2조")


def test_a_table_in_an_article_is_a_chunk_of_its_own() -> None:
    grid = "| 구분 | 금액 |\n| --- | --- |\n| 제1조(목적) | 1,000 |"
    text = f"제1조(요금) 요금은 다음 표와 같다.\n{grid}\n제2조(납부) 요금은 미리 낸다.\n제3조(환급) 요금을 돌려준다.\n"
    start = text.index("| 구분")
    table = Table(1, start, start + len(grid), header=("구분", "금액"), rows=(("제1조(목적)", "1,000"),))
    chunks = cut(text, tables=[table])
    assert [c.kind for c in chunks] == ["article", "table", "article", "article"]
    assert chunks[1].text == grid
    assert chunks[1].metadata["article"] == "제1조"
    assert articles(chunks) == ["제1조", "제2조", "제3조"]


def test_an_articles_heading_may_be_the_caption_of_its_table() -> None:
    grid = "제2조 요금표\n| 구분 | 금액 |\n| --- | --- |\n| 어른 | 1,000 |"
    text = f"제1조 목적\n요금을 정한다.\n{grid}\n어린이는 반값으로 한다.\n제3조 환급\n남은 요금은 돌려준다.\n"
    start = text.index("제2조")
    table = Table(1, start, start + len(grid), "제2조 요금표", "", ("구분", "금액"), (("어른", "1,000"),))
    chunks = cut(text, tables=[table])
    assert articles(chunks) == ["제1조", "제2조", "제3조"]
    assert [c.kind for c in of(chunks, "제2조")] == ["table", "article"]
    assert of(chunks, "제2조")[0].breadcrumb[-1] == "제2조(요금표)"


def test_the_last_of_several_deleted_articles_is_no_reference() -> None:
    chunks = cut(STATUTE)
    deleted = about(chunks, "제4조")
    assert deleted["through"] == "제6조"
    assert "references" not in deleted
