"""How long one call to a provider may take."""

from datetime import datetime, timedelta


def seconds_left(*, now: datetime, deadline: datetime, limit: timedelta) -> float:
    """Return the seconds a call may take: up to ``limit``, never past ``deadline``; zero or less means do not call."""
    return min(limit, deadline - now).total_seconds()
