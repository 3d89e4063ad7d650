"""Is the export a corpus that AutoRAG takes? Asks AutoRAG itself.

    python3 -m venv autorag-env && autorag-env/bin/pip install torch==2.13.0
    autorag-env/bin/pip install AutoRAG==0.3.27
    python benchmarks/autorag_validate.py --autorag autorag-env/bin/autorag [PDF or folder …]

Without files the bundled samples are taken. Makes an index, its export and questions from headings, then runs AutoRAG's
``validate`` and its BM25 ``evaluate`` on them, and compares the passages that AutoRAG holds after its own clean-up with
those that were exported. AutoRAG is 3 GB: it has an environment of its own, and nothing of ours needs it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from kure_rag import KureIndex
from kure_rag.autorag import export_index, make_questions
from kure_rag.read import Record
from kure_rag.samples import sample_paths

CONFIG = """\
node_lines:
  - node_line_name: retrieve
    nodes:
      - node_type: lexical_retrieval
        strategy:
          metrics: [retrieval_recall, retrieval_ndcg, retrieval_mrr]
        top_k: 10
        modules:
          - module_type: bm25
            bm25_tokenizer: [space]
"""
BULLETS = (
    "▶ 신청 방법: 누리집에서 신청서를 내려받아 전자우편으로 보낸다. ☎ 02-000-0000",
    "ⓘ 한빛센서™ 설명서 ▪ 전원을 켠다 ▫ 표시등이 파란색인지 본다 ✔ 확인란에 적는다 ⚠ 물에 닿지 않게 한다",
    "© 한빛정밀 2026 ➡ 고객지원 ⭐ 별점 ㊙ 대외비 1️⃣ 첫째 ™® ◀ 앞 ▶ 뒤 ♥",
)
# Runs in AutoRAG's environment: what its own reading leaves of our files.
READ_BACK = """
import json, sys
import pandas as pd
from autorag.utils import cast_corpus_dataset, cast_qa_dataset
before = pd.read_parquet(sys.argv[1], engine="pyarrow")
after = cast_corpus_dataset(before.copy())
parsed = pd.read_parquet(sys.argv[3], engine="pyarrow")
pages = {(row.path, row.page): row.texts for row in parsed.itertuples()}
inside = sum(
    pages[row.path, row.metadata["page"]][row.start_end_idx[0] : row.start_end_idx[1] + 1]
    == row.contents[: row.start_end_idx[1] + 1 - row.start_end_idx[0]]
    for row in before.itertuples()
)
print(json.dumps({
    "rows": len(before), "rows_after": len(after),
    "contents_kept": int((before["contents"].tolist() == after["contents"]).sum()),
    "metadata_kept": sum(
        all(a[key] == b[key] for key in ("page", "path", "prev_id", "next_id", "kure_rag", "last_modified_datetime"))
        and list(a["breadcrumb"]) == list(b["breadcrumb"])
        for a, b in zip(before["metadata"], after["metadata"])
    ),
    "in_their_page": inside,
    "unique_ids": bool(after["doc_id"].is_unique),
    "questions": len(cast_qa_dataset(pd.read_parquet(sys.argv[2], engine="pyarrow"))),
}))
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--autorag", type=Path, required=True, metavar="PROGRAM", help="autorag of its own environment")
    parser.add_argument("paths", nargs="*", type=Path)
    options = parser.parse_args()
    program = Path(os.path.abspath(options.autorag))  # noqa: PTH100 - resolve() would leave its environment
    with tempfile.TemporaryDirectory(prefix="kure-rag-autorag-") as folder:
        work = Path(folder)
        _prepare(work, options.paths or list(sample_paths()))
        told = _run(
            work, program.with_name("python"), "-c", READ_BACK, "corpus.parquet", "qa.parquet", "parsed.parquet"
        )
        found = json.loads(told.stdout.splitlines()[-1])
        for name, value in found.items():
            print(f"{name:16} {value}")
        files = ("--config", "bm25.yaml", "--qa_data_path", "qa.parquet", "--corpus_data_path", "corpus.parquet")
        validated = _run(work, program, "validate", *files)
        print(f"\nautorag validate: exit status {validated.returncode}, last line: {_last(validated)}")
        evaluated = _run(work, program, "evaluate", *files, "--project_dir", "project")
        print(f"autorag evaluate: exit status {evaluated.returncode}, last line: {_last(evaluated)}")
        for summary in sorted((work / "project").glob("*/retrieve/lexical_retrieval/summary.csv")):
            print(f"{summary.relative_to(work)}\n{summary.read_text(encoding='utf-8')}")
    whole = found["rows"] == found["rows_after"] == found["contents_kept"] == found["metadata_kept"]
    good = whole and found["in_their_page"] == found["rows"] and not validated.returncode and not evaluated.returncode
    print("accepted, nothing rewritten" if good else "NOT accepted")
    return 0 if good else 1


def _prepare(work: Path, paths: list[Path]) -> None:
    with KureIndex.open(work / "index", embeddings="static-ko") as index:
        report = index.add_paths(paths)
        for row in report.rows:
            if row.status == "rejected":
                print(f"rejected {row.source}: {row.reason}")
        index.add_records(Record(f"기호-{i}", "기호가 있는 안내문", text) for i, text in enumerate(BULLETS))
        export = export_index(index, work)
        questions = make_questions(index, work)
    print(f"exported: {json.dumps({**export.to_dict(), 'parsed': 'parsed.parquet', 'corpus': 'corpus.parquet'})}")
    print(f"questions: {questions.questions}\n")
    (work / "bm25.yaml").write_text(CONFIG, encoding="utf-8")


def _run(work: Path, program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(program), *arguments],
        cwd=work,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], file=sys.stderr)
    return done


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in f"{done.stderr}\n{done.stdout}".splitlines() if line.strip()]
    return lines[-1] if lines else ""


if __name__ == "__main__":
    sys.exit(main())
