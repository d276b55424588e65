"""Delivering events to subscribers inside this process: in order per aggregate, each effect once.

One relay works at a time. An event goes to each of its subscribers in a transaction of its own, which writes the
inbox row and the effect together. A subscriber that fails makes the event, and what follows in its aggregate, wait for
the next try; after the last try it becomes a dead letter with an owner and the aggregate goes on.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from django.db import connection, transaction

from paymentops.core import failpoints, tracing
from paymentops.core.failpoints import Point
from paymentops.events import queries
from paymentops.events.models import OutboxEvent
from paymentops.events.operations.burial import bury, in_short
from paymentops.events.operations.single import only_one
from paymentops.events.subscribers import Event, Registry, Subscriber, registered

logger = logging.getLogger(__name__)

# How long an event waits after its first, second, … failed try; after one more failure it is a dead letter.
WAITS: Final = tuple(timedelta(seconds=seconds) for seconds in (1, 5, 30, 120, 600))

# Nobody listens to these types, so their order among deliveries means nothing and they go in one statement.
_SKIP_UNWANTED: Final = """
UPDATE events_outboxevent SET delivery_pending = false, delivered_at = %(now)s
 WHERE id IN (SELECT id FROM events_outboxevent
               WHERE delivery_pending AND NOT type = ANY(%(wanted)s)
               ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED)
"""
_REMEMBER: Final = """
INSERT INTO events_inboxentry (consumer, event_id, handled_at) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING
"""


class Outcome(Enum):
    """What became of one event in one run."""

    DELIVERED = auto()
    PUT_OFF = auto()
    BURIED = auto()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one run of the relay did, in events: handled, passed over (nobody listens), put off, given up."""

    delivered: int = 0
    passed_over: int = 0
    put_off: int = 0
    buried: int = 0


def deliver_due(*, now: datetime, limit: int, subscribers: Registry = registered) -> Delivery:
    """Deliver what is due, at most about ``limit`` events to subscribers and ten times as many that nobody wants.

    Returns at once, with nothing done, while another relay works.
    """
    with only_one("events.deliver") as free:
        if not free:
            return Delivery()
        passed_over = _pass_over(now=now, limit=10 * limit, wanted=subscribers.event_types())
        outcomes = [
            outcome
            for rows in list(queries.to_deliver(now=now, limit=limit))
            for outcome in _deliver_aggregate(rows, now=now, subscribers=subscribers)
        ]
        handled = [row.pk for row, outcome in outcomes if outcome is Outcome.DELIVERED]
        failpoints.reach(Point.DELIVERY_BEFORE_MARK)
        OutboxEvent.objects.filter(pk__in=handled).update(delivery_pending=False, delivered_at=now)
        failpoints.reach(Point.DELIVERY_MARKED)
    count = Counter(outcome for _, outcome in outcomes)
    return Delivery(
        delivered=count[Outcome.DELIVERED],
        passed_over=passed_over,
        put_off=count[Outcome.PUT_OFF],
        buried=count[Outcome.BURIED],
    )


def handle_once(*, subscriber: Subscriber, event: Event, now: datetime) -> bool:
    """Let a subscriber handle an event unless it did already; the effect and its inbox row commit together.

    Returns False when the event had been handled before. Whatever the subscriber raises comes through, with nothing
    stored.
    """
    with transaction.atomic(), tracing.continued(event.traceparent):
        with connection.cursor() as cursor:
            cursor.execute(_REMEMBER, [subscriber.name, event.id, now])
            first = bool(cursor.rowcount)
        if first:
            subscriber.handle(event=event, now=now)
            failpoints.reach(Point.DELIVERY_BEFORE_COMMIT)
    return first


def _pass_over(*, now: datetime, limit: int, wanted: list[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_SKIP_UNWANTED, {"now": now, "limit": limit, "wanted": wanted})
        return int(cursor.rowcount)


def _deliver_aggregate(
    rows: list[OutboxEvent], *, now: datetime, subscribers: Registry
) -> Iterator[tuple[OutboxEvent, Outcome]]:
    for row in rows:
        outcome = _deliver(row, now=now, subscribers=subscribers)
        yield row, outcome
        if outcome is Outcome.PUT_OFF:
            return


def _deliver(row: OutboxEvent, *, now: datetime, subscribers: Registry) -> Outcome:
    event = queries.as_event(row)
    failures: list[tuple[Subscriber, Exception]] = []
    for subscriber in subscribers.wanting(event.type):
        # Whatever it raises: one subscriber's defect must not stop the others.
        try:
            handle_once(subscriber=subscriber, event=event, now=now)
        except Exception as error:
            logger.warning("%s could not handle %s %s", subscriber.name, event.type, event.id, exc_info=error)
            failures.append((subscriber, error))
    failpoints.reach(Point.DELIVERY_HANDLED)
    if not failures:
        return Outcome.DELIVERED
    if row.delivery_failures >= len(WAITS):
        _give_up(row, failures, now=now)
        failpoints.reach(Point.DELIVERY_BURIED)
        return Outcome.BURIED
    _put_off(row, failures, now=now)
    failpoints.reach(Point.DELIVERY_PUT_OFF)
    return Outcome.PUT_OFF


def _put_off(row: OutboxEvent, failures: list[tuple[Subscriber, Exception]], *, now: datetime) -> None:
    OutboxEvent.objects.filter(pk=row.pk).update(
        delivery_failures=row.delivery_failures + 1,
        next_delivery_at=now + WAITS[row.delivery_failures],
        last_error="; ".join(f"{subscriber.name}: {in_short(error)}" for subscriber, error in failures),
    )


@transaction.atomic
def _give_up(row: OutboxEvent, failures: list[tuple[Subscriber, Exception]], *, now: datetime) -> None:
    for subscriber, error in failures:
        bury(
            source=subscriber.source,
            reference=row.public_id,
            reason=in_short(error),
            owner=subscriber.owner,
            attempts=row.delivery_failures + 1,
            now=now,
        )
    OutboxEvent.objects.filter(pk=row.pk).update(
        delivery_pending=False, delivered_at=now, delivery_failures=row.delivery_failures + 1, next_delivery_at=None
    )
