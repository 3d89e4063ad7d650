"""Prints those claims again that take seconds or a minute each, one after the other: `make bench`.

python benchmarks/quick.py                 what needs no data
python benchmarks/quick.py --data DATA     and what reads DATA/sets/ko_strategyqa_facts_dev and DATA/sts
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
NO_DATA = (
    ("import kure_rag in less than .3 s", "python benchmarks/import_time.py"),
    ("the published averages to 1e-5", "python benchmarks/leaderboard_averages.py"),
    ("a first search within 4 s", "python benchmarks/cold_search.py"),
)
WITH_DATA = (
    (
        "similar sentences by the bundled model",
        "kure-rag eval sts {data}/sts/kornlu/KorSTS/sts-test.tsv --model static-ko",
    ),
    ("keywords, vectors, both", "kure-rag eval {data}/sets/ko_strategyqa_facts_dev --model static-ko --mode all"),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("KURE_RAG_DATA"), help="a folder of one's own data")
    options = parser.parse_args()
    claims = [*NO_DATA, *(WITH_DATA if options.data else ())]
    failed = []
    for claim, line in claims:
        command = [word.format(data=options.data) for word in shlex.split(line)]
        print(f"\n== {claim}\n$ {shlex.join(command)}", flush=True)
        program, *rest = command
        interpreter = [sys.executable] if program == "python" else [sys.executable, "-m", "kure_rag"]
        began = time.monotonic()
        if subprocess.run([*interpreter, *rest], cwd=HERE.parent, check=False).returncode:
            failed.append(claim)
        print(f"({time.monotonic() - began:.0f} s)", flush=True)
    if not options.data:
        print(f"\n{len(WITH_DATA)} more read a folder of data: --data DATA")
    for claim in failed:
        print(f"did not run: {claim}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
