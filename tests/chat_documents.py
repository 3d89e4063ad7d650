"""A small index to chat with, for the terminal and the pipe."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_indexes import copied

from kure_rag import KureIndex
from kure_rag.read import Record

RECORDS = (
    Record("leave", "취업규정", "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."),
    Record("sick", "취업규정", "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가할 수 있다."),
    Record("remote", "취업규정", "재택근무를 하려는 직원은 사흘 전까지 부서장의 승인을 받아야 한다."),
    Record("pay", "보수규정", "급여는 매월 25일에 지급하고, 그날이 휴일이면 전날에 지급한다."),
    Record("profit", "분기보고서", "당분기 영업이익은 321억 원으로 지난해 같은 기간보다 12퍼센트 늘었다."),
    Record("dose", "의약품 설명서", "성인은 하루 두 번, 한 번에 한 알을 식사 후 30분에 물과 함께 복용한다."),
)


def make_index(folder: Path, factory: pytest.TempPathFactory) -> Path:
    """An index of :data:`RECORDS` that the command line can open, in a folder that is not there yet."""
    return copied("chat-documents", folder, factory, _make)


def _make(folder: Path) -> None:
    with KureIndex.open(folder, embeddings="static-ko") as made:
        made.add_records(RECORDS, workers=1)
