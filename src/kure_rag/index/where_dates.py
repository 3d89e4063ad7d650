"""Dates as they stand in metadata → moments that compare: ``2024-01-05``, ``2024.1.5``, ``20240105`` and so on.

A moment is microseconds since 1970-01-01 UTC. A text without an offset is taken as UTC, whatever the machine's zone, so
that an index answers alike everywhere.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

_DAY: Final = (
    r"(?:([12]\d{3})([-./])\s?(\d{1,2})\2\s?(\d{1,2})\.?"
    r"|([12]\d{3})(\d\d)(\d\d)"
    r"|([12]\d{3})년\s?(\d{1,2})월\s?(\d{1,2})일)"
)
_TIME: Final = r"(?:[T ]\s?(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|[+-]\d\d:?\d\d)?)?"
_MOMENT: Final = re.compile(_DAY + _TIME, re.ASCII)
_LONGEST: Final = 48  # longer texts are no dates and need not be looked at
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY_LONG: Final = 86_400_000_000

Span = tuple[int, int]


def span_of(value: str | date) -> Span | None:
    """First moment of a date, and the moment after its last: a day is 24 hours long, a moment one microsecond.

    Returns:
        ``None`` for a text that is no date.
    """
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return _day(value)
    if not 8 <= len(value) <= _LONGEST or not value[0].isdecimal():
        return None
    match = _MOMENT.fullmatch(value)
    if match is None:
        return None
    year, month, day = (int(part) for part in match.group(1, 3, 4, 5, 6, 7, 8, 9, 10) if part)
    hour, minute, second, fraction, zone = match.group(11, 12, 13, 14, 15)
    try:
        if hour is None:
            return _day(date(year, month, day))
        micro = int((fraction or "0").ljust(6, "0")[:6])
        naive = datetime(year, month, day, int(hour), int(minute), int(second or 0), micro, tzinfo=UTC)
        return _moment(naive - _offset(zone))
    except (ValueError, OverflowError):  # 2024-02-30, or an offset that leaves the calendar
        return None


def _day(day: date) -> Span:
    start = (day.toordinal() - _EPOCH.toordinal()) * _DAY_LONG
    return start, start + _DAY_LONG


def _moment(moment: datetime) -> Span:
    aware = moment if moment.utcoffset() is not None else moment.replace(tzinfo=UTC)
    start = (aware - _EPOCH) // _MICROSECOND
    return start, start + 1


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return -ahead if zone[0] == "-" else ahead
