"""Reads of the room ``events``."""

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from django.db.models import QuerySet

from paymentops.core import ids
from paymentops.events.models import OutboxEvent
from paymentops.events.subscribers import Event


def as_event(row: OutboxEvent) -> Event:
    """Return an outbox row as subscribers see it."""
    return Event(
        id=row.public_id,
        type=row.type,
        aggregate_type=row.aggregate_type,
        aggregate_id=row.aggregate_id,
        sequence=row.sequence,
        data=row.data,
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        traceparent=row.traceparent,
    )


def to_deliver(*, now: datetime, limit: int) -> Iterator[list[OutboxEvent]]:
    """Return what is due for delivery, one list per aggregate in the aggregate's order.

    An aggregate with an event that waits for its next try is left out whole: what comes after it waits too. The oldest
    ``limit`` events choose the aggregates, and each aggregate comes with all it has, so that a clock that ran backwards
    between two events cannot turn them round.
    """
    pending = OutboxEvent.objects.filter(delivery_pending=True)
    deferred = pending.filter(next_delivery_at__gt=now).values("aggregate_id")
    return _by_aggregate(pending, pending.exclude(aggregate_id__in=deferred), limit=limit)


def to_publish(*, limit: int) -> Iterator[list[OutboxEvent]]:
    """Return what is to be published, one list per aggregate in the aggregate's order; see ``to_deliver``."""
    pending = OutboxEvent.objects.filter(publication_pending=True)
    return _by_aggregate(pending, pending, limit=limit)


def _by_aggregate(
    pending: QuerySet[OutboxEvent], candidates: QuerySet[OutboxEvent], *, limit: int
) -> Iterator[list[OutboxEvent]]:
    chosen = list(candidates.order_by("id").values_list("aggregate_id", flat=True)[:limit])
    rows = pending.filter(aggregate_id__in=set(chosen)).order_by("aggregate_id", "sequence")
    for _, group in groupby(rows, key=lambda row: row.aggregate_id):
        yield list(group)


def event_by_public_id(public_id: str) -> OutboxEvent:
    """Return an event.

    Raises:
        UnreadableId: the text is not the id of an event.
        OutboxEvent.DoesNotExist: there is no such event.
    """
    return OutboxEvent.objects.get(pk=ids.parse(ids.Prefix.EVENT, public_id))
