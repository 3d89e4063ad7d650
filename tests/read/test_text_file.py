"""Text files: the encoding their bytes are in, what of them is kept, and what is no text."""

import codecs
import hashlib
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.errors import DamagedFileError, NoTextError, ReadError, ReadLimitError, UnsupportedFileError
from kure_rag.read import FileType, ReadLimits, file_type, read_file, read_text
from kure_rag.tokenize import WhitespaceTokenizer

RULES = """\
휴가 규정

제1조(목적) 이 규정은 직원의 휴가에 필요한 사항을 정한다.
제2조(연차휴가) ① 1년간 8할 이상 출근한
직원에게 15일의 연차휴가를 준다.
② 연차휴가는 반일 단위로 나누어 쓸 수 있다.
"""
ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode("utf-8"),
    "utf-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode("utf-8"),
    "utf-16-le": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "utf-16-be": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "cp949": lambda text: text.encode("cp949"),
}
LETTERS = "이의에는을를가고하다지사로기정한제조항휴직원일년 \n\t.,()①②「」똠방각하펲시콜라티12ab（％"


def reason(data: bytes, kind: type[ReadError], name: str = "규정.txt", limits: ReadLimits | None = None) -> str:
    with pytest.raises(ReadError) as caught:
        read_text(data, name, limits=limits)
    assert type(caught.value) is kind
    assert caught.value.source == name
    return caught.value.reason


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_same_text_from_each_encoding(encoding: str) -> None:
    data = ENCODINGS[encoding](RULES)
    document = read_text(data, "규정.txt")
    assert document.text == RULES
    assert document.id == hashlib.sha256(data).hexdigest()
    assert (document.source, document.title, document.domain) == ("규정.txt", "휴가 규정", "legal")
    (page,) = document.pages
    assert (page.number, page.start, page.end, page.warnings) == (1, 0, len(RULES), ())
    assert document.tables == ()
    assert document.metadata["file_type"] == "txt"
    assert document.metadata["encoding"] == encoding.removesuffix(" with a mark")
    assert (document.metadata["page_count"], document.metadata["domain_given"]) == (1, False)
    assert "조" in document.metadata["domain_evidence"]["forms"]


@example("\ufeff", 40)
@example("가\r\n나\r다", 3)
@given(st.text(LETTERS, max_size=300), st.integers(1, 60))
def test_whatever_the_encoding_text_and_offsets_are_the_same(text: str, target: int) -> None:
    text = f"이 글은 시험이다. {text}"  # two syllables alone may be right in UTF-8 and in CP949
    made = {}
    for name, encode in ENCODINGS.items():
        if name != "cp949" or "\ufeff" not in text:
            made[name] = read_text(encode(text), "글.txt")
    assert len({document.text for document in made.values()}) == 1
    document = made["utf-8"]
    assert unicodedata.is_normalized("NFC", document.text)
    sizes = ChunkSettings(target=target, longest=2 * target)
    chunks = [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), sizes)]
    for chunk in chunks:
        assert document.text[chunk.start : chunk.end] == chunk.text
        assert chunk.pages == (1,)
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(document.text.split())


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_rejected_with_a_reason(data: bytes) -> None:
    try:
        document = read_text(data, "무엇.txt")
    except (UnsupportedFileError, DamagedFileError, NoTextError):
        return
    assert document.text.strip()
    assert document.pages[0].end == len(document.text)


def test_lines_stay_as_they_were_written_and_characters_are_those_of_a_pdf() -> None:
    written = (
        unicodedata.normalize("NFD", "연차휴가는 반일 단위로\n    나누어")
        + "\r\n쓸\u00a0수 있다（제2조）\u200b.\r끝\f다음 쪽\tⓐ㈜①"
    )
    assert read_text(written.encode("utf-8"), "글.txt").text == (
        "연차휴가는 반일 단위로\n    나누어\n쓸 수 있다(제2조).\n끝\n다음 쪽 ⓐ㈜①"
    )


def test_syllables_that_only_cp949_has() -> None:
    text = "똠방각하는 펲시콜라를 마시고 설믜를 만났다. 휴가는 며칠인가?"
    assert text.encode("cp949") != text.encode("euc-kr")
    assert read_text(text.encode("cp949"), "글.txt").text == text


# What is no text, or was one


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("휴가 ".encode("utf-16-le"), "a NUL at byte 3); UTF-16 needs a byte order mark"),
        (b"PK\x03\x04\x14\x00\x06\x00", "a NUL at byte 6"),
        (codecs.BOM_UTF16_LE + "휴가\0".encode("utf-16-le"), "a NUL at byte 7"),
        (codecs.BOM_UTF32_LE + "휴가".encode("utf-32-le"), "a NUL at byte 3"),
        (bytes(range(1, 32)) * 20, "480 control characters in 620 bytes"),
    ],
)
def test_what_is_no_text(data: bytes, said: str) -> None:
    told = reason(data, UnsupportedFileError)
    assert said in told
    assert told.startswith("no text file, whatever its name says")


def test_a_few_control_characters_are_left_out() -> None:
    assert read_text("휴가 규정\x07\x1a".encode(), "글.txt").text == "휴가 규정"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (RULES.encode()[:23] + b"\xff" + RULES.encode()[23:], r"UTF-8 with a byte.*byte 24\)"),
        ("휴가 규정".encode()[:-1], r"UTF-8 with a byte.*byte 11\)"),
        (codecs.BOM_UTF8 + b"ab\xff", "not UTF-8, which its byte order mark says it is, at byte 6;"),
        (codecs.BOM_UTF16_LE + "휴가".encode("utf-16-le") + b"\x00", "not UTF-16-LE, .* at byte 7;"),
        (codecs.BOM_UTF16_BE + b"\xd8\x00\xac\x00", "not UTF-16-BE, .* at byte 3;"),
        ("휴가 ".encode("cp949") + b"\xff", r"neither UTF-8 \(byte 1\) nor CP949 \(byte 6\)"),
        ("The café opens.".encode("latin-1"), r"neither UTF-8 \(byte 8\) nor CP949 \(byte 8\)"),
    ],
)
def test_a_byte_of_no_character_is_named(data: bytes, said: str) -> None:
    told = reason(data, DamagedFileError)
    assert re.search(said, told), told


def test_a_damaged_byte_in_korean_utf8_is_never_read_as_cp949() -> None:
    data = RULES.encode()
    for at in (i for i, byte in enumerate(data) if byte >= 0x80):
        assert "UTF-8 with a byte" in reason(data[:at] + data[at + 1 :], DamagedFileError)


def test_another_countrys_encoding_is_not_stored_as_mojibake() -> None:
    chinese = "本规定适用于全体员工的年休假和病假管理,员工应当提前三天提出,经部门负责人批准后方可休假。" * 3
    assert "as CP949 its characters are unlike Korean" in reason(chinese.encode("gb2312"), DamagedFileError)


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, "\u200b\u3000".encode()])
def test_an_empty_file(data: bytes) -> None:
    assert "without any text" in reason(data, NoTextError)


def test_limits_of_size() -> None:
    data = RULES.encode()
    assert read_text(data, "규정.txt", limits=ReadLimits(max_bytes=len(data), max_chars=len(RULES)))
    told = reason(data, ReadLimitError, limits=ReadLimits(max_bytes=len(data) - 1))
    assert told == f"{len(data):,} bytes, over the limit of {len(data) - 1:,}; split the file"
    told = reason(data, ReadLimitError, limits=ReadLimits(max_chars=len(RULES) - 1))
    assert told == f"{len(RULES):,} characters, over the limit of {len(RULES) - 1:,}; split the file"
    told = reason(data * 4, ReadLimitError, limits=ReadLimits(max_chars=len(RULES) - 1))
    assert told == f"over {len(RULES) - 1:,} characters; split the file"


def test_limits_of_one_file_type() -> None:
    limits = ReadLimits(max_bytes=10, by_type={"md": {"max_bytes": 10_000}})
    assert read_file(RULES.encode(), "규정.md", limits=limits).text == RULES
    with pytest.raises(ReadLimitError, match="over the limit of 10;"):
        read_file(RULES.encode(), "규정.txt", limits=limits)
    assert limits.of("md") == ReadLimits(max_bytes=10_000)
    assert limits.of("pdf") == ReadLimits(max_bytes=10)
    with pytest.raises(ValueError, match="max_pages is no limit of md files alone; choose max_bytes or max_chars"):
        ReadLimits(by_type={"md": {"max_pages": 3}})


# Which reader, title, domain


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("규정.txt", "휴가".encode(), "txt"),
        ("규정.TXT", b"", "txt"),
        ("README.md", b"# ", "md"),
        ("규정.txt", b"%PDF-1.7", "pdf"),
        ("규정.pdf", "휴가".encode(), "pdf"),
        ("규정", b"", "pdf"),
        ("txt", b"", "pdf"),
    ],
)
def test_the_name_decides_unless_it_begins_as_a_pdf(name: str, head: bytes, kind: FileType) -> None:
    assert file_type(name, head) == kind


def test_a_pdf_called_txt_is_read_by_the_reader_of_pdfs() -> None:
    with pytest.raises(DamagedFileError, match="truncated"):
        read_file(b"%PDF-1.7\n1 0 obj", "규정.txt")
    with pytest.raises(UnsupportedFileError, match="not a PDF"):
        read_file(RULES.encode(), "규정.pdf")


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("휴가 규정\n\n제1조(목적) 이 규정은 휴가를 정한다.\n", "휴가 규정"),
        ("\n\n  휴가 규정  \n제1조(목적) 이 규정은 휴가를 정한다.", "휴가 규정"),
        ("직원은 휴가를 사흘 전까지 신청한다.\n병가는 진단서를 낸다.\n", "사내 안내"),
        ("2026. 3. 2.\n제12호\n", "사내 안내"),
        ("제1조(목적) 이 규정은 휴가를 정한다.\n제2조 삭제\n", "사내 안내"),
        (
            "새여울 도서관법\n[시행 2026. 1. 1.] [법률 제12345호]\n제1조(목적) 이 법은 도서관을 정한다.",
            "새여울 도서관법",
        ),
    ],
)
def test_the_title_is_the_first_line_if_it_reads_like_one(text: str, title: str) -> None:
    assert read_text(text.encode(), "사내 안내.txt").title == title


def test_a_decomposed_name_is_composed() -> None:
    document = read_text("직원은 휴가를 신청한다.".encode(), unicodedata.normalize("NFD", "휴가.md"))
    assert (document.source, document.title, document.metadata["file_type"]) == ("휴가.md", "휴가", "md")


def test_a_domain_given_is_kept() -> None:
    document = read_text(RULES.encode(), "규정.txt", domain="finance")
    assert (document.domain, document.metadata["domain_given"]) == ("finance", True)


def test_markdown_says_its_headings_and_tables() -> None:
    table = "| 종류 | 일수 |\n|---|---:|\n| 연차 | **15일** |\n"
    text = f"---\ntitle: '휴가 안내'\n---\n# 휴가\n\n{table}\n## 병가 [규정](a.md)\n**진단서**를 낸다.\n"
    document = read_text(text.encode(), "안내.md")
    grid = "| 종류 | 일수 |\n| --- | --- |\n| 연차 | 15일 |"
    assert document.text == f"---\ntitle: '휴가 안내'\n---\n휴가\n\n{grid}\n\n병가 규정\n**진단서**를 낸다.\n"
    assert document.title == "휴가 안내"
    assert document.metadata["outline"] == [[0, "휴가", 1], [1, "병가 규정", 1]]
    assert [(document.text[a:b], level) for a, b, level in document.metadata["headings"]] == [
        ("휴가", 1),
        ("병가 규정", 2),
    ]
    [found] = document.tables
    assert (found.header, found.rows) == (("종류", "일수"), (("연차", "15일"),))
    assert document.text[found.start : found.end] == grid


def test_a_text_file_has_no_markdown() -> None:
    text = "# 휴가\n\n| 종류 | 일수 |\n|---|---|\n| 연차 | 15일 |\n"
    document = read_text(text.encode(), "안내.txt")
    assert (document.text, document.tables) == (text, ())
    assert "headings" not in document.metadata
    assert document.metadata["outline"] == []


def test_markdown_whose_tables_grow_past_the_limit_is_refused() -> None:
    rows = "".join(f"| {'가' * 700} | {n} |\n" for n in range(20))
    text = f"| {'이름' * 90} | 값 |\n|---|---|\n{rows}"
    limits = ReadLimits(max_chars=len(text))
    with pytest.raises(ReadLimitError, match="columns above each of their parts, over the limit of"):
        read_text(text.encode(), "안내.md", limits=limits)
    assert read_text(text.encode(), "안내.txt", limits=limits).text == text
