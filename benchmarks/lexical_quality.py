"""The keyword leg and what it is made of, one change after another, on retrieval sets.

    python benchmarks/lexical_quality.py SET_DIR ... [--questions 3000]

Prints a table of nDCG@10: the leg as it is, its weights and shortcuts, other sets of tags, repetition counted in other
ways, and questions with wrong spaces or letters. Every text is analysed once.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tantivy

from kure_rag.evaluate import ndcg, read_set
from kure_rag.index import lexical
from kure_rag.index.catalog import Keywords
from kure_rag.index.lexical import LexicalSettings, LexicalView, Question
from kure_rag.tokenize import char_bigrams, kiwi, letter_pairs

TAGS = kiwi.CONTENT_TAGS
VERBS = frozenset({"VV", "VA", "VV-R", "VV-I", "VA-R", "VA-I"})
TAG_SETS = {
    "as it is": TAGS,
    "with dependent nouns": TAGS | {"NNB"},
    "no verbs and adjectives": TAGS - VERBS,
    "no adverbs and determiners": TAGS - {"MAG", "MM"},
    "with auxiliary verbs": TAGS | {"VX"},
    "with prefixes and suffixes": TAGS | {"XPN", "XSN"},
}
SETTINGS = {
    "morphemes alone": LexicalSettings(pairs=0.0),
    "pairs x .4": LexicalSettings(pairs=0.4),
    "pairs x .6": LexicalSettings(pairs=0.6),
    "pairs x 1": LexicalSettings(pairs=1.0),
    "every term looked up": LexicalSettings(common=1.0, most=1000),
}
Repeat = Callable[[list[str], list[str]], list[str]]  # morphemes and pairs: what is indexed
REPEATS: dict[str, Repeat] = {
    "all as often as it occurs (k1 1.2)": lambda terms, pairs: [*terms, *pairs],
    "all twice (k1 .6)": lambda terms, pairs: [*terms, *pairs] * 2,
    "morphemes three times": lambda terms, pairs: [*terms * 3, *pairs],
    "distinct terms once more": lambda terms, pairs: [*terms, *pairs, *dict.fromkeys([*terms, *pairs])],
    "only pairs that are no morphemes": lambda terms, pairs: [*terms * 2, *(p for p in pairs if p not in set(terms))],
    "distinct pairs": lambda terms, pairs: [*terms * 2, *dict.fromkeys(pairs)],
}
Scores = dict[str, float]


class Set:
    """A retrieval set, analysed once for every set of tags."""

    def __init__(self, folder: Path, questions: int) -> None:
        chosen = read_set(folder)
        keys = sorted(chosen.queries)
        random.Random(1).shuffle(keys)
        self.queries = {key: chosen.queries[key] for key in sorted(keys[:questions])}
        self.qrels = {key: chosen.qrels[key] for key in self.queries}
        opened: Any = gzip.open if chosen.corpus_path.suffix == ".gz" else open
        with opened(chosen.corpus_path, "rt", encoding="utf-8") as file:
            records = [json.loads(line) for line in file]
        self.ids = [str(record["_id"]) for record in records]
        self.texts = ["\n".join(filter(None, (record.get("title"), record["text"]))) for record in records]
        self.terms = by_tags(self.texts)

    def rows(self, tags: str) -> dict[int, Keywords]:
        return {i: Keywords(" ".join(self.terms[tags][i]), text) for i, text in enumerate(self.texts)}

    def score(self, view: LexicalView, terms: list[list[str]], asked: list[str], pairs: Any = letter_pairs) -> float:
        run = {
            key: [self.ids[row] for row, _ in view.search(Question(own, pairs(text)), 10)]
            for key, own, text in zip(self.queries, terms, asked, strict=True)
        }
        return ndcg(run, self.qrels, k=10)


def by_tags(texts: list[str]) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {name: [] for name in TAG_SETS}
    for tokens in kiwi.shared_kiwi().tokenize(iter(kiwi._nfc(text) for text in texts)):
        for name, tags in TAG_SETS.items():
            kiwi.CONTENT_TAGS = tags
            found[name].append([term.form for term in kiwi._content(tokens, {})])
    kiwi.CONTENT_TAGS = TAGS
    return found


@contextmanager
def view_of(rows: Mapping[int, Keywords], settings: LexicalSettings | None = None) -> Iterator[LexicalView]:
    with tempfile.TemporaryDirectory() as scratch:
        view = LexicalView(Path(scratch), settings)
        view.apply(rows, [])
        yield view
        view.close()


@contextmanager
def repeating(repeat: Repeat) -> Iterator[None]:
    def document(row: int, keywords: Keywords) -> tantivy.Document:
        made = tantivy.Document()
        made.add_unsigned("row", row)
        made.add_text(lexical._WORDS, " ".join(repeat(keywords.terms.split(), letter_pairs(keywords.text))))
        return made

    own, lexical._document = lexical._document, document
    yield
    lexical._document = own


def all_pairs(text: str) -> list[str]:
    return char_bigrams(text)


def respaced(text: str, chance: random.Random) -> str:
    """A third of the spaces gone, and one in ten places between letters with one."""
    out = ""
    for i, char in enumerate(text):
        if char == " " and chance.random() < 1 / 3:
            continue
        out += char
        if char != " " and i + 1 < len(text) and text[i + 1] != " " and chance.random() < 0.1:
            out += " "
    return out


def misspelt(text: str, chance: random.Random) -> str:
    """One syllable of the question with another vowel."""
    places = [i for i, char in enumerate(text) if "가" <= char <= "힣"]
    if not places:
        return text
    i = chance.choice(places)
    lead, rest = divmod(ord(text[i]) - 0xAC00, 588)
    vowel = (rest // 28 + chance.choice((1, 4, 20))) % 21
    return text[:i] + chr(0xAC00 + lead * 588 + vowel * 28 + rest % 28) + text[i + 1 :]


def measure(chosen: Set) -> Scores:
    scores: Scores = {}
    asked = list(chosen.queries.values())
    terms = by_tags(asked)
    base = chosen.rows("as it is")
    with view_of(base) as view:
        scores["as it is"] = chosen.score(view, terms["as it is"], asked)
        for name, settings in SETTINGS.items():
            other = LexicalView(view.folder, settings)
            scores[name] = chosen.score(other, terms["as it is"], asked)
        scores["all pairs of the question"] = chosen.score(view, terms["as it is"], asked, all_pairs)
        chance = random.Random(4)
        wrong = {
            "questions without spaces": [text.replace(" ", "") for text in asked],
            "questions with wrong spaces": [respaced(text, chance) for text in asked],
            "questions with a wrong vowel": [misspelt(text, chance) for text in asked],
        }
        alone = LexicalView(view.folder, SETTINGS["morphemes alone"])
        for name, texts in wrong.items():
            analysed = by_tags(texts)["as it is"]
            scores[name] = chosen.score(view, analysed, texts)
            scores[f"{name}, morphemes alone"] = chosen.score(alone, analysed, texts)
    for name in list(TAG_SETS)[1:]:
        with view_of(chosen.rows(name)) as view:
            scores[name] = chosen.score(view, terms[name], asked)
    for name, repeat in REPEATS.items():
        with repeating(repeat), view_of(base) as view:
            scores[name] = chosen.score(view, terms["as it is"], asked)
    return scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--questions", type=int, default=3_000, help="of each set, by chance")
    args = parser.parse_args()
    columns = {folder.name: measure(Set(folder, args.questions)) for folder in args.sets}
    print("| | " + " | ".join(columns) + " |")
    print("|---|" + "--:|" * len(columns))
    for name in next(iter(columns.values())):
        print(f"| {name} | " + " | ".join(f"{scores[name]:.3f}" for scores in columns.values()) + " |")


if __name__ == "__main__":
    main()
