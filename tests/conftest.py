"""What many tests need: a small model on disk, and a small index made with it. Both are made once a session."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from kept_workers import KeptWorkers, keep_workers

from kure_rag import KureIndex
from kure_rag.read import Record

RECORDS = (
    Record("leave", "취업규정", "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다.", {"article": "제15조"}),
    Record(
        "sick", "취업규정", "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가할 수 있다.", {"article": "제16조"}
    ),
    Record("remote", "취업규정", "재택근무를 하려는 직원은 사흘 전까지 부서장의 승인을 받아야 한다."),
    Record("pay", "보수규정", "급여는 매월 25일에 지급하고, 그날이 휴일이면 전날에 지급한다.", {"article": "제4조"}),
    Record(
        "profit", "분기보고서", "당분기 영업이익은 321억 원으로 지난해 같은 기간보다 12퍼센트 늘었다.", {"year": 2026}
    ),
    Record("debt", "분기보고서", "차입금이 줄어 부채비율은 전년 말보다 낮아진 84퍼센트가 되었다.", {"year": 2025}),
    Record("dose", "의약품 설명서", "성인은 하루 두 번, 한 번에 한 알을 식사 후 30분에 물과 함께 복용한다."),
    Record("warning", "의약품 설명서", "신장 기능이 낮은 환자는 복용하기 전에 의사와 상담하여야 한다."),
    Record("storage", "의약품 설명서", "직사광선을 피하여 서늘하고 건조한 곳에 보관한다."),
    Record("loan", "대출 약관", "고객이 이자를 두 달 넘게 내지 않으면 은행은 기한의 이익을 상실시킬 수 있다."),
    Record("cancel", "보험 약관", "계약자는 보험증권을 받은 날부터 15일 안에 청약을 철회할 수 있다."),
    Record("parking", "청사 안내", "방문객의 차량은 지하 2층에 세우고 안내대에서 주차권을 받는다."),
)


def pytest_configure() -> None:
    """A shell starts what runs in its background deaf to Ctrl-C, and children inherit that: tests send it to them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a static model of 32 dimensions: one random vector for each syllable, the same at every run."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    letters = ["[UNK]", *map(chr, range(0x21, 0x7F)), *map(chr, range(0xAC00, 0xD7A4))]
    tokenizer = Tokenizer(models.WordLevel({letter: i for i, letter in enumerate(letters)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex("."), "isolated")]
    )
    weights = np.random.default_rng(20261120).standard_normal((len(letters), 32)).astype(np.float32)
    folder = tmp_path_factory.mktemp("models") / "tiny-syllables"
    SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu").save(str(folder))
    return folder


@pytest.fixture(scope="session")
def small_index(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[KureIndex]:
    """An index of :data:`RECORDS`, not to be changed by a test."""
    with KureIndex.open(tmp_path_factory.mktemp("index") / "ix", embeddings=str(tiny_model)) as index:
        index.add_records(RECORDS, workers=1)
        yield index


@pytest.fixture(scope="session")
def _workers() -> Iterator[KeptWorkers]:
    kept = KeptWorkers()
    yield kept
    kept.close()


@pytest.fixture(scope="module", autouse=True)
def _kept_workers(request: pytest.FixtureRequest, _workers: KeptWorkers) -> Iterator[None]:
    """Ingests of one test process take the reading processes of those before them, see ``kept_workers.py``."""
    with pytest.MonkeyPatch.context() as patch:
        if getattr(request.module, "OWN_WORKERS", False):
            _workers.close()
        else:
            keep_workers(_workers, patch)
        yield
