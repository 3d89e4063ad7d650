"""A small corpus with false negatives planted in it, and the index that the mining tests search."""

from __future__ import annotations

import json
from pathlib import Path

from kure_rag.read import Record

PARAPHRASES = {
    "연차": ("연차-다시", "직원이 1년간 8할 이상 출근한 때에는 연차휴가 15일을 받는다."),
    "예금": ("예금-다시", "한 사람의 예금은 예금보험공사가 오천만 원까지 보호하여 준다."),
    "철회": ("철회-다시", "보험증권을 받은 날부터 15일 안에는 계약자가 청약을 철회할 수 있다고 한다."),
}
"""Document → the id and the text of another one that answers the same question, and that nobody has judged."""

DOCUMENTS = {
    "연차": "연차휴가는 1년간 8할 이상 출근한 직원에게 15일을 준다.",
    "병가": "병가는 의사의 진단서를 낸 직원에게 연간 60일까지 허가한다.",
    "출산": "출산휴가는 출산 전후를 통하여 90일을 주되 출산 후에 45일 이상이 되어야 한다.",
    "경조": "경조휴가는 본인의 결혼에 5일, 배우자의 출산에 10일을 준다.",
    "급여": "급여는 매월 25일에 지급하고 휴일이면 전날에 지급한다.",
    "상여": "상여금은 설과 추석에 기본급의 절반씩을 지급한다.",
    "퇴직": "퇴직금은 퇴직한 날부터 14일 안에 지급하여야 한다.",
    "재택": "재택근무를 하려는 직원은 사흘 전까지 부서장의 승인을 받아야 한다.",
    "대출": "고객이 이자를 두 달 넘게 내지 않으면 은행은 기한의 이익을 상실시킬 수 있다.",
    "상환": "대출금을 기한 전에 상환하는 고객은 중도상환 수수료를 낸다.",
    "예금": "예금보험공사는 한 사람에 대하여 오천만 원까지 예금을 보호한다.",
    "적금": "적금을 중도에 해지하면 약정한 이자율보다 낮은 이자율을 적용한다.",
    "철회": "계약자는 보험증권을 받은 날부터 15일 안에 청약을 철회할 수 있다.",
    "보험금": "보험금은 청구 서류를 받은 날부터 사흘 안에 지급한다.",
    "고지": "계약자는 청약할 때 과거의 병력을 보험회사에 알려야 한다.",
    "면책": "전쟁이나 폭동으로 생긴 손해에는 보험금을 지급하지 않는다.",
    "복용": "성인은 하루 두 번, 한 번에 한 알을 식사 후 30분에 물과 함께 복용한다.",
    "금기": "신장 기능이 낮은 환자는 복용하기 전에 의사와 상담하여야 한다.",
    "보관": "직사광선을 피하여 서늘하고 건조한 곳에 보관한다.",
    "부작용": "드물게 발진이나 두드러기가 나타나면 복용을 멈추고 의사에게 알린다.",
}
QUESTIONS = {
    "q1": ("연차휴가는 며칠을 주나요?", ["연차"]),
    "q2": ("예금은 얼마까지 보호되나요?", ["예금"]),
    "q3": ("청약은 언제까지 철회할 수 있나요?", ["철회"]),
    "q4": ("휴가를 받으려면 어떻게 하나요?", ["병가", "출산", "경조"]),
    "q5": ("급여를 지급하는 날은 언제인가요?", ["급여"]),
    "q6": ("약은 하루에 몇 번 복용하나요?", ["복용"]),
}


def records() -> list[Record]:
    """The documents, and the planted ones."""
    return [Record(name, "", text) for name, text in (*DOCUMENTS.items(), *PARAPHRASES.values())]


def write_set(folder: Path) -> Path:
    """The same as a folder in BEIR's layout."""
    folder.mkdir(parents=True)
    rows = [{"_id": record.id, "title": "", "text": record.text} for record in records()]
    asked = [{"_id": name, "text": text} for name, (text, _) in QUESTIONS.items()]
    judged = [f"{name}\t{document}\t1" for name, (_, documents) in QUESTIONS.items() for document in documents]
    write_lines(folder / "corpus.jsonl", rows)
    write_lines(folder / "queries.jsonl", asked)
    (folder / "qrels.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]), encoding="utf-8")
    return folder


def write_lines(path: Path, rows: list[dict[str, object]]) -> Path:
    """JSON lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path
