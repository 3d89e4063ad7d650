"""Text → terms: what the keyword leg of a search sees.

``KiwiTokenizer`` (Korean morphemes) is what an index uses; ``WhitespaceTokenizer`` and ``NgramTokenizer`` are here to
be compared with it. Importing this package loads no model.
"""

from kure_rag.tokenize.base import Analyser, Sentence, Term, Tokenizer
from kure_rag.tokenize.kiwi import CONTENT_TAGS, KiwiTokenizer
from kure_rag.tokenize.pairs import letter_pairs
from kure_rag.tokenize.simple import NgramTokenizer, WhitespaceTokenizer, char_bigrams
from kure_rag.tokenize.synonyms import Synonyms
from kure_rag.tokenize.user_dictionary import UserWord

__all__ = [
    "CONTENT_TAGS",
    "Analyser",
    "KiwiTokenizer",
    "NgramTokenizer",
    "Sentence",
    "Synonyms",
    "Term",
    "Tokenizer",
    "UserWord",
    "WhitespaceTokenizer",
    "char_bigrams",
    "letter_pairs",
]
