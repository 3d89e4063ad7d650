import sys
from pathlib import Path

import pytest

from kure_rag.chunk import ChunkSettings, Profile, chunk_document, chunker_fingerprint
from kure_rag.tokenize import WhitespaceTokenizer
from kure_rag.types import Document

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SETTINGS = ChunkSettings(profile="custom_profile:MINUTES")


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> Document:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.delitem(sys.modules, "custom_profile", raising=False)
    import custom_profile

    assert isinstance(custom_profile.MINUTES, Profile)
    return Document(id="m", source="회의록.pdf", title="회의록", domain="legal", text=custom_profile.TEXT)


def test_the_example_cuts_minutes_at_each_turn(minutes: Document) -> None:
    chunks = [item.chunk for item in chunk_document(minutes, WhitespaceTokenizer(), SETTINGS)]
    found = [(chunk.breadcrumb[1:], chunk.metadata.get("speaker"), chunk.kind) for chunk in chunks]
    assert found == [
        ((), None, "text"),
        (("보고사항",), "김하늘 위원장", "turn"),
        (("보고사항",), "박새롬 사서", "turn"),
        (("심의사항",), "김하늘 위원장", "turn"),
        (("심의사항",), "이두레 위원", "turn"),
    ]
    assert chunks[1].text.startswith("보고사항\n○김하늘")
    assert chunks[2].text.endswith("전자책 대출이 가장 많이 늘었습니다.")


def test_a_long_turn_keeps_its_speaker(minutes: Document) -> None:
    said = " ".join(f"{i}번째 안건의 예산은 작년과 같습니다." for i in range(1, 60))
    document = Document(id="m", source="회의록.pdf", title="회의록", domain="general", text=f"○박새롬 사서 {said}")
    chunks = [item.chunk for item in chunk_document(document, WhitespaceTokenizer(), SETTINGS)]
    assert len(chunks) > 1
    assert {chunk.metadata["speaker"] for chunk in chunks} == {"박새롬 사서"}


def test_the_version_of_a_profile_is_part_of_the_fingerprint(
    minutes: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    import custom_profile

    before = chunker_fingerprint(SETTINGS)
    assert before != chunker_fingerprint(ChunkSettings())
    monkeypatch.setattr(custom_profile, "MINUTES", custom_profile.Minutes(version="2"))
    assert chunker_fingerprint(SETTINGS) != before


def test_a_profile_that_cannot_be_imported_says_so() -> None:
    for name in ("no_such_module_here:MINUTES", "json:NOTHING"):
        with pytest.raises(ValueError, match=name):
            chunker_fingerprint(ChunkSettings(profile=name))
    with pytest.raises(ValueError, match="choose auto, general, finance, legal, medical"):
        chunker_fingerprint(ChunkSettings(profile="minutes"))
