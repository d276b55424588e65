"""The clock, read at the edges only and passed inwards as ``now``."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment in UTC, with time zone."""
    return datetime.now(UTC)
