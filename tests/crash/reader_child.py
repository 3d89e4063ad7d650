"""Searches an index for some seconds while another process writes to it; fails when an answer is of two generations.

usage: reader_child.py INDEX_FOLDER SECONDS

Every document has three passages that end with its version; an answer must hold all three of one version, or none.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from crash.changes import SeededEmbedder

from kure_rag import KureIndex


def main() -> None:
    begun, seconds = time.monotonic(), float(sys.argv[2])
    searches = 0
    seen: set[str] = set()
    with KureIndex.open(sys.argv[1], embeddings=SeededEmbedder(), create=False) as index:
        # On a machine that is busy with other things the first searches alone may take that long.
        while (since := time.monotonic() - begun) < seconds or (since < 20 * seconds and len(seen) < 2):
            for mode in ("lexical", "dense", "hybrid"):
                hits = index.search("출장 규정의 기한", k=50, mode=mode, where={"source": "출장규정"})
                versions = {hit.chunk.text.split()[-1] for hit in hits}
                assert len(hits) == 3, f"{mode}: {len(hits)} passages"
                assert len(versions) == 1, f"{mode}: two versions at once: {versions}"
                seen |= versions
                searches += 1
    print(searches, len(seen))


if __name__ == "__main__":
    main()
