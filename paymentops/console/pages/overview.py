"""The overview: a few numbers, each leading to the list that it counts."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.http import HttpRequest

from paymentops.console import formats, queries
from paymentops.console.queries import CapturedDays
from paymentops.core import clock
from paymentops.payments.states import PaymentState

_DAYS: Final = 14
_BAR_STEP: Final = 20
_CHART_HEIGHT: Final = 72


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of a chart, in units of its drawing."""

    day: date
    minor: int
    x: int
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A currency's days as bars; the highest is as high as the drawing."""

    currency: str
    total: int
    best: Bar
    bars: list[Bar]
    width: int = _DAYS * _BAR_STEP
    height: int = _CHART_HEIGHT


def figures(request: HttpRequest) -> dict[str, Any]:
    """Return what the overview shows to a person, as far as they may look at it."""
    now = clock.now()
    midnight = datetime.combine(now.date(), time(), tzinfo=UTC)
    context: dict[str, Any] = {"now": now, "today": now.date(), "first_day": now.date() - timedelta(days=_DAYS - 1)}
    if request.user.has_perm("payments.view_payment"):
        counted = queries.payments_by_state(since=midnight)
        days = queries.captured_per_day(first=midnight - timedelta(days=_DAYS - 1), days=_DAYS)
        context |= {
            "states": [(state.value, counted[state]) for state in PaymentState if state in counted],
            "created_today": sum(counted.values()),
            "doubt": queries.doubt(),
            "charts": [chart(of_currency) for of_currency in days],
        }
    if request.user.has_perm("events.view_outboxevent"):
        lag = queries.outbox_lag()
        context |= {"lag": lag, "lag_duration": formats.duration(now - lag.oldest) if lag.oldest else ""}
    if request.user.has_perm("events.view_deadletter"):
        context["dead_letters"] = queries.open_dead_letters()
    return context


def chart(captured: CapturedDays) -> Chart:
    """Draw one currency's days."""
    highest = max(minor for _, minor in captured.days)
    bars = [
        _bar(number, day, minor, height=-(-minor * _CHART_HEIGHT // highest) if highest else 0)
        for number, (day, minor) in enumerate(captured.days)
    ]
    return Chart(captured.currency, captured.total, max(bars, key=lambda bar: bar.minor), bars)


def _bar(number: int, day: date, minor: int, *, height: int) -> Bar:
    return Bar(day, minor, x=number * _BAR_STEP + 2, y=_CHART_HEIGHT - height, height=height)
