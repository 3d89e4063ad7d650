"""A word whose end stands on the next line is not cut there."""

import pytest

from kure_rag.chunk import ChunkSettings, chunk_document
from kure_rag.chunk.sentences import Sentences
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import Document

KIWI = KiwiTokenizer()
TORN = (
    ("본 업체는 하도급업체에 대하여도 같은 보안사항의 준수 책임", "을 확인하고 확약서를 받았다."),
    ("양도인이 지던 보증금의 반환 채무는 그때에 없어지는 것", "이므로(판례 참조) 양수인이 갚는다."),
    ("이 조에서 중소기업이란 기본법 제2조", "에 따른 중소기업을 말한다."),
)


@pytest.mark.parametrize(("above", "below"), TORN)
@pytest.mark.parametrize("profile", ["general", "finance", "legal", "medical"])
def test_no_chunk_ends_where_a_line_tears_a_word(profile: str, above: str, below: str) -> None:
    text = f"1. 위 업체는 자료를 밖으로 보내지 아니한다.\n2. {above}\n{below}\n3. 어긴 때에는 책임을 진다."
    document = Document(id="d", source="a.pdf", title="확약서", domain="general", text=text)
    for target in range(20, 90, 5):
        settings = ChunkSettings(target=target, longest=120, profile=profile)
        chunks = [item.chunk for item in chunk_document(document, KIWI, settings, terms=False)]
        assert any(f"{above}\n{below.split()[0]}" in chunk.text for chunk in chunks), target


@pytest.mark.parametrize(
    "below", ["이 규정은 공포한 날부터 시행한다.", "만 19세 이상인 사람", "- 을 회사가 낸다.", "의료법을 따른다."]
)
def test_other_lines_are_sentences_of_their_own(below: str) -> None:
    text = f"보안사항의 준수 책임\n{below}"
    assert [text[a:b] for a, b in Sentences(text, KIWI).within(0, len(text))] == text.split("\n")
