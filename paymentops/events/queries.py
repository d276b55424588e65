"""Reads of the room ``events``."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.db.models import Count, Max, Min, OuterRef, QuerySet, Subquery

from paymentops.core import ids
from paymentops.core.errors import NotFound
from paymentops.events.models import DeadLetter, OutboxEvent
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


@dataclass(frozen=True, slots=True)
class Trouble:
    """Open dead letters that share one trouble; ``reason`` is that of the newest."""

    fingerprint: str
    source: str
    owner: str
    reason: str
    count: int
    first_at: datetime
    last_at: datetime


def troubles() -> list[Trouble]:
    """Return the open dead letters by what they have in common, the most numerous first, at most 200 kinds."""
    letters = DeadLetter.objects.filter(resolved_at=None)
    newest = letters.filter(fingerprint=OuterRef("fingerprint"), source=OuterRef("source")).order_by("-id")
    rows = (
        letters.order_by()
        .values("fingerprint", "source")
        .annotate(count=Count("pk"), first=Min("created_at"), last=Max("created_at"))
        .annotate(why=Subquery(newest.values("reason")[:1]), who=Subquery(newest.values("owner")[:1]))
        .order_by("-count", "fingerprint")[:200]
    )
    return [
        Trouble(row["fingerprint"], row["source"], row["who"], row["why"], row["count"], row["first"], row["last"])
        for row in rows
    ]


def open_letters(*, fingerprint: str = "", source: str = "", owner: str = "") -> QuerySet[DeadLetter]:
    """Return the open dead letters of a trouble, a source, an owner, or all; oldest first."""
    wanted = {"fingerprint": fingerprint, "source": source, "owner": owner}
    given = {name: value for name, value in wanted.items() if value}
    return DeadLetter.objects.filter(resolved_at=None, **given).order_by("id")


def letter(public_id: str) -> DeadLetter:
    """Return a dead letter.

    Raises:
        NotFound: there is none of this id.
    """
    try:
        found = DeadLetter.objects.filter(pk=ids.parse(ids.Prefix.DEAD_LETTER, public_id)).first()
    except ids.UnreadableId:
        found = None
    if found is None:
        raise NotFound(f"There is no dead letter {public_id[:40]}.")
    return found


def event_by_public_id(public_id: str) -> OutboxEvent:
    """Return an event.

    Raises:
        UnreadableId: the text is not the id of an event.
        OutboxEvent.DoesNotExist: there is no such event.
    """
    return OutboxEvent.objects.get(pk=ids.parse(ids.Prefix.EVENT, public_id))
