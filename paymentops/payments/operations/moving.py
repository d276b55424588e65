"""Saving a move: the row, its version, the transition with its cause, and the event that tells of it."""

from datetime import datetime
from typing import Any, Final

from paymentops.core import ids, tracing
from paymentops.core.money import Money
from paymentops.events import operations as events
from paymentops.payments import event_data
from paymentops.payments.models import (
    Attempt,
    AttemptTransition,
    Cause,
    Payment,
    PaymentTransition,
    Refund,
    RefundTransition,
)
from paymentops.payments.states import AttemptState

_PAYMENT_FIELDS: Final = [
    "state", "version", "resume_state", "authorized", "captured", "voided", "reversed", "refunded", "refund_reserved",
    "returned", "disputed", "charged_back", "failure_class", "failure_code", "failure_message", "next_action",
    "cancel_requested_at", "updated_at", "expires_at", "moved_to",
]  # fmt: skip
_ATTEMPT_FIELDS: Final = [
    "state", "version", "fence", "lease_expires_at", "next_action_at", "schedule", "dispatches", "inquiries",
    "completions", "withdrawals",
    "first_dispatched_at", "last_dispatched_at", "was_unknown", "unknown_since", "not_found_at", "provider_reference",
    "alarms", "result_code", "result_class", "result_message", "scheme", "instrument", "reversed",
]  # fmt: skip
_REFUND_FIELDS: Final = [
    "state", "version", "failure_code", "failure_message", "reversed", "from_returned", "updated_at",
]  # fmt: skip
# In these, what a payer brought back may still have to be handed in, once more.
_MAY_BE_RESUMED: Final = (AttemptState.ACTION_REQUIRED, AttemptState.UNKNOWN)


def save_payment_moved(
    payment: Payment,
    *,
    before: str,
    cause: Cause,
    occurred_at: datetime,
    now: datetime,
    extra: dict[str, Any] | None = None,
) -> None:
    """Save a payment whose state has moved: version + 1, one transition, one event. The row is locked by the caller."""
    save_payment_changed(payment, now=now)
    PaymentTransition.objects.create(
        payment=payment, **_move(payment, before=before, cause=cause, occurred_at=occurred_at, now=now)
    )
    events.record(
        aggregate_type="payment",
        aggregate_id=payment.id,
        sequence=payment.version,
        type=event_data.payment_event_type(payment.state),
        data=event_data.payment(payment) | (extra or {}),
        occurred_at=occurred_at,
        now=now,
    )


def save_payment_changed(payment: Payment, *, now: datetime) -> None:
    """Save a payment whose amounts or notes have changed while its state has not: version + 1."""
    payment.version += 1
    payment.updated_at = now
    payment.save(update_fields=_PAYMENT_FIELDS)


def tell_late_evidence(
    payment: Payment, attempt: Attempt, *, amount: Money, applied: bool, occurred_at: datetime, now: datetime
) -> None:
    """Tell of a yes that came after a no was believed, and whether there was room for it.

    The evidence is an aggregate of its own: it may move nothing, and every event of a payment tells of a move.
    """
    events.record(
        aggregate_type="evidence",
        aggregate_id=ids.new(now),
        sequence=1,
        type="payment.late_evidence",
        data=event_data.payment(payment)
        | {
            "attempt": attempt.public_id,
            "operation": str(attempt.operation),
            "evidence_amount": str(amount.minor),
            "applied": applied,
        },
        occurred_at=occurred_at,
        now=now,
    )


def tell_capture_reversed(
    payment: Payment, attempt: Attempt, *, amount: Money, code: str, occurred_at: datetime, now: datetime
) -> None:
    """Tell that a capture was taken back, at the payment's present version; ``overdrawn`` is what is missing now."""
    events.record(
        aggregate_type="payment",
        aggregate_id=payment.id,
        sequence=payment.version,
        type="payment.capture_reversed",
        data=event_data.payment(payment)
        | {
            "attempt": attempt.public_id,
            "taken_back": str(amount.minor),
            "reason": code,
            "overdrawn": str(payment.overdrawn),
        },
        occurred_at=occurred_at,
        now=now,
    )


def save_attempt_moved(attempt: Attempt, *, before: str, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    """Save an attempt whose state has moved: version + 1 and one transition.

    What its payer brought back is erased as soon as it is of no more use.
    """
    if before in _MAY_BE_RESUMED and attempt.state not in _MAY_BE_RESUMED:
        attempt.resumptions.forget(now=now)
    attempt.version += 1
    attempt.save(update_fields=_ATTEMPT_FIELDS)
    AttemptTransition.objects.create(
        attempt=attempt, **_move(attempt, before=before, cause=cause, occurred_at=occurred_at, now=now)
    )


def save_attempt_changed(attempt: Attempt) -> None:
    """Save an attempt of which a part was taken back, while its state has not changed."""
    attempt.save(update_fields=["reversed"])


def save_attempt_rescheduled(attempt: Attempt) -> None:
    """Save an attempt whose schedule has changed while its state has not."""
    attempt.save(update_fields=_ATTEMPT_FIELDS)


def save_refund_moved(refund: Refund, *, before: str, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    """Save a refund whose state has moved: version + 1, one transition, one event."""
    refund.version += 1
    refund.updated_at = now
    refund.save(update_fields=_REFUND_FIELDS)
    record_refund_moved(refund, before=before, cause=cause, occurred_at=occurred_at, now=now)


def save_refund_reversed_in_part(refund: Refund, *, occurred_at: datetime, now: datetime) -> None:
    """Save a refund of which a part came back: version + 1, one event; its state stays."""
    refund.version += 1
    refund.updated_at = now
    refund.save(update_fields=_REFUND_FIELDS)
    events.record(
        aggregate_type="refund",
        aggregate_id=refund.id,
        sequence=refund.version,
        type="refund.reversed_in_part",
        data=event_data.refund(refund),
        occurred_at=occurred_at,
        now=now,
    )


def record_refund_moved(refund: Refund, *, before: str, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    """Write the transition and the event of a refund that was just saved."""
    RefundTransition.objects.create(
        refund=refund, **_move(refund, before=before, cause=cause, occurred_at=occurred_at, now=now)
    )
    events.record(
        aggregate_type="refund",
        aggregate_id=refund.id,
        sequence=refund.version,
        type=f"refund.{refund.state.lower()}",
        data=event_data.refund(refund),
        occurred_at=occurred_at,
        now=now,
    )


def _move(
    subject: Payment | Attempt | Refund, *, before: str, cause: Cause, occurred_at: datetime, now: datetime
) -> dict[str, Any]:
    return {
        "id": ids.new(now),
        "sequence": subject.version,
        "from_state": before,
        "to_state": subject.state,
        "cause": cause.key,
        "actor": cause.actor,
        "reason": cause.reason[:300],
        "occurred_at": occurred_at,
        "recorded_at": now,
        "trace_id": tracing.current_trace_id(),
    }
