"""Telling what happened, in the transaction in which it happens."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from paymentops.core import ids, tracing
from paymentops.events.models import OutboxEvent


class NotInTransaction(RuntimeError):
    """An event was recorded outside the transaction of the change it tells about: a programming mistake."""


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

    The acceptance of payments writes the same row in its own statement (``payments.intake_sql``).

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
    return OutboxEvent.objects.create(
        id=ids.new(now),
        aggregate_type=aggregate_type,
        aggregate_id=aggregate_id,
        sequence=sequence,
        type=type,
        data=data,
        occurred_at=occurred_at,
        recorded_at=now,
        traceparent=tracing.current_traceparent(),
        publication_pending=bool(settings.KAFKA_BOOTSTRAP_SERVERS),
    )
