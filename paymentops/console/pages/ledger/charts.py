"""A balance over time as a line: one point per day, in units of its drawing."""

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

_STEP: Final = 20
_HEIGHT: Final = 96


@dataclass(frozen=True, slots=True)
class Point:
    """The end of one day: the balance and what the day changed, in minor units, debit positive."""

    day: date
    minor: int
    change: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Days as a line, oldest first; ``zero`` is where the line of nothing runs, ``path`` the points of the drawing."""

    points: tuple[Point, ...]
    path: str
    zero: int
    width: int
    height: int = _HEIGHT


def chart(*, days: list[date], balances: list[int], sign: int) -> Chart:
    """Draw the balances at the end of days.

    Args:
        days: oldest first, at least one.
        balances: in minor units, debit positive; the first is that before the first day.
        sign: -1 to draw credit upwards, else 1.
    """
    steps = zip(days, pairwise(balances), strict=True)
    points = tuple(Point(day, after, after - before) for day, (before, after) in steps)
    drawn = [sign * point.minor for point in points]
    lowest, highest = min(0, *drawn), max(0, *drawn)

    def height(minor: int) -> int:
        return _HEIGHT - 4 - (minor - lowest) * (_HEIGHT - 8) // ((highest - lowest) or 1)

    corners = [f"{number * _STEP},{height(minor)}" for number, minor in enumerate(drawn)]
    # One point alone would be no line.
    path = " ".join(corners if len(corners) > 1 else [*corners, f"{_STEP},{height(drawn[0])}"])
    return Chart(points, path, height(0), width=max(1, len(points) - 1) * _STEP)
