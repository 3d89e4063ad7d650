import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kure_rag.ingest.parts import from_sentences, from_sheets, to_sentences, to_sheets
from kure_rag.read.layout import Line
from kure_rag.read.page import FoundTable
from kure_rag.read.sheets import Sheet
from kure_rag.read.tables.nested import Inner, OuterTable
from kure_rag.tokenize.base import Sentence, Term

TEXT = st.text("가나 다①😀\n|\ufdd0\ufdd1\ud800a", max_size=10)
NUMBER = st.integers(0, 10**6)
SIZE = st.floats(-5000, 5000) | st.floats(width=32, allow_nan=False)
BOX = st.tuples(SIZE, SIZE, SIZE, SIZE)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
ROWS = st.lists(TEXTS, max_size=3).map(tuple)
OWN = (BOX, BOX, st.lists(SIZE, max_size=4).map(tuple), TEXT, TEXT, TEXTS, ROWS)
FLAT = st.builds(FoundTable, *OWN)
TABLES = st.recursive(
    FLAT,
    lambda inner: st.builds(
        OuterTable, *OWN, ROWS, st.lists(st.builds(Inner, TEXT, NUMBER, inner, TEXTS), max_size=2).map(tuple)
    ),
    max_leaves=4,
)
LINES = st.builds(Line, TEXT, SIZE, SIZE, SIZE, SIZE, SIZE, SIZE, SIZE, NUMBER, st.none() | TABLES, st.booleans())
SHEETS = st.builds(
    Sheet,
    number=NUMBER,
    width=SIZE,
    height=SIZE,
    chars=NUMBER,
    lines=st.lists(LINES, max_size=3),
    warnings=TEXTS,
    error=TEXT,
)
SENTENCES = st.builds(Sentence, NUMBER, NUMBER, st.lists(st.builds(Term, TEXT, NUMBER, NUMBER), max_size=3).map(tuple))


def sent(values: Any) -> Any:
    return json.loads(json.dumps(values))


@given(st.lists(SHEETS, max_size=3))
def test_sheets_survive_the_trip(sheets: list[Sheet]) -> None:
    found = to_sheets(sent(from_sheets(sheets)))
    assert found == sheets
    assert repr(found) == repr(sheets)  # whole numbers and fractions too, and kinds of tables


@given(st.lists(st.lists(SENTENCES, max_size=3), max_size=3))
def test_sentences_survive_the_trip(found: list[list[Sentence]]) -> None:
    assert to_sentences(sent(from_sentences(found))) == found
