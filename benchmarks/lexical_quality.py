"""The parts of the keyword score, one after another, on retrieval sets.

    python benchmarks/lexical_quality.py SET_DIR ...

Prints nDCG@10 of the keyword leg with morphemes alone, with letter pairs, and with the share for presence.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from kure_rag import KureIndex
from kure_rag.evaluate import ndcg, read_set
from kure_rag.index.lexical import LexicalSettings, LexicalView, Question
from kure_rag.tokenize import KiwiTokenizer, char_bigrams

STEPS = {
    "morphemes": LexicalSettings(pairs=0.0, presence=0.0),
    "+ letter pairs": LexicalSettings(presence=0.0),
    "+ presence": LexicalSettings(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    for folder in parser.parse_args().sets:
        chosen = read_set(folder)
        terms = KiwiTokenizer().terms_batch(list(chosen.queries.values()))
        questions = [Question(t, char_bigrams(q)) for t, q in zip(terms, chosen.queries.values(), strict=True)]
        with tempfile.TemporaryDirectory() as scratch, KureIndex.open(Path(scratch), embeddings="static-ko") as index:
            index.add_corpus(chosen.corpus_path)
            catalog = index._store.catalog
            sources = {row: hit.source for row, hit in catalog.fetch([r for r, _ in catalog.all_rows()], 2**60).items()}
            scores = {}
            for name, settings in STEPS.items():
                view = LexicalView(index._store.view_folder("lexical"), settings)
                found = [[sources[row] for row, _ in view.search(question, 10)] for question in questions]
                scores[name] = ndcg(dict(zip(chosen.queries, found, strict=True)), chosen.qrels, k=10)
                view.close()
        print(f"{folder.name}: " + ", ".join(f"{name} {score:.4f}" for name, score in scores.items()), flush=True)


if __name__ == "__main__":
    main()
