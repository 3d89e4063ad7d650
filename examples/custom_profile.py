"""A chunk profile of one's own: the minutes of a meeting, one speaker's turn a chunk, under the item that is discussed.

From Python, with this folder on the path:

    KureIndex.open("minutes-index", chunks=ChunkSettings(profile="custom_profile:MINUTES"))

Run by itself it cuts the minutes below:

    python examples/custom_profile.py
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from kure_rag.chunk import ChunkSettings, Passage, chunk_document
from kure_rag.chunk.body import Body
from kure_rag.chunk.lists import Binding
from kure_rag.chunk.names import NameFinder, Names
from kure_rag.chunk.sentences import Sentences
from kure_rag.tokenize import KiwiTokenizer
from kure_rag.types import Document

# What the sections of such a document are called. `·` in a name stands for any such mark, a space for any or none.
NAMES = NameFinder((Names({"보고사항": ("보고사항", "보고 안건"), "심의사항": ("심의사항", "심의 안건", "의결사항")}),))
# A turn begins with a circle and the speaker, and lasts until the next one.
TURN = re.compile(r"[○◯]\s?(?P<speaker>[가-힣]{2,10}(?:\s[가-힣]{2,4})?)\s")


@dataclass(frozen=True, slots=True)
class Minutes:
    """Metadata: ``speaker``."""

    name: str = "minutes"
    version: str = "1"  # raise it when the same document would be cut in another way

    def passages(self, document: Document, sentences: Sentences, settings: ChunkSettings) -> list[Passage]:
        """See :class:`kure_rag.chunk.Profile`."""
        body = Body(document, sentences, settings, Binding(opens=TURN, kind="turn"))
        return [
            self._with_speaker(document, passage)
            for section in body.sections(NAMES)
            for passage in body.passages(section, (document.title, *section.headings))
        ]

    def _with_speaker(self, document: Document, passage: Passage) -> Passage:
        # A turn over the limit has several passages; its first line is the lead of those after the first.
        turn = TURN.search(passage.lead) or TURN.search(document.text[passage.start : passage.end])
        return replace(passage, metadata={"speaker": turn["speaker"]}) if turn else passage


MINUTES = Minutes()

TEXT = """제3차 도서관 운영위원회 회의록
보고사항
○김하늘 위원장 상반기 이용 현황을 보고받겠습니다.
○박새롬 사서 상반기 방문자는 4만 2천 명으로 지난해보다 8퍼센트 늘었습니다. 전자책 대출이 가장 많이 늘었습니다.
심의사항
○김하늘 위원장 열람실 연장 운영을 심의하겠습니다. 의견 있으십니까?
○이두레 위원 시험 기간만이라도 자정까지 열어 주시기 바랍니다.
"""


def main() -> None:
    """Prints the chunks of the minutes above."""
    document = Document(id="minutes", source="회의록.pdf", title="운영위원회 회의록", domain="general", text=TEXT)
    for item in chunk_document(document, KiwiTokenizer(), ChunkSettings(profile="custom_profile:MINUTES")):
        print(" > ".join(item.chunk.breadcrumb), dict(item.chunk.metadata))
        print("   ", item.chunk.text.replace("\n", "\n    "))


if __name__ == "__main__":
    main()
