"""What benchmarks/training.py needs and no download gives: triplets, bilingual questions, a small BERT.

    python benchmarks/training_base.py --data DATA --out BASE

- `statutes-train.jsonl`, `-dev` and `-test`: questions made of headings, with passages that hybrid search takes for
  their answers. The three are of different statutes, a statute and its decrees on one side; candidates of dev and test
  are passages of their own statutes alone, so that a model has seen neither the questions nor a passage to be ordered.
- `passages-train.jsonl` and `-test`: a Korean sentence of news, its English translation, and the English passage of
  three sentences that it stands in (NTREX-128 and park news dev; park news test).
- `small-bert`: trained on masked words of what recipes train on: the sentences of XNLI-ko test, KLUE-NLI dev and KorSTS
  train that are in none of the sets that models are scored on, and the passages of the statutes that are trained on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from kure_rag.pipeline import KureIndex
from kure_rag.pipeline.entries import Entry
from kure_rag.train.domain_data import DomainData, DomainQuestion, read_domain
from kure_rag.train.domain_family import families
from kure_rag.train.domain_mine import Unheld
from kure_rag.train.domain_split import DomainSplit, split_domain
from kure_rag.train.generator import GeneratorSettings, pretrain_encoder
from kure_rag.train.mine import Margin, MineSettings, Passage, Question, mine
from kure_rag.train.readers import read_bitext
from kure_rag.train.recipe import Sources
from kure_rag.train.recipes.kosimcse import KoSimCseRecipe

HELD: Final = 0.3  # of the questions, for dev and test together
TRAINED: Final = 8_000  # questions to train on at the most
SCORED: Final = 600  # of dev, and of test
CANDIDATES: Final = 10  # of each question that is scored, its answer among them
WINDOW: Final = 3  # sentences of an English passage
BASE: Final = GeneratorSettings(steps=3_000, batch_size=32, learning_rate=1e-3, max_length=96, layers=2, width=128)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make what the training benchmark starts from.")
    parser.add_argument("--data", type=Path, required=True, help="folder that holds sts and statutes")
    parser.add_argument("--out", type=Path, required=True, help="where triplets and base are written")
    options = parser.parse_args()
    make_base(options.data, options.out)


def make_base(data: Path, out: Path) -> None:
    """Writes all of it that is not there yet."""
    out.mkdir(parents=True, exist_ok=True)
    write_passages(data / "bitext", ("ntrex128_ko_en", "park_news_dev"), out / "passages-train.jsonl")
    write_passages(data / "bitext", ("park_news_test",), out / "passages-test.jsonl")
    with tempfile.TemporaryDirectory() as scratch:
        domain = read_domain([data / "statutes/articles.jsonl.gz"], Path(scratch), model=None, sentences=1)
        split = split_domain(domain, by="document", share=HELD)
        mine_statutes(domain, split, out, Path(scratch))
    if not (out / "small-bert").is_dir():
        started = time.monotonic()
        pretrain_encoder(lambda: texts(data, domain, split), out / "small-bert", BASE)
        print(f"small-bert: {time.monotonic() - started:.0f} s")


def write_passages(folder: Path, names: Sequence[str], out: Path) -> None:
    """Rows for stage 1 of `clir`: the files hold neighbouring sentences of news, one after another."""
    with out.open("w", encoding="utf-8") as lines:
        for name in names:
            rows = list(read_bitext(folder / f"{name}.tsv"))
            for start in range(0, len(rows), WINDOW):
                window = rows[start : start + WINDOW]
                passage = " ".join(row.english for row in window)
                for row in window:
                    said = {"query_ko": row.korean, "query_en": row.english, "passage_en": passage}
                    lines.write(json.dumps(said, ensure_ascii=False) + "\n")


def mine_statutes(domain: DomainData, split: DomainSplit, out: Path, scratch: Path) -> None:
    """The three files of triplets."""
    family = families(domain)
    first, second = halves({family[id_] for id_ in split.held})
    sides = {"dev": first, "test": second}
    wanted = {"train": drawn([one for one in split.training if one.kind == "heading"], TRAINED)} | {
        name: drawn([one for one in split.scored if {family[id_] for id_ in one.passages} <= side], SCORED)
        for name, side in sides.items()
    }
    if all((out / f"statutes-{name}.jsonl").is_file() for name in wanted):
        return
    with KureIndex.open(scratch / "statutes", embeddings="static-ko") as index:
        index.put(Entry(id=one.id, text=one.text, group=one.document) for one in domain.passages.values())
        for name, asked in wanted.items():
            side = sides.get(name)
            hidden = split.barred if side is None else frozenset(id_ for id_ in family if family[id_] not in side)
            path = out / f"statutes-{name}.jsonl"
            # What is scored are candidates as a search gives them; what is trained on must not hold other answers.
            margin = Margin(relative=0.95) if side is None else Margin()
            settings = MineSettings(negatives=CANDIDATES - 1, depth=50, dense=margin, keep_short=side is None)
            path.unlink(missing_ok=True)
            report = mine(Unheld(index, hidden), questions(domain, asked), path, settings)
            print(f"{path.name}: {report.rows:,} rows, {len(side or set()):,} families of statutes held back")


def drawn(asked: Sequence[DomainQuestion], most: int) -> list[DomainQuestion]:
    """Some of the questions, of all statutes by their share; the same ones each time: ids are digests."""
    return sorted(asked, key=lambda one: one.id)[:most]


def halves(names: set[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Two sides, by digests, so that they are the same whatever the order."""
    listed = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    return frozenset(listed[::2]), frozenset(listed[1::2])


def questions(domain: DomainData, asked: Sequence[DomainQuestion]) -> list[Question]:
    """With the texts of their answers."""
    return [
        Question(one.id, one.text, tuple(Passage(id_, domain.passages[id_].text) for id_ in one.passages))
        for one in asked
    ]


def texts(data: Path, domain: DomainData, split: DomainSplit) -> Iterator[str]:
    """What the base reads."""
    kornlu, klue = data / "sts/kornlu", data / "sts/klue"
    train = (
        kornlu / "KorNLI/xnli.test.ko.tsv",
        klue / "klue-nli-v1.1_dev.json",
        kornlu / "KorSTS/sts-train.tsv",
    )
    dev = (
        kornlu / "KorNLI/xnli.dev.ko.tsv",
        klue / "klue-sts-v1.1_dev.json",
        kornlu / "KorSTS/sts-dev.tsv",
        kornlu / "KorSTS/sts-test.tsv",
    )
    recipe = KoSimCseRecipe()
    with tempfile.TemporaryDirectory() as work:
        settings = replace(recipe.settings, task="unsupervised", batch_size=2)
        plan = recipe.plan(Sources(train=train, dev=dev, work=Path(work)), settings, lambda _: None)
        yield from dict.fromkeys(plan.texts())
    for id_, passage in domain.passages.items():
        if id_ not in split.barred:
            yield passage.text


if __name__ == "__main__":
    main()
