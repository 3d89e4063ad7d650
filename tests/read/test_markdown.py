import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.read.markdown import front_title, outline, plain


def headings(text: str) -> list[tuple[int, str]]:
    return [(level, title) for level, title, _ in outline(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# 휴가\n## 연차 ##\n### 병가", [(0, "휴가"), (1, "연차"), (2, "병가")]),
        ("#휴가\n####### 병가\n    # 코드\n\\# 글", []),
        ("휴가\n====\n\n연차\n---\n", [(0, "휴가"), (1, "연차")]),
        ("두 줄로 된\n문단\n---\n", []),
        ("- 목록\n---\n\n| 표 |\n---\n> 인용\n---\n", []),
        ("\n---\n\n---\n", []),
        ("```sh\n# 설명\n```\n# 휴가", [(0, "휴가")]),
        ("~~~\n```\n# 설명\n~~~~\n# 휴가", [(0, "휴가")]),
        ("```` md\n```\n# 설명\n````\n# 휴가", [(0, "휴가")]),
        ("```한 줄``` 코드\n# 휴가", [(0, "휴가")]),
        ("---\n# 주석\ntitle: 글\n---\n# 휴가", [(0, "휴가")]),
        ("#\n##  \n# 휴가", [(0, "휴가")]),
    ],
)
def test_headings(text: str, found: list[tuple[int, str]]) -> None:
    assert headings(text) == found


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("---\ntitle: 휴가 안내\n---\n# 연차", "휴가 안내"),
        ('---\nlang: ko\ntitle: "휴가: 안내"  \n...\n', "휴가: 안내"),
        ("---\ntitle: 휴가 안내\n", ""),
        ("# 휴가\n---\ntitle: 안내\n---", ""),
        ("---\nsubtitle: 안내\n---\n", ""),
        ("---\n---\ntitle: 안내\n", ""),
        ("", ""),
    ],
)
def test_the_title_of_the_front_matter(text: str, title: str) -> None:
    assert front_title(text) == title


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("**연차**와 `병가`", "연차와 병가"),
        ("***연차*** ~~병가~~", "연차 병가"),
        ("[휴가 규정](rules.md) [안내][1]", "휴가 규정 안내"),
        ("![로고](logo.png) 새여울 <small>도서관</small>", "새여울 도서관"),
        ("snake_case_name 2 * 3 * 4", "snake_case_name 2 * 3 * 4"),
    ],
)
def test_markup_is_no_part_of_a_heading(written: str, shown: str) -> None:
    assert plain(written) == shown


@given(st.text("#=-`~ 가나\n*[]()<>!_", max_size=200))
def test_any_text_has_an_outline_of_lines_it_holds(text: str) -> None:
    for level, title, page in outline(text):
        assert 0 <= level < 6
        assert title.strip() == title != ""
        assert page == 1


def test_long_and_many_headings_are_bounded() -> None:
    assert len(outline("# 휴가\n" * 3_000)) == 2_000
    assert len(outline("# " + "가" * 500)[0][1]) == 120
    for slow in ("# " + "*[(`" * 200_000, "# 가" + " " * 500_000 + "나", "`" * 500_000, "가 " * 300_000 + "\n---"):
        assert headings(f"{slow}\n\n# 휴가") == [(0, "휴가")]
    assert front_title("---\ntitle: 가" + " " * 500_000 + "나\n---") == ""
