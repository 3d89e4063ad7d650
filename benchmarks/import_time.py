"""How long `import kure_rag` takes, and what it pulls in. Median of eleven fresh interpreters.

python benchmarks/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys

HEAVY = ("torch", "chromadb", "transformers", "sentence_transformers", "langchain_core", "kiwipiepy", "tantivy")
SCRIPT = f"""
import sys, time
began = time.perf_counter()
import kure_rag
print(time.perf_counter() - began, *[name for name in {HEAVY!r} if name in sys.modules])
"""


def main() -> None:
    runs = [
        subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True).stdout.split() for _ in range(11)
    ]
    median = 1000 * statistics.median(float(run[0]) for run in runs)
    print(f"import kure_rag: {median:.1f} ms, pulls in {', '.join(runs[0][1:]) or 'none'} of {', '.join(HEAVY)}")


if __name__ == "__main__":
    main()
