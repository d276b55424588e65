"""Reads of the console: the overview's figures and the names behind accounts."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Count, Sum
from django.db.models.functions import TruncDate

from paymentops.access.models import ApiClient
from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.events import queries as events
from paymentops.events.models import DeadLetter, OutboxEvent
from paymentops.payments import queries as payments
from paymentops.payments import redaction
from paymentops.payments.queries import webhooks


@dataclass(frozen=True, slots=True)
class Doubt:
    """What is at stake while outcomes are unknown: payments, and the sum asked for per currency."""

    payments: int
    exposure: list[Money]


@dataclass(frozen=True, slots=True)
class Lag:
    """Events that subscribers have not been told of, and since when the oldest waits."""

    waiting: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class CapturedDays:
    """What was captured of the payments created on each day, in one currency and in minor units."""

    currency: str
    days: list[tuple[date, int]]

    @property
    def total(self) -> int:
        """The sum over all days."""
        return sum(minor for _, minor in self.days)


def payments_by_state(*, since: datetime) -> dict[str, int]:
    """Count the payments created since a moment by their present state."""
    counted = payments.created_between(since=since).order_by().values("state").annotate(number=Count("pk"))
    return {row["state"]: row["number"] for row in counted}


def doubt() -> Doubt:
    """Return what is at stake while outcomes are unknown."""
    sums = payments.unknown_attempts().order_by("currency").values("currency").annotate(sum=Sum("amount"))
    return Doubt(
        payments=payments.with_unknown_outcome().count(),
        exposure=[Money(row["sum"], row["currency"]) for row in sums],
    )


def open_dead_letters() -> int:
    """Count what could not be handled and waits for a person."""
    return DeadLetter.objects.filter(resolved_at=None).count()


def payload_of(letter: DeadLetter) -> str:
    """Return what a dead letter holds, without personal data and secrets; empty where it is gone."""
    kind, _, _ = letter.source.partition(":")
    try:
        if kind == "webhook":
            return redaction.document(webhooks.delivery(letter.reference))
        return json.dumps(events.event_by_public_id(letter.reference).data, ensure_ascii=False, indent=2)
    except (ObjectDoesNotExist, ids.UnreadableId):
        return ""


def outbox_lag() -> Lag:
    """Return how many events wait for the relay, and since when."""
    pending = OutboxEvent.objects.filter(delivery_pending=True)
    oldest = pending.order_by("id").values_list("recorded_at", flat=True).first()
    return Lag(waiting=pending.count(), oldest=oldest)


def captured_per_day(*, first: datetime, days: int) -> list[CapturedDays]:
    """Return what was captured of the payments created on each of ``days`` days from ``first``, a midnight in UTC."""
    sums = (
        payments.created_between(since=first)
        .filter(captured__gt=0)
        .order_by()
        .annotate(day=TruncDate("created_at"))
        .values_list("currency", "day")
        .annotate(sum=Sum("captured"))
    )
    return _by_currency(((currency, day, minor) for currency, day, minor in sums), first=first.date(), days=days)


def _by_currency(sums: Iterable[tuple[str, date, int]], *, first: date, days: int) -> list[CapturedDays]:
    found: dict[str, dict[date, int]] = {}
    for currency, day, minor in sums:
        found.setdefault(currency, {})[day] = minor
    calendar = [first + timedelta(days=number) for number in range(days)]
    return [
        CapturedDays(currency, [(day, by_day.get(day, 0)) for day in calendar])
        for currency, by_day in sorted(found.items())
    ]


def client_names(codes: Iterable[str]) -> dict[str, str]:
    """Return the names of the API clients that account codes such as ``2010:cli_…`` belong to, by public id."""
    parts = {code.partition(":")[2] for code in codes}
    return {client.public_id: client.name for client in ApiClient.objects.all() if client.public_id in parts}
