"""Moments in queries: RFC 3339 with an offset, or a date alone, and nothing that could be meant otherwise."""

import re
from datetime import UTC, date, datetime, time
from typing import Any, ClassVar, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SCHEMA: Final = {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string", "format": "date"}]}


class _Moment(serializers.Field[datetime, Any, str, Any]):
    """A moment in UTC; a date alone is one end of that day in UTC."""

    default_error_messages = {
        "unreadable": "Write a moment as 2026-01-31T23:59:59Z (RFC 3339, with its offset, at most six decimals; "
        "+ is written %2B in an address), or a date as 2026-01-31.",
        "impossible": "There is no such moment in the calendar.",
    }
    of_day: ClassVar[time]

    def to_internal_value(self, data: Any) -> datetime:
        """Return the moment in UTC."""
        text = data if isinstance(data, str) else ""
        is_date = _DATE.fullmatch(text)
        if not (is_date or _MOMENT.fullmatch(text)):
            self.fail("unreadable")
        try:
            if is_date:
                return datetime.combine(date.fromisoformat(text), self.of_day, UTC)
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("impossible")

    def to_representation(self, value: datetime) -> str:
        """Return the moment as text."""
        return value.isoformat()


@extend_schema_field(_SCHEMA)
class FromMoment(_Moment):
    """The first moment that counts; a date alone is its first."""

    of_day = time.min


@extend_schema_field(_SCHEMA)
class UntilMoment(_Moment):
    """The last moment that counts; a date alone is its last, so that a month's last day is the month's end."""

    of_day = time.max
