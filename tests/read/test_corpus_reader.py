import gzip
import hashlib
import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kure_rag.errors import CorpusFormatError, ReadError, SourceNotFoundError
from kure_rag.read import corpus as corpus_module
from kure_rag.read.corpus import Record, find_corpus, read_corpus, record_id

LEAVE = {"_id": "규정-15", "title": "취업규칙", "text": "연차유급휴가는 1년간 80퍼센트 이상 출근한 직원에게 준다."}
LOAN = {"_id": "상품-2", "title": "", "text": "중도상환수수료는 대출 실행 후 3년이 지나면 받지 않습니다."}


def write(path: Path, *lines: object) -> Path:
    text = "".join(f"{line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)}\n" for line in lines)
    data = text.encode("utf-8")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def error_of(path: Path) -> str:
    with pytest.raises(CorpusFormatError) as caught:
        list(read_corpus(path))
    assert caught.value.source == path.name
    return caught.value.reason


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.jsonl.gz"])
def test_records_come_out_in_order(tmp_path: Path, name: str) -> None:
    records = list(read_corpus(write(tmp_path / name, LEAVE, LOAN)))
    assert records == [
        Record("규정-15", "취업규칙", LEAVE["text"], {}),
        Record("상품-2", "", LOAN["text"], {}),
    ]


def test_gzip_is_told_by_its_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(gzip.compress(json.dumps(LEAVE).encode()))
    assert [record.id for record in read_corpus(path)] == ["규정-15"]


def test_byte_order_mark_blank_lines_and_windows_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    lines = ["", json.dumps(LEAVE, ensure_ascii=False), "   ", "", json.dumps(LOAN)]
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert [record.id for record in read_corpus(path)] == ["규정-15", "상품-2"]


def test_everything_is_nfc(tmp_path: Path) -> None:
    row = {"_id": "서식", "title": "입원 확인서", "text": "입원 기간을 적는다.", "metadata": {"부서": ["원무과"]}}
    path = tmp_path / "corpus.jsonl"
    path.write_text(unicodedata.normalize("NFD", json.dumps(row, ensure_ascii=False)), encoding="utf-8")
    assert list(read_corpus(path)) == [Record("서식", row["title"], row["text"], {"부서": ["원무과"]})]


def test_nfc_does_not_break_an_escape_before_a_combining_mark(tmp_path: Path) -> None:
    path = write(tmp_path / "corpus.jsonl", '{"_id": "1", "text": "첫 줄\\n\u0303둘째 줄"}')
    assert next(read_corpus(path)).text == "첫 줄\n\u0303둘째 줄"


def test_compatibility_characters_stay(tmp_path: Path) -> None:
    path = write(tmp_path / "corpus.jsonl", {"_id": "1", "text": "① ㈜한빛은 ㎡당 임대료를 낸다."})
    assert next(read_corpus(path)).text == "① ㈜한빛은 ㎡당 임대료를 낸다."


@pytest.mark.parametrize(("given_id", "expected"), [(7, "7"), (0, "0"), (-3, "-3"), (1.5, "1.5"), ("7", "7")])
def test_numbers_as_ids(tmp_path: Path, given_id: object, expected: str) -> None:
    path = write(tmp_path / "corpus.jsonl", {"_id": given_id, "text": "보험금 청구 서류를 안내한다."})
    assert next(read_corpus(path)).id == expected


def test_title_alone_is_enough_and_null_means_absent(tmp_path: Path) -> None:
    path = write(
        tmp_path / "corpus.jsonl",
        {"_id": "1", "title": "부칙", "text": ""},
        {"_id": "2", "title": None, "text": "공포한 날부터 시행한다.", "metadata": None},
    )
    assert list(read_corpus(path)) == [Record("1", "부칙", "", {}), Record("2", "", "공포한 날부터 시행한다.", {})]


def test_other_fields_join_the_metadata_which_wins(tmp_path: Path) -> None:
    row = {**LEAVE, "domain": "legal", "year": 2024, "metadata": {"year": 2025, "표": [1, None, True]}}
    record = next(read_corpus(write(tmp_path / "corpus.jsonl", row)))
    assert record.metadata == {"domain": "legal", "year": 2025, "표": [1, None, True]}


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON (Expecting property name"),
        ('{"_id": "1", "text": "가"} {"_id": "2"}', "not JSON (Extra data at column 27)"),
        ("[]", "is an array"),
        ('"문장"', "is a string"),
        ("null", "is null"),
        ('{"text": "제목 없는 글"}', 'no "_id"'),
        ('{"_id": "1"}', 'no "text"'),
        ('{"_id": null, "text": "가"}', "_id is null"),
        ('{"_id": true, "text": "가"}', "_id is a boolean"),
        ('{"_id": ["1"], "text": "가"}', "_id is an array"),
        ('{"_id": " ", "text": "가"}', "_id is empty"),
        ('{"_id": "1", "text": null}', "text is null"),
        ('{"_id": "1", "text": 3}', "text is a number"),
        ('{"_id": "1", "title": {}, "text": "가"}', "title is an object"),
        ('{"_id": "1", "text": "가", "metadata": []}', "metadata is an array"),
        ('{"_id": "1", "title": " ", "text": "\\n"}', "title and text are both empty"),
        ('{"_id": "1", "text": "깨진 \\ud83d 글자"}', "lone surrogate U+D83D"),
        ('{"_id": "\\udc00", "text": "가"}', "lone surrogate U+DC00"),
        ('{"_id": "1", "text": "가", "metadata": {"\\ud800": 1}}', "lone surrogate U+D800"),
        ('{"_id": "1", "text": "가", "score": NaN}', "NaN is not a JSON value"),
        ('{"_id": "1", "text": "가", "score": 1e999}', "a number is too large"),
        ('{"_id": "1", "text": "가", "score": ' + "9" * 5000 + "}", "limit"),
        ('{"_id": "1", "text": "가", "deep": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deeply"),
    ],
)
def test_a_broken_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    reason = error_of(write(tmp_path / "corpus.jsonl", LEAVE, "", line))
    assert reason.startswith("line 3: ")
    assert complaint in reason
    assert ";" in reason  # what to do follows what is wrong


def test_a_surrogate_pair_is_a_character(tmp_path: Path) -> None:
    path = write(tmp_path / "corpus.jsonl", '{"_id": "1", "text": "수고하셨습니다 \\ud83d\\ude4f"}')
    assert next(read_corpus(path)).text == "수고하셨습니다 🙏"


def test_records_before_a_broken_line_are_not_lost(tmp_path: Path) -> None:
    records = read_corpus(write(tmp_path / "corpus.jsonl", LEAVE, LOAN, "{"))
    assert [next(records).id, next(records).id] == ["규정-15", "상품-2"]
    with pytest.raises(CorpusFormatError, match="line 3"):
        next(records)


def test_a_repeated_id_names_both_lines(tmp_path: Path) -> None:
    reason = error_of(write(tmp_path / "corpus.jsonl", LEAVE, LOAN, LEAVE))
    assert reason == "line 3: _id '규정-15' is already on line 1; give each record its own _id"


@pytest.mark.parametrize("twin", ["7", unicodedata.normalize("NFD", "약관")])
def test_ids_that_become_the_same_are_the_same(tmp_path: Path, twin: str) -> None:
    rows = [{"_id": one, "text": "같은 식별자"} for one in (7, "약관", twin)]
    assert "is already on line" in error_of(write(tmp_path / "corpus.jsonl", *rows))


def test_long_ids_and_control_characters_do_not_spill_into_messages(tmp_path: Path) -> None:
    row = {"_id": "a\x1b[31m\n" + "b" * 500, "text": "가"}
    reason = error_of(write(tmp_path / "corpus.jsonl", row, row))
    assert len(reason) < 160
    assert reason.isprintable()


@pytest.mark.parametrize("encoding", ["cp949", "utf-16"])
def test_another_encoding_is_named_as_such(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(json.dumps(LEAVE, ensure_ascii=False).encode(encoding))
    reason = error_of(path)
    assert reason.startswith("line 1: not UTF-8")
    assert "CP949" in reason


def test_a_torn_gzip_gives_what_it_has_and_then_an_error(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    # Random digits hardly compress, so that half the file is about half the records.
    rows = [{"_id": i, "text": f"문서 {hashlib.sha256(str(i).encode()).hexdigest()}"} for i in range(5000)]
    write(path, *rows)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    seen: list[str] = []
    with pytest.raises(CorpusFormatError, match="breaks off") as caught:
        seen.extend(record.id for record in read_corpus(path))
    assert len(seen) > 1000
    assert caught.value.reason.startswith(f"line {len(seen) + 1}: ")


def test_a_gzip_with_a_wrong_checksum_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "corpus.jsonl.gz", LEAVE)
    data = bytearray(path.read_bytes())
    data[-8] ^= 0xFF
    path.write_bytes(bytes(data))
    assert "damaged" in error_of(path)


@pytest.mark.parametrize("data", [b"", b"\x1f", b'{"_id": "1", "text": "a"}\n'])
def test_a_gz_name_without_gzip_inside_is_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    path.write_bytes(data)
    assert "not a gzip file" in error_of(path)


def test_an_endless_line_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_module, "MAX_LINE_BYTES", 1000)
    fits = {"_id": "1", "text": "a" * 900}
    assert error_of(write(tmp_path / "corpus.jsonl.gz", fits, {"_id": "2", "text": "a" * 1000})).startswith("line 2: ")


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    assert list(read_corpus(write(tmp_path / "corpus.jsonl"))) == []


def test_a_missing_file_is_told_before_the_first_record(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"corpus\.jsonl: no such file"):
        read_corpus(tmp_path / "corpus.jsonl")
    with pytest.raises(SourceNotFoundError, match="is a folder"):
        read_corpus(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_forbidden_file_is_a_read_error(tmp_path: Path) -> None:
    path = write(tmp_path / "corpus.jsonl", LEAVE)
    path.chmod(0)
    with pytest.raises(ReadError, match="cannot be read"):
        list(read_corpus(path))


def test_find_corpus_prefers_the_plain_file(tmp_path: Path) -> None:
    compressed = write(tmp_path / "corpus.jsonl.gz", LEAVE)
    assert find_corpus(tmp_path) == compressed
    plain = write(tmp_path / "corpus.jsonl", LEAVE)
    assert find_corpus(tmp_path) == plain


def test_find_corpus_says_what_it_found_instead(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no corpus\.jsonl"):
        find_corpus(tmp_path)
    (tmp_path / "corpus.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorpusFormatError, match=r"corpus\.parquet: unknown corpus format"):
        find_corpus(tmp_path)


def test_record_id_depends_on_id_title_and_text_and_their_borders() -> None:
    base = Record("1", "예금", "이자")
    assert record_id(base) == record_id(Record("1", "예금", "이자", {"연도": 2025}))
    others = [
        Record("2", "예금", "이자"),
        Record("1", "예금이", "자"),
        Record("1", "", "예금이자"),
        Record("1예금", "", "이자"),
    ]
    assert len({record_id(base), *map(record_id, others)}) == 5
    parts = [part.encode() for part in ("1", "예금", "이자")]
    expected = hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).hexdigest()
    assert record_id(base) == expected


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: bool(text.strip()))


@given(st.lists(st.tuples(texts, st.text(st.characters(exclude_categories=["Cs"])), texts), max_size=6), st.booleans())
def test_what_json_writes_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], ascii_only: bool
) -> None:
    by_id = {unicodedata.normalize("NFC", row[0]): row for row in rows}
    path = tmp_path_factory.mktemp("round") / "corpus.jsonl"
    lines = [{"_id": i, "title": title, "text": text} for i, title, text in by_id.values()]
    path.write_bytes(b"".join(json.dumps(line, ensure_ascii=ascii_only).encode() + b"\n" for line in lines))
    expected = [Record(*(unicodedata.normalize("NFC", part) for part in row), {}) for row in by_id.values()]
    assert list(read_corpus(path)) == expected


@given(st.binary(max_size=200))
def test_any_bytes_give_records_or_a_format_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "corpus.jsonl"
    path.write_bytes(data)
    try:
        records = list(read_corpus(path))
    except CorpusFormatError:
        return
    assert all(record.id and (record.title or record.text) for record in records)
