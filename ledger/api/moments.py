"""Moments in requests: RFC 3339 with an offset, or a date alone, and nothing that could be meant otherwise."""

import re
from datetime import UTC, date, datetime, time
from typing import Any, ClassVar, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EITHER: Final = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}


@extend_schema_field({"type": "string", "format": "date-time"})
class Moment(serializers.Field[datetime, Any, str, Any]):
    """A moment with its offset, read as UTC."""

    default_error_messages = {
        "unreadable": "Write a moment as 2026-01-31T23:59:59Z: RFC 3339, with its offset, at most six decimals.",
        "impossible": "There is no such moment in the calendar.",
    }
    # What a date alone means; where it is None, it means nothing.
    of_day: ClassVar[time | None] = None

    def to_internal_value(self, data: Any) -> datetime:
        """Return the moment in UTC."""
        text = data if isinstance(data, str) else ""
        is_date = self.of_day is not None and _DATE.fullmatch(text)
        if not (is_date or _MOMENT.fullmatch(text)):
            self.fail("unreadable")
        try:
            if is_date and self.of_day is not None:
                return datetime.combine(date.fromisoformat(text), self.of_day, UTC)
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("impossible")

    def to_representation(self, value: datetime) -> str:
        """Return the moment as text."""
        return value.isoformat()


@extend_schema_field(_EITHER)
class FromMoment(Moment):
    """The first moment that counts; a date alone is its first."""

    default_error_messages = {
        "unreadable": "Write a moment as 2026-01-31T23:59:59Z (RFC 3339, with its offset, at most six decimals; "
        "+ is written %2B in an address), or a date as 2026-01-31.",
    }
    of_day = time.min


@extend_schema_field(_EITHER)
class UntilMoment(FromMoment):
    """The last moment that counts; a date alone is its last, so that a month's last day is the month's end."""

    of_day = time.max
