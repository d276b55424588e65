"""Days and moments as operators type them, and as the commands print them."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import CommandError


def add_zone(parser: ArgumentParser) -> None:
    """Take the time zone of days and of printed times."""
    parser.add_argument("--zone", type=_zone, default=ZoneInfo("UTC"), help="whose days and times; default UTC")


def begin(options: Mapping[str, Any], name: str) -> datetime | None:
    """Return the first moment of the day an option names, or the moment itself.

    Raises:
        CommandError: it is neither a day nor a moment with an offset.
    """
    return _moment(options[name], options["zone"], whole_day=timedelta())


def end(options: Mapping[str, Any], name: str) -> datetime | None:
    """Return the last moment of the day an option names, or the moment itself; see ``begin``."""
    # PostgreSQL keeps microseconds, so this is the last moment of the day.
    return _moment(options[name], options["zone"], whole_day=timedelta(days=1))


def shown(moment: datetime | None, zone: ZoneInfo) -> str:
    """Write a moment to the second with its offset."""
    return "" if moment is None else moment.astimezone(zone).isoformat(sep=" ", timespec="seconds")


def _moment(text: str | None, zone: ZoneInfo, *, whole_day: timedelta) -> datetime | None:
    if text is None:
        return None
    try:
        if len(text) == len("2026-01-31"):
            following = datetime.combine(date.fromisoformat(text) + whole_day, time(), tzinfo=zone)
            return following - timedelta.resolution if whole_day else following
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        raise CommandError(f"{text!r} is neither a day (2026-01-31) nor a moment (2026-01-31T12:00+01:00).") from error
    if moment.tzinfo is None:
        raise CommandError(f"{text!r} needs an offset, for example {text}+00:00.")
    return moment


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ArgumentTypeError(f"{text!r} is not a time zone; write for example Europe/Berlin") from error
