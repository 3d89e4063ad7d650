"""Small sets of sentence pairs in KorSTS's and KLUE-STS's formats."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

Row = tuple[str, str, float]
PAIRS: tuple[Row, ...] = (
    ("연차휴가는 15일이다.", "연차휴가는 15일이다.", 5.0),
    ("연차휴가는 15일이다.", "연차휴가로 보름을 준다.", 4.2),
    ("금리는 매달 고시한다.", "매달 금리를 알린다.", 3.8),
    ("금리는 매달 고시한다.", "금리는 해마다 바뀐다.", 2.4),
    ("약은 식후에 먹는다.", "식사를 마치고 약을 먹는다.", 4.6),
    ("약은 식후에 먹는다.", "약은 서늘한 곳에 둔다.", 1.8),
    ("남자가 기타를 친다.", "여자가 피아노를 친다.", 1.6),
    ("남자가 기타를 친다.", "계약은 내년에 끝난다.", 0.0),
    ("비가 오는 거리를 걷는다.", "우산을 쓰고 걷는다.", 2.8),
    ("비가 오는 거리를 걷는다.", "이자를 먼저 갚는다.", 0.2),
)
HEADER = "genre\tfilename\tyear\tid\tscore\tsentence1\tsentence2"


def korsts(path: Path, pairs: Sequence[Row] = PAIRS) -> Path:
    lines = [f"main-captions\tMSRvid\t2012test\t{i:04}\t{score:.3f}\t{a}\t{b}" for i, (a, b, score) in enumerate(pairs)]
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def klue(path: Path, pairs: Sequence[Row] = PAIRS) -> Path:
    records = [
        {
            "guid": f"klue-sts-v1_dev_{i:05}",
            "sentence1": a,
            "sentence2": b,
            "labels": {"label": score, "real-label": score + 0.001, "binary-label": int(score >= 3)},
        }
        for i, (a, b, score) in enumerate(pairs)
    ]
    path.write_text(json.dumps(records, ensure_ascii=False, indent=4), encoding="utf-8")
    return path
