"""Saving a dispute: the row, its version, the transition with its cause, and the event that tells of it."""

from datetime import datetime
from typing import Any, Final

from paymentops.core import ids, tracing
from paymentops.events import operations as events
from paymentops.payments import event_data
from paymentops.payments.models import Cause, Dispute, DisputeTransition

_FIELDS: Final = [
    "state", "version", "payment", "stage", "method", "amount", "currency", "withheld", "lost", "loss_entry", "counted",
    "excess", "fee", "fee_currency", "reason_code", "reason_class", "evidence", "evidence_due_at", "warned_for",
    "missed_for", "told_at", "updated_at",
]  # fmt: skip


def begun(dispute: Dispute, *, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    """Write the first transition and event of a dispute that was just made; its version stays 1."""
    save(dispute, now=now)
    _written(dispute, before="", cause=cause, occurred_at=occurred_at, now=now)


def moved(dispute: Dispute, *, before: str, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    """Save a dispute whose state has moved: version + 1, one transition, one event."""
    dispute.version += 1
    save(dispute, now=now)
    _written(dispute, before=before, cause=cause, occurred_at=occurred_at, now=now)


def changed(dispute: Dispute, *, now: datetime) -> None:
    """Save a dispute of which more is known or booked: version + 1."""
    dispute.version += 1
    save(dispute, now=now)


def save(dispute: Dispute, *, now: datetime) -> None:
    """Save a dispute as it stands."""
    dispute.updated_at = now
    dispute.save(update_fields=_FIELDS)


def tell(
    dispute: Dispute, event: str, *, occurred_at: datetime, now: datetime, extra: dict[str, Any] | None = None
) -> None:
    """Tell of something about a dispute that is no move: version + 1 and one event."""
    changed(dispute, now=now)
    events.record(
        aggregate_type="dispute",
        aggregate_id=dispute.id,
        sequence=dispute.version,
        type=event,
        data=event_data.dispute(dispute) | (extra or {}),
        occurred_at=occurred_at,
        now=now,
    )


def _written(dispute: Dispute, *, before: str, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    DisputeTransition.objects.create(
        id=ids.new(now),
        dispute=dispute,
        sequence=dispute.version,
        from_state=before,
        to_state=dispute.state,
        cause=cause.key,
        actor=cause.actor,
        reason=cause.reason[:300],
        occurred_at=occurred_at,
        recorded_at=now,
        trace_id=tracing.current_trace_id(),
    )
    events.record(
        aggregate_type="dispute",
        aggregate_id=dispute.id,
        sequence=dispute.version,
        type=event_data.dispute_event_type(dispute.state),
        data=event_data.dispute(dispute),
        occurred_at=occurred_at,
        now=now,
    )
