"""An index of one PDF with articles over two pages, and of some records."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import write_pdf

from kure_rag import KureIndex
from kure_rag.read import Record

PAGES = (
    (
        "제1장 총칙",
        "제1조(목적) 이 규정은 기록물의 보존과 열람에 필요한 사항을 정함을 목적으로 한다.",
        "제2조(열람 신청) 열람하려는 사람은 신청서를 내고 담당자의 승인을 받아야 한다.",
    ),
    (
        "제2장 보존",
        "제3조(보존 기간) 일반 기록물은 10년 동안 보존하며 기간이 지나면 심사하여 폐기한다.",
        "제4조(보존 장소) 기록물은 온도와 습도가 일정한 서고에 두고 매달 한 번 점검한다.",
    ),
)
RECORDS = (
    Record("안내-1", "청사 안내", "▶ 방문객은 지하 2층에 차를 세우고 ☎ 안내대에서 주차권을 받는다."),
    Record("안내-2", "구내식당 안내", "구내식당은 열한 시 반에 문을 열고 두 시에 닫으며 식권은 입구에서 산다."),
)


@pytest.fixture(scope="session")
def pdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pdf(tmp_path_factory.mktemp("pdf") / "기록물_규정.pdf", PAGES)


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, pdf: Path) -> Iterator[KureIndex]:
    """Not to be changed by a test."""
    with KureIndex.open(tmp_path_factory.mktemp("index") / "ix", embeddings=str(tiny_model)) as index:
        assert index.add_paths(pdf, domain="legal", workers=1).ok
        index.add_records(RECORDS, workers=1)
        yield index
