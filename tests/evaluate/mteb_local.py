"""Korean retrieval tasks of mteb's shape without the model hub: small texts of our own, in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mteb.abstasks import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata

DOCUMENTS = {
    "doc/1": ("취업규정 제15조", "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다."),
    "doc/2": ("취업규정 제16조", "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가할 수 있다."),
    "doc/3": ("", "재택근무를 하려는 직원은 사흘 전까지 부서장의 승인을 받아야 한다."),
    "doc 4": ("보수규정", "급여는 매월 25일에 지급하고, 그날이 휴일이면 전날에 지급한다."),
    "doc 5": ("보수규정", "퇴직금은 퇴직한 날부터 14일 안에 지급한다."),
    "문서-6": ("", "성인은 하루 두 번, 한 번에 한 알을 식사 후 30분에 물과 함께 복용한다."),
    "문서-7": ("의약품 설명서", "신장 기능이 낮은 환자는 복용하기 전에 의사와 상담하여야 한다."),
    "문서-8": ("의약품 설명서", "직사광선을 피하여 서늘하고 건조한 곳에 보관한다."),
    "9": ("대출 약관", "고객이 이자를 두 달 넘게 내지 않으면 은행은 기한의 이익을 상실시킬 수 있다."),
    "10": ("보험 약관", "계약자는 보험증권을 받은 날부터 15일 안에 청약을 철회할 수 있다."),
    "11": ("보험 약관", "회사는 청약의 철회를 접수한 날부터 3일 안에 보험료를 돌려준다."),
    "12": ("", "방문객의 차량은 지하 2층에 세우고 안내대에서 주차권을 받는다."),
}
QUERIES = {
    "q1": "연차휴가는 며칠을 주나요?",
    "q2": "월급은 매월 언제 지급하나요?",
    "q3": "청약 철회는 며칠 안에 할 수 있나요?",
    "q4": "약은 하루에 몇 번 복용하나요?",
    "q5": "집에서 일하려면 누구의 승인을 받나요?",
    "q6": "아프면 며칠까지 쉴 수 있나요?",
}
QRELS = {
    "q1": {"doc/1": 2, "doc/2": 1},
    "q2": {"doc 4": 2, "doc 5": 1},
    "q3": {"10": 2, "11": 1},
    "q4": {"문서-6": 1},
    "q5": {"doc/3": 1},
    "q6": {"doc/2": 1},
}
KOREAN = ["kor-Hang"]


def metadata(name: str, *, splits: list[str], languages: Any, revision: str = "1") -> TaskMetadata:
    return TaskMetadata(
        name=name,
        description="Rules, leaflets and terms of our own.",
        dataset={"path": f"nobody/{name}", "revision": revision},
        type="Retrieval",
        category="t2t",
        eval_splits=splits,
        eval_langs=languages,
        main_score="ndcg_at_10",
    )


def split_of(documents: Mapping[str, tuple[str, str]] = DOCUMENTS, queries: Mapping[str, str] = QUERIES) -> Any:
    from datasets import Dataset
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData

    return RetrievalSplitData(
        corpus=Dataset.from_list([{"id": i, "title": t, "text": x} for i, (t, x) in documents.items()]),
        queries=Dataset.from_list([{"id": i, "text": t} for i, t in queries.items()]),
        relevant_docs={query: dict(QRELS[query]) for query in queries},
        top_ranked=None,
    )


class LocalRetrieval(AbsTaskRetrieval):
    """One corpus and its questions."""

    metadata = metadata("KoLocalRetrieval", splits=["test"], languages=KOREAN)

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        if not self.data_loaded:
            self.dataset = {"default": {"test": split_of()}}
            self.data_loaded = True


class LocalPartsRetrieval(AbsTaskRetrieval):
    """Two splits, and of its two subsets one whose documents are English."""

    metadata = metadata(
        "KoLocalPartsRetrieval",
        splits=["dev", "test"],
        languages={"kor-kor": KOREAN * 2, "kor-eng": ["kor-Hang", "eng-Latn"]},
    )

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        if not self.data_loaded:
            some = {query: QUERIES[query] for query in ("q2", "q3")}
            parts = {"dev": split_of(queries=some), "test": split_of()}
            self.dataset = dict.fromkeys(self.hf_subsets, parts)
            self.data_loaded = True


def write_folder(folder: Path, documents: Mapping[str, tuple[str, str]] = DOCUMENTS) -> Path:
    """The same as a folder in BEIR's layout."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"_id": i, "title": t, "text": x} for i, (t, x) in documents.items()]
    _write(folder / "corpus.jsonl", rows)
    _write(folder / "queries.jsonl", [{"_id": i, "text": t} for i, t in QUERIES.items()])
    lines = [f"{query}\t{id_}\t{level}" for query, levels in QRELS.items() for id_, level in levels.items()]
    (folder / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *lines]) + "\n", encoding="utf-8")
    return folder


def _write(path: Path, rows: list[dict[str, str]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
