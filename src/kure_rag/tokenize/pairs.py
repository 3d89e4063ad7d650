"""Pairs of letters: what finds a name that the analyser cuts differently in a question and in a passage.

A word's last particle or ending is left out, and so are pairs that hardly ever stand inside a content morpheme: they
are a quarter of all pairs and say nothing. Without them the keyword leg ranks statutes better (nDCG@10 .678 to .685),
others the same, and the view is a fifth smaller (``benchmarks/results/lexical.md``).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# What is left of a word must have two letters.
_ENDING: Final = re.compile(
    r"(?<=\w\w)(?:으로|에서|에게|까지|부터|에는|하는|하여|하고|한다|된다|되는|되어|[은는이가을를의에로와과도])(?!\w)"
)
_PAIR: Final = re.compile(r"(?=(\w\w))")
_ALONE: Final = re.compile(r"(?<!\w)\w(?!\w)")
# The commonest pairs of the statutes whose letters belong to one content morpheme, or to two that stand side by side,
# in at most 2% of their places.
_COMMONEST: Final = """
    하는 한다 하여 으로 조제 항에 에는 에서 우에 조의 령으 여야 있다 당하 부터 에게 조에 호에 항제 거나 하지 있는
    말한 하고 받은 까지 자의 요한 로서 자는 하거 나에 항을 때에 되는 등의 액을 자에 항의 등에 정에 인이 니하 등을
    니한 밖에 장은 인의 이라 같은 용하 함한 서를 장에 하기 무를 내에 지의 분의 사의 외한 시하 려는 서에 같다 이나
    용한 바에 정을 이란 항은 관의 목의 자를 장이 하게 출하 하다 다고 적으 원의 서는 인에 부하 외의 해야 것으 회가
    도의 하려 회는 관은 급하 금을 산한 액의 밖의 로부 관이 고를 식의 액에 이를 분에 날부 인을 구하 원은 산의 관에
    상의 사를 가를 지를 법에 권의 업을 용을 에도 건을 업에 없는 자로 원에 권을 원이 여는 본다 사에 액이 료를 것을
    사가 사는 부를 우를 하며 과하 우로 금의 금에 목에 보를 도록 등이 고하 지에 류를 회에 항부 항까 전에 인은 받아
    단에 산을 원을 명하 외에 위에 간의 위를 업의 법으 된다 정된 생한 받는 치를 서의 액은 용할 어야 청을 입하 실을
    보의 하의 일까 정되 의를 하면 되어 공하 간을 액으 호부 증을 호까 시한 산에 받으 적인 러하 식에 준에 사하 하였
    되지 유로 장의 리를 유하 자와 으려 없다 장과 세를 구할 문에 간에 분을 받을 득한 록을 무에 중에 장을 이에 련된
    조를 무의 등은 식을 구의 청하 청에 도에 려하 반한 약을 호를 생하 등으 출한 청할 못한 인으 체의 아닌 율을 구를
    영하 소의 원으 성하 으면 용되 여서 련하 우는 준을 정은 소를 차를 사한 수를 령에 인인 수한 령을 물의 려가 익을
    리에 급한 른다 로써 영에 소에 득에 용에 임을 명할 약류 행에 도하 구에 력이 있어 내의 되거 아야 령이 관으 유를
    부에 기를 관을 별로 다는 날이 호와 립된 상을 역을 과를 출해 재하 품을
"""
FUNCTIONAL: Final = frozenset(_COMMONEST.split())


_MOST: Final = 1 << 16  # words kept with their pairs: most words of a text stood in an earlier one
_LONGEST: Final = 40  # characters of a word that is kept; what is longer is none, and may be a whole file


def letter_pairs(text: str) -> list[str]:
    """Pairs of neighbouring letters within words, in lower case; a letter that stands alone is a term of its own.

    Word by word, and repeated as often as they occur.
    """
    return joined_pairs(text).split()


def joined_pairs(text: str) -> str:
    """The terms of :func:`letter_pairs` with spaces between them, as an index takes them."""
    return " ".join(map(_kept.__getitem__, text.split()))


def _pairs(word: str) -> str:
    """Of what stands between white space: no pair and no ending reaches beyond it."""
    word = _ENDING.sub("", unicodedata.normalize("NFC", word).lower())
    return " ".join([*[pair for pair in _PAIR.findall(word) if pair not in FUNCTIONAL], *_ALONE.findall(word)])


class _Kept(dict[str, str]):
    """Pairs by word, three times as fast as making them. Emptied when it is full: keeping the newest costs too much."""

    def __missing__(self, word: str) -> str:
        pairs = _pairs(word)
        if len(word) <= _LONGEST:
            if len(self) >= _MOST:
                self.clear()
            self[word] = pairs
        return pairs


_kept: Final = _Kept()
