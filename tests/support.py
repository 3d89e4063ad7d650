"""What several tests need: an embedder without a model, and small real PDFs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kure_rag.tokenize import NgramTokenizer

DIMENSION = 48


class HashEmbedder:
    """Bags of character bigrams, each with a random direction: texts that share words are near each other."""

    name = "hash-bigrams"
    dense_weight = 0.3

    def __init__(self, revision: str = "1") -> None:
        self.fingerprint = {"model": self.name, "revision": revision, "class": "support.HashEmbedder"}

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        return np.stack([self._vector(text) for text in texts]) if texts else np.zeros((0, DIMENSION), np.float32)

    embed_passages = embed_queries

    def _vector(self, text: str) -> np.ndarray:
        total = np.zeros(DIMENSION)
        for term in NgramTokenizer(2).terms(text):
            seed = int.from_bytes(hashlib.blake2b(term.encode(), digest_size=8).digest(), "big")
            total += np.random.default_rng(seed).standard_normal(DIMENSION)
        return (total / (np.linalg.norm(total) or 1)).astype(np.float32)


def write_pdf(path: Path, pages: Sequence[Sequence[str]]) -> Path:
    """A PDF of Korean lines, one list a page. The font is not embedded: PDF readers bring its character map."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas

    pdfmetrics.registerFont(UnicodeCIDFont("HYSMyeongJo-Medium"))
    canvas = Canvas(str(path), invariant=1)
    for lines in pages:
        canvas.setFont("HYSMyeongJo-Medium", 11)
        for i, line in enumerate(lines):
            canvas.drawString(60, 780 - 18 * i, line)
        canvas.showPage()
    canvas.save()
    return path


def numbered_pdf(folder: Path, number: int) -> Path:
    """One of any number of PDFs, each with words of its own and words it shares with the others."""
    topics = ("예금", "보험", "주택", "의약품", "세금", "연금", "계약", "임대")
    topic = topics[number % len(topics)]
    pages = [
        [
            f"제{page}조({topic} 관리 {number}호) 이 규정은 {topic}의 관리에 필요한 사항을 정한다.",
            f"{topic} 담당자는 매년 {number + page}회 점검하고 그 결과를 기록하여야 한다.",
            f"점검 결과는 {number * 7 + page}일 안에 기관장에게 보고하며 보고서는 5년 동안 보관한다.",
        ]
        for page in (1, 2)
    ]
    return write_pdf(folder / f"{topic}_규정_{number:03}.pdf", pages)
