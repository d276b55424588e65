"""Writes of the room ``events``: telling what happened, in the transaction in which it happens."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from paymentops.core import ids, tracing
from paymentops.events.models import OutboxEvent

# The columns an event is born with, in the order of ``OutboxRow.values``; the others are the relay's.
BORN_COLUMNS: Final = (
    "id",
    "aggregate_type",
    "aggregate_id",
    "sequence",
    "type",
    "data",
    "occurred_at",
    "recorded_at",
    "traceparent",
    "delivery_pending",
    "publication_pending",
    "delivery_failures",
    "last_error",
)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row of the outbox as it is born, for ``record`` and for the hot paths that write it with their own SQL."""

    id: UUID
    aggregate_type: str
    aggregate_id: UUID
    sequence: int
    type: str
    data: dict[str, Any]
    occurred_at: datetime
    recorded_at: datetime
    traceparent: str
    delivery_pending: bool
    publication_pending: bool
    delivery_failures: int
    last_error: str

    def values(self) -> tuple[Any, ...]:
        """Return the values for ``BORN_COLUMNS``; ``data`` is JSON text, to be cast to ``jsonb``."""
        return tuple(
            json.dumps(self.data, ensure_ascii=False, separators=(",", ":"))
            if column == "data"
            else getattr(self, column)
            for column in BORN_COLUMNS
        )


class NotInTransaction(RuntimeError):
    """An event was recorded outside the transaction of the change it tells about: a programming mistake."""


def row_for(
    *,
    aggregate_type: str,
    aggregate_id: UUID,
    sequence: int,
    type: str,  # noqa: A002 - the word of CloudEvents
    data: dict[str, Any],
    occurred_at: datetime,
    now: datetime,
) -> OutboxRow:
    """Return the outbox row of an event without writing it; see ``record`` for the arguments."""
    return OutboxRow(
        id=ids.new(now),
        aggregate_type=aggregate_type,
        aggregate_id=aggregate_id,
        sequence=sequence,
        type=type,
        data=data,
        occurred_at=occurred_at,
        recorded_at=now,
        traceparent=tracing.current_traceparent(),
        delivery_pending=True,
        publication_pending=bool(settings.KAFKA_BOOTSTRAP_SERVERS),
        delivery_failures=0,
        last_error="",
    )


def record(
    *,
    aggregate_type: str,
    aggregate_id: UUID,
    sequence: int,
    type: str,  # noqa: A002 - the word of CloudEvents
    data: dict[str, Any],
    occurred_at: datetime,
    now: datetime,
) -> OutboxEvent:
    """Write down that something happened, in the transaction of the change itself.

    Args:
        aggregate_type: what it happened to: ``payment``, ``refund``, ``entry``.
        aggregate_id: the one it happened to; order is kept per aggregate.
        sequence: the aggregate's version after the change; strictly increasing, gaps are allowed.
        type: the event's name without prefix and version: ``payment.captured``.
        data: JSON values; amounts as strings of minor units. No card data, keys or personal data.
        occurred_at: when it really happened.
        now: when it is recorded.

    Raises:
        NotInTransaction: no transaction is open.
        IntegrityError: the aggregate already has an event of this sequence.
    """
    if not transaction.get_connection().in_atomic_block:
        raise NotInTransaction(f"Open a transaction before recording {type}.")
    row = row_for(
        aggregate_type=aggregate_type,
        aggregate_id=aggregate_id,
        sequence=sequence,
        type=type,
        data=data,
        occurred_at=occurred_at,
        now=now,
    )
    return OutboxEvent.objects.create(**{column: getattr(row, column) for column in BORN_COLUMNS})
