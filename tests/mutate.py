"""Broken and hostile PDFs, the same ones for the same seed."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_OBJECT = re.compile(rb"(?s)\d+ 0 obj\b.*?\bendobj")
_STREAM = re.compile(rb"(?s)(stream\r?\n)(.*?)(\r?\nendstream)")
_REFERENCE = re.compile(rb"\b(\d+) 0 R\b")
_NUMBER = re.compile(rb"(?<=[ \[/])\d{1,6}(?=[ \]/>\r\n])")
_NAME = re.compile(rb"/[A-Z][A-Za-z]{2,12}\b")


def flip_bits(data: bytes, chance: random.Random) -> bytes:
    """Single bits, anywhere."""
    out = bytearray(data)
    for _ in range(chance.choice((1, 8, 64, 512))):
        at = chance.randrange(len(out))
        out[at] ^= 1 << chance.randrange(8)
    return bytes(out)


def garble(data: bytes, chance: random.Random) -> bytes:
    """A run of bytes replaced by noise, zeros or itself."""
    length = chance.randrange(1, max(2, len(data) // 8))
    at = chance.randrange(len(data))
    filler = chance.choice((chance.randbytes(length), bytes(length), data[at : at + length] * 2))
    return data[:at] + filler + data[at + length :]


def truncate(data: bytes, chance: random.Random) -> bytes:
    """Broken off, sometimes with an end put back on."""
    kept = data[: chance.randrange(1, len(data))]
    return kept + chance.choice((b"", b"\n%%EOF", b"\nstartxref\n0\n%%EOF", data[-400:]))


def swap_objects(data: bytes, chance: random.Random) -> bytes:
    """Two objects in each other's place: a font where a page was."""
    found = list(_OBJECT.finditer(data))
    if len(found) < 2:
        return flip_bits(data, chance)
    first, second = sorted(chance.sample(found, 2), key=lambda match: match.start())
    between = data[first.end() : second.start()]
    return data[: first.start()] + second.group() + between + first.group() + data[second.end() :]


def swap_references(data: bytes, chance: random.Random) -> bytes:
    """References that point elsewhere, so that trees turn into loops."""
    numbers = [match.group(1) for match in _REFERENCE.finditer(data)]
    if not numbers:
        return flip_bits(data, chance)
    share = chance.choice((0.02, 0.2, 1.0))
    return _REFERENCE.sub(
        lambda match: chance.choice(numbers) + b" 0 R" if chance.random() < share else match.group(), data
    )


def change_numbers(data: bytes, chance: random.Random) -> bytes:
    """Counts, lengths and sizes that are absurd."""
    absurd = (b"0", b"-1", b"2147483647", b"4294967296", b"99999999999999999999", b"1e308", b"65536")
    share = chance.choice((0.005, 0.05, 0.5))
    return _NUMBER.sub(lambda match: chance.choice(absurd) if chance.random() < share else match.group(), data)


def change_names(data: bytes, chance: random.Random) -> bytes:
    """Keys and types that name something else."""
    names = [match.group() for match in _NAME.finditer(data)]
    if not names:
        return flip_bits(data, chance)
    share = chance.choice((0.02, 0.2))
    return _NAME.sub(lambda match: chance.choice(names) if chance.random() < share else match.group(), data)


def change_streams(data: bytes, chance: random.Random) -> bytes:
    """Streams compressed again and again, cut short, or turned into noise."""

    def changed(match: re.Match[bytes]) -> bytes:
        if chance.random() > 0.3:
            return match.group()
        body = match.group(2)
        body = chance.choice((zlib.compress(body), body[: len(body) // 2], chance.randbytes(len(body)), b""))
        return match.group(1) + body + match.group(3)

    return _STREAM.sub(changed, data)


MUTATIONS: Final[Sequence[Callable[[bytes, random.Random], bytes]]] = (
    flip_bits,
    garble,
    truncate,
    swap_objects,
    swap_references,
    change_numbers,
    change_names,
    change_streams,
)


def pdf_of(objects: Sequence[bytes]) -> bytes:
    """Objects 1, 2, … in a file whose first is the catalogue."""
    body = b"".join(b"%d 0 obj %s endobj\n" % (number, value) for number, value in enumerate(objects, 1))
    return b"%PDF-1.7\n" + body + b"trailer <</Size %d /Root 1 0 R>>\nstartxref\n0\n%%%%EOF" % (len(objects) + 1)


def stream(data: bytes, keys: bytes = b"") -> bytes:
    """A stream object's value."""
    return b"<</Length %d %s>> stream\n%s\nendstream" % (len(data), keys, data)


_FONT: Final = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
_PAGES: Final = b"<</Type/Pages/Count 1/Kids[3 0 R]>>"
_PAGE: Final = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>%s>>>>"
_CATALOG: Final = b"<</Type/Catalog/Pages 2 0 R>>"
_TEXT: Final = b"BT /F1 12 Tf 20 200 Td (annual leave is twenty days) Tj ET"


def hostile(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Files made to hurt: loops, bombs and giants. Each is small on disk."""
    page, text = _PAGE % b"", stream(_TEXT)
    yield "giant page count", pdf_of([_CATALOG, b"<</Type/Pages/Count 2147483647/Kids[3 0 R]>>", page, text, _FONT])
    yield (
        "one page a hundred thousand times",
        pdf_of([_CATALOG, b"<</Type/Pages/Count 100000/Kids[" + b"3 0 R " * 100_000 + b"]>>", page, text, _FONT]),
    )
    yield "a page tree that is its own child", pdf_of([_CATALOG, b"<</Type/Pages/Count 9/Kids[2 0 R]>>"])
    deep = [b"<</Type/Pages/Count 1/Kids[%d 0 R]>>" % (i + 3) for i in range(5_000)]
    yield "a page tree five thousand deep", pdf_of([_CATALOG, *deep, page])
    form = stream(b"/X1 Do /X1 Do", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X1 6 0 R>>>>")
    yield (
        "a form that draws itself twice",
        pdf_of([_CATALOG, _PAGES, _PAGE % b"/XObject<</X1 6 0 R>>", stream(_TEXT + b" /X1 Do"), _FONT, form]),
    )
    forms = [
        stream(
            b"/X1 Do /X1 Do",
            b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X1 %d 0 R>>>>" % (7 + i),
        )
        for i in range(24)
    ]
    last = stream(b"0 0 9 9 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    yield (
        "forms that double twenty-four times",
        pdf_of([_CATALOG, _PAGES, _PAGE % b"/XObject<</X1 6 0 R>>", stream(b"/X1 Do"), _FONT, *forms, last]),
    )
    bomb = zlib.compress(zlib.compress(bytes(200_000_000), 9), 9)
    yield (
        "a stream of 200 MB compressed twice",
        pdf_of([_CATALOG, _PAGES, page, stream(bomb, b"/Filter[/FlateDecode/FlateDecode]"), _FONT]),
    )
    chain = b"/Filter[" + b"/ASCIIHexDecode" * 10_000 + b"]"
    yield "a stream with ten thousand filters", pdf_of([_CATALOG, _PAGES, page, stream(b"00" * 100, chain), _FONT])
    yield (
        "an array a hundred thousand deep",
        pdf_of([_CATALOG, _PAGES, page, stream(b"[" * 100_000 + b"]" * 100_000 + b" TJ"), _FONT]),
    )
    yield (
        "a dictionary a hundred thousand deep",
        pdf_of([b"<</Pages 2 0 R/A" + b"<</A" * 100_000 + b" 1" + b">>" * 100_000 + b">>", _PAGES, page, text, _FONT]),
    )
    yield (
        "saved states without end",
        pdf_of([_CATALOG, _PAGES, page, stream(b"q " * 500_000 + _TEXT), _FONT]),
    )
    yield (
        "an outline that loops",
        pdf_of(
            [
                b"<</Type/Catalog/Pages 2 0 R/Outlines 6 0 R>>",
                _PAGES,
                page,
                text,
                _FONT,
                b"<</First 7 0 R/Last 7 0 R/Count 1>>",
                b"<</Title(one)/Parent 6 0 R/Next 7 0 R/First 6 0 R/Last 7 0 R/Dest[3 0 R/Fit]>>",
            ]
        ),
    )
    huge = b"/MediaBox[0 0 1e30 1e30]"
    yield "a page of astronomical size", pdf_of([_CATALOG, _PAGES, page.replace(b"/MediaBox[0 0 300 300]", huge), text])
    lines = b" ".join(b"%d 10 m %d 290 l S 10 %d m 290 %d l S" % (i, i, i, i) for i in range(300))
    yield (
        "a grid of ninety thousand cells",
        pdf_of([_CATALOG, _PAGES, page, stream(lines + b" " + _TEXT), _FONT]),
    )
    rules = b" ".join(b"%d %d m %d %d l S" % tuple(chance.randrange(300) for _ in range(4)) for _ in range(60_000))
    yield "sixty thousand lines", pdf_of([_CATALOG, _PAGES, page, stream(rules + b" " + _TEXT), _FONT])
    one_spot = b"BT /F1 12 Tf 1 0 0 1 20 200 Tm " + b"(a) Tj 1 0 0 1 20 200 Tm " * 50_000 + b"ET"
    yield "fifty thousand letters on one spot", pdf_of([_CATALOG, _PAGES, page, stream(one_spot), _FONT])
    scattered = b"".join(
        b"1 0 0 1 %d %d Tm (ab) Tj " % (chance.randrange(300), chance.randrange(300)) for _ in range(30_000)
    )
    yield (
        "thirty thousand scattered words",
        pdf_of([_CATALOG, _PAGES, page, stream(b"BT /F1 1 Tf " + scattered + b"ET"), _FONT]),
    )
    loop = pdf_of([_CATALOG, _PAGES, page, text, _FONT])
    yield (
        "a cross-reference table that is its own predecessor",
        loop.replace(
            b"trailer <<", b"xref\n0 1\n0000000000 65535 f \ntrailer <</Prev %d " % loop.index(b"trailer")
        ).replace(b"startxref\n0", b"startxref\n%d" % loop.index(b"trailer")),
    )
    packed = stream(b"1 0 2 10 <</Type/Catalog/Pages 2 0 R>>", b"/Type/ObjStm/N 2/First 8/Extends 6 0 R")
    yield "an object stream that extends itself", pdf_of([_CATALOG, _PAGES, page, text, _FONT, packed])


def mutated(bases: Sequence[bytes], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """``count`` files with what was done to each: all hostile ones first, then mutations, some of them twice."""
    chance = random.Random(seed)
    given = 0
    for name, data in hostile(chance):
        if given == count:
            return
        yield name, data
        given += 1
    while given < count:
        data = chance.choice(bases)
        kinds = [chance.choice(MUTATIONS) for _ in range(chance.choice((1, 1, 2)))]
        for kind in kinds:
            data = kind(data, chance)
        yield ", ".join(kind.__name__ for kind in kinds), data
        given += 1
