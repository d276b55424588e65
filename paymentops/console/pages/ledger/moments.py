"""Moments in the address of a page: each a day or a moment, as somebody typed it."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from django.http import HttpRequest

_A_DAY: Final = len("2026-11-21")
_YEARS: Final = range(1970, 9999)


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands in the address: the text, and what it means; ``None`` for nothing or for something unreadable."""

    typed: str
    moment: datetime | None

    @property
    def is_unreadable(self) -> bool:
        """Whether the text is neither a day nor a moment."""
        return bool(self.typed) and self.moment is None


def start(request: HttpRequest, name: str) -> Asked:
    """Read a day, from its beginning in UTC, or a moment."""
    return _asked(request, name, time())


def end(request: HttpRequest, name: str) -> Asked:
    """Read a day, to its end in UTC, or a moment."""
    return _asked(request, name, time.max)


def _asked(request: HttpRequest, name: str, of_day: time) -> Asked:
    text = request.GET.get(name, "").strip()[:40]
    try:
        if len(text) == _A_DAY:
            moment = datetime.combine(date.fromisoformat(text), of_day, tzinfo=UTC)
        else:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    except ValueError:
        return Asked(text, None)
    return Asked(text, moment.astimezone(UTC) if moment.year in _YEARS else None)
