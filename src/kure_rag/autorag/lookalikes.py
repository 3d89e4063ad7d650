"""Characters that AutoRAG would rewrite, and the look-alikes that stand for them in an export.

AutoRAG 0.3.27 passes every passage through ``emoji.demojize``: ``▶ 신청 방법`` becomes ``:play_button: 신청 방법``, and
a variation selector does not protect a character, it is dropped. No spelling of the same code point survives, so an
export writes a look-alike that is no emoji, and notes what stood there for the way back. Characters without a
look-alike of the same meaning, such as ♨ or 😀, stay, and AutoRAG puts their names in their place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

_PAIRS: Final = (
    "©ⓒ ®ⓡ ℹⓘ Ⓜⓜ ↔⟷ ↕⇳ ↖⬉ ↗⬈ ↘⬊ ↙⬋ ▪■ ▫□ ▶► ◀◄ ◻□ ◼■ ◽□ ◾■ ☀☼ ☎☏ ☝☞ ☺☻ ♠♤ ♣♧ ♥♡ ♦♢ ⚪○ ⚫● ✂✄ ✅✓ ✏✎ ✒✑ ✔✓ ✖✕ "
    "✳✱ ✴✦ ❄❅ ❇❈ ❌✗ ❎✗ ❓? ❔? ❕! ❗! ❤♡ ➕+ ➖- ➗÷ ➡→ ⬅← ⬆↑ ⬇↓ ⬛■ ⬜□ ⭐★ ⭕○ 〰〜"
)
LOOKALIKES: Final[dict[str, str]] = {
    **{pair[0]: pair[1] for pair in _PAIRS.split(" ")},
    "™": "ᵀᴹ",
    "‼": "!!",
    "⁉": "!?",
    "☑": "[✓]",
    "⚠": "(!)",
    "㊗": "(祝)",
    "㊙": "(秘)",
    **{f"{i}\u20e3": "⓪①②③④⑤⑥⑦⑧⑨"[i] for i in range(10)},  # a digit in a key
}
_SELECTORS: Final = "\ufe0e\ufe0f"
_FOUND: Final = re.compile(
    rf"[0-9][{_SELECTORS}]?\u20e3|[{re.escape(''.join(key for key in LOOKALIKES if len(key) == 1))}][{_SELECTORS}]?"
    rf"|[{_SELECTORS}]"
)


@dataclass(frozen=True, slots=True)
class Replaced:
    """One character that was written otherwise.

    Attributes:
        start: Offset of its look-alike in the written text.
        end: Offset after it.
        original: What stood there.
    """

    start: int
    end: int
    original: str

    def to_json(self) -> list[Any]:
        """As JSON holds it."""
        return [self.start, self.end, self.original]


def keep_safe(text: str) -> tuple[str, list[Replaced]]:
    """A text that AutoRAG leaves as it is, apart from characters without a look-alike, and what was replaced."""
    parts: list[str] = []
    replaced: list[Replaced] = []
    at = written = 0
    for match in _FOUND.finditer(text):
        plain, other = text[at : match.start()], _lookalike(match.group())
        start = written + len(plain)
        written, at = start + len(other), match.end()
        parts += (plain, other)
        replaced.append(Replaced(start, written, match.group()))
    parts.append(text[at:])
    return "".join(parts), replaced


def restore(text: str, replaced: Sequence[Replaced]) -> str:
    """The text that :func:`keep_safe` was given.

    A text that was changed since is given back as it is: its offsets are no longer those of the notes.
    """
    if any(text[item.start : item.end] != _lookalike(item.original) for item in replaced):
        return text
    return "".join(_restored(text, replaced))


def from_json(value: object) -> list[Replaced]:
    """Notes as :meth:`Replaced.to_json` wrote them; whatever else stands there gives none."""
    if not isinstance(value, list):
        return []
    found: list[Replaced] = []
    for item in value:
        match item:
            case [int(start), int(end), str(original)] if (found[-1].end if found else 0) <= start <= end:
                found.append(Replaced(start, end, original))
            case _:
                return []
    return found


def _restored(text: str, replaced: Sequence[Replaced]) -> Iterator[str]:
    at = 0
    for item in replaced:
        yield text[at : item.start]
        yield item.original
        at = item.end
    yield text[at:]


def _lookalike(original: str) -> str:
    return LOOKALIKES.get(original.translate(dict.fromkeys(map(ord, _SELECTORS))), "")
