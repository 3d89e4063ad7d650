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


def test_another_profile_is_another_chunker() -> None:
    assert chunker_fingerprint(SETTINGS) != chunker_fingerprint(ChunkSettings())
