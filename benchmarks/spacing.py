"""How much wrong spaces and letters in questions cost, on retrieval sets.

    python benchmarks/spacing.py SETS/korquad_dev ... [--model static-ko] [--queries 500] [--keep FOLDER]

Each question is asked as it stands; with all its spaces removed; with spaces put between letters of its words by chance
(one in ten places, one at least); and with one letter of one syllable changed for another, as a slip on a keyboard
does. Prints nDCG@10 of the keyword leg, of the vectors and of both, and what is lost against the question as it stands.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from set_index import set_index

from kure_rag import KureIndex
from kure_rag.evaluate import ndcg, read_set
from kure_rag.types import MODES

# Keys of the Korean keyboard (두벌식), row by row: a finger that slips hits one beside the one it meant.
_ROWS: Final = ("ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔ", "ㅁㄴㅇㄹㅎㅗㅓㅏㅣ", "ㅋㅌㅊㅍㅠㅜㅡ")
_LEADS: Final = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS: Final = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS: Final = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
Change = Callable[[str, random.Random], str]


def joined(text: str, chance: random.Random) -> str:
    """Without any space."""
    return "".join(text.split())


def split(text: str, chance: random.Random) -> str:
    """With spaces within words: at one place in ten, and at one at least."""
    places = [i for i in range(1, len(text)) if text[i - 1].isalnum() and text[i].isalnum()]
    chosen = {i for i in places if chance.random() < 0.1} or set(places and [chance.choice(places)])
    return "".join(f" {char}" if i in chosen else char for i, char in enumerate(text))


def misspelt(text: str, chance: random.Random) -> str:
    """One letter of one syllable as a slip makes it: the key beside the one that was meant."""
    slips = [(i, other) for i, char in enumerate(text) for other in _slips(char)]
    if not slips:
        return text
    i, other = chance.choice(slips)
    return text[:i] + other + text[i + 1 :]


def _slips(char: str) -> list[str]:
    """What becomes of a syllable when one of its letters is another key's."""
    if not "가" <= char <= "힣":
        return []
    lead, rest = divmod(ord(char) - 0xAC00, 588)
    vowel, tail = divmod(rest, 28)
    made = []
    for place, (letters, at) in enumerate(((_LEADS, lead), (_VOWELS, vowel), (_TAILS, tail))):
        for other in _beside(letters[at]):
            found = letters.find(other)
            if found >= 0:
                parts = [lead, vowel, tail]
                parts[place] = found
                made.append(chr(0xAC00 + (parts[0] * 21 + parts[1]) * 28 + parts[2]))
    return made


def _beside(letter: str) -> str:
    for row in _ROWS:
        at = row.find(letter)
        if at >= 0:
            return row[max(at - 1, 0) : at] + row[at + 1 : at + 2]
    return ""


CHANGES: Final[Mapping[str, Change | None]] = {
    "as it stands": None,
    "no spaces": joined,
    "spaces within words": split,
    "one wrong letter": misspelt,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path)
    parser.add_argument("--model", default="static-ko")
    parser.add_argument("--queries", type=int, default=500, help="of each set, by chance")
    parser.add_argument("--keep", type=Path, help="keep the indexes here, and use those that are there")
    options = parser.parse_args()
    print("| set, question | " + " | ".join(f"{mode} | lost" for mode in ("lexical", "dense", "hybrid")) + " |")
    print("|---" + "|--:" * 6 + "|")
    for folder in options.sets:
        with set_index(folder, options.model, options.keep) as index:
            table(index, folder, options.queries)


def table(index: KureIndex, folder: Path, most: int) -> None:
    queries, qrels = chosen(folder, most)
    clean: dict[str, float] = {}
    for name, change in CHANGES.items():
        chance = random.Random(7)
        asked = [change(text, chance) if change else text for text in queries.values()]
        cells = []
        for mode in sorted(MODES, key=["lexical", "dense", "hybrid"].index):
            answers = index.search_batch(asked, k=10, mode=mode)
            run = {
                query: list(dict.fromkeys(hit.source for hit in hits))
                for query, hits in zip(queries, answers, strict=True)
            }
            score = ndcg(run, qrels, k=10)
            cells.append(f"{score:.4f} | {clean.setdefault(mode, score) - score:.4f}")
        print(f"| {folder.name}, {name} | {' | '.join(cells)} |", flush=True)


def chosen(folder: Path, most: int) -> tuple[dict[str, str], dict[str, Mapping[str, float]]]:
    """Queries of a set by chance, and what is known of them."""
    whole = read_set(folder)
    ids = sorted(whole.qrels)
    random.Random(1).shuffle(ids)
    ids = sorted(ids[:most])
    return {id_: whole.queries[id_] for id_ in ids}, {id_: whole.qrels[id_] for id_ in ids}


if __name__ == "__main__":
    main()
