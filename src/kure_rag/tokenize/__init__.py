"""Text → terms: what the keyword leg of a search sees.

``KiwiTokenizer`` (Korean morphemes) is what an index uses; ``WhitespaceTokenizer`` and ``NgramTokenizer`` are here to
be compared with it. Importing this package loads no model.
"""

from kure_rag.tokenize.base import Sentence, Term, Tokenizer
from kure_rag.tokenize.kiwi import CONTENT_TAGS, KiwiTokenizer
from kure_rag.tokenize.simple import NgramTokenizer, WhitespaceTokenizer, char_bigrams

__all__ = [
    "CONTENT_TAGS",
    "KiwiTokenizer",
    "NgramTokenizer",
    "Sentence",
    "Term",
    "Tokenizer",
    "WhitespaceTokenizer",
    "char_bigrams",
]
