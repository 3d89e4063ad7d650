"""Breadcrumbs that say nothing twice."""

from __future__ import annotations

from collections.abc import Sequence


def without_repeats(breadcrumb: Sequence[str]) -> tuple[str, ...]:
    """A breadcrumb without those headings that the next one begins with.

    「모아렌정 10밀리그램」 above 「모아렌정 10밀리그램(모아렌틴염산염)」 says nothing that does not stand there;
    「보험」 above 「보험료」 does.
    """
    following = (*breadcrumb[1:], "")
    return tuple(crumb for crumb, inner in zip(breadcrumb, following, strict=False) if not _begins(inner, crumb))


def _begins(inner: str, crumb: str) -> bool:
    """Whether a heading begins with all the words of another, however they are spaced."""
    letters = "".join(crumb.split())
    at = 0
    for i, char in enumerate(inner):
        if at == len(letters):
            return at > 0 and not (char.isalnum() and inner[i - 1].isalnum())
        if char.isspace():
            continue
        if char != letters[at]:
            return False
        at += 1
    return 0 < at == len(letters)
