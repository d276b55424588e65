"""Dates and moments as files write them. An impossible day is unreadable, never the nearest possible one."""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from reconciliation.formats.contract import Unreadable

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ][0-9:.]{5,18})?(?:Z|[+-]\d{2}:?\d{2})?", re.ASCII)
_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2199
# Two-digit years: 80 to 99 lie in the last century.
_PIVOT: Final = 80
# An entry date without a year that lies further than this from the value date belongs to the year before or after.
_HALF_A_YEAR: Final = timedelta(days=183)


@lru_cache(maxsize=4096)
def day(text: str, pattern: str) -> date:
    """Read a day by a ``strptime`` pattern; files repeat few days, so answers are remembered.

    Raises:
        Unreadable: it does not fit the pattern or is no day of the calendar.
    """
    return _parsed(text, pattern).date()


def optional_day(text: str, pattern: str) -> date | None:
    """Read a day, or ``None`` where the field is blank or filled with zeros."""
    return day(text.strip(), pattern) if text.strip(" 0") else None


def moment(text: str, pattern: str, zone: ZoneInfo) -> datetime:
    """Read a moment by a ``strptime`` pattern, in ``zone`` unless it carries an offset; the answer is in UTC.

    Raises:
        Unreadable: it does not fit the pattern or is no moment of the calendar.
    """
    return in_utc(_parsed(text, pattern), zone)


def iso_moment(text: str, zone: ZoneInfo) -> datetime:
    """Read an ISO 8601 moment (``2026-01-30 10:11:12`` or ``2026-01-30T10:11:12.5+01:00``); the answer is in UTC."""
    try:
        parsed = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise Unreadable(f"{text[:40]!r} is not a date and time.") from error
    return in_utc(_in_range(parsed, text), zone)


def iso_day(text: str) -> date:
    """Read ``2026-01-30``; a time or zone behind it, as XML allows, is left aside (the day is the bank's).

    Raises:
        Unreadable: it is not of that form or no day of the calendar.
    """
    stripped = text.strip()
    if not _ISO_DAY.fullmatch(stripped):
        raise Unreadable(f"{text[:40]!r} is not a date of the form YYYY-MM-DD.")
    return day(stripped[:10], "%Y-%m-%d")


def short_day(text: str) -> date:
    """Read YYMMDD.

    Raises:
        Unreadable: it is not six digits or no day of the calendar.
    """
    stripped = text.strip()
    if len(stripped) != 6 or not (stripped.isascii() and stripped.isdigit()):
        raise Unreadable(f"{text[:20]!r} is not a date of the form YYMMDD.")
    century = 1900 if int(stripped[:2]) >= _PIVOT else 2000
    return day(f"{century + int(stripped[:2])}{stripped[2:]}", "%Y%m%d")


def near(month: int, day_of_month: int, known: date) -> date:
    """Return the day of this month and day that lies nearest to ``known``: an entry date comes without a year.

    Raises:
        Unreadable: no such day near it.
    """
    candidates = [_maybe(known.year + shift, month, day_of_month) for shift in (-1, 0, 1)]
    close = [found for found in candidates if found is not None and abs(found - known) <= _HALF_A_YEAR]
    if not close:
        raise Unreadable(f"Day {day_of_month} of month {month} does not exist near {known}.")
    return min(close, key=lambda found: abs(found - known))


def in_utc(parsed: datetime, zone: tzinfo) -> datetime:
    """Return the moment in UTC; without an offset of its own it is local time of ``zone``."""
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=zone)).astimezone(UTC)


def _maybe(year: int, month: int, day_of_month: int) -> date | None:
    try:
        return date(year, month, day_of_month)
    except ValueError:
        return None


def _parsed(text: str, pattern: str) -> datetime:
    try:
        parsed = datetime.strptime(text, pattern)  # noqa: DTZ007 - the zone is given by the source, or in the pattern
    except ValueError as error:
        raise Unreadable(f"{text[:40]!r} is not a date as {pattern} writes them.") from error
    return _in_range(parsed, text)


def _in_range(parsed: datetime, text: str) -> datetime:
    if not _FIRST_YEAR <= parsed.year <= _LAST_YEAR:
        raise Unreadable(f"{text[:40]!r} lies outside the years {_FIRST_YEAR} to {_LAST_YEAR}.")
    return parsed
