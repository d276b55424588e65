"""What services read: the acceptance bodies, which never change, and the present representation.

An acceptance body is a pure function of columns that never change and of the contract version, so a replay is equal
byte for byte, for ever. The names in metadata are sorted, because the database does not keep their order.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from paymentops.core import ids
from paymentops.payments.models import (
    Attempt,
    Cancellation,
    Capture,
    Dispute,
    Payment,
    ProviderCall,
    Refund,
    Resumption,
)
from paymentops.payments.queries.ambiguity import Ambiguous, Exposure
from paymentops.payments.states import AttemptState, PaymentState, RefundState

# Made once: the standard library's function makes a new encoder for every call with options.
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def to_bytes(body: Mapping[str, Any]) -> bytes:
    """Write a body as JSON, its names in the order given."""
    return _ENCODER.encode(body).encode()


def moment(at: datetime) -> str:
    """Write a moment as RFC 3339 in UTC, always with six decimals."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def payment_id(value: UUID) -> str:
    """Write a payment's id the way services see it."""
    return ids.public(ids.Prefix.PAYMENT, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedPayment:
    """The columns of a payment that never change after its acceptance."""

    id: UUID
    requested: int
    currency: str
    method: str
    provider: str
    reference: str
    customer_reference: str
    capture_mode: str
    metadata: Mapping[str, str]
    created_at: datetime

    def body(self) -> bytes:
        """Return the acceptance body of contract version 1."""
        return to_bytes(
            {
                "id": payment_id(self.id),
                "state": PaymentState.CREATED.value,
                **_wish(self),
                "amounts": _amounts(0, 0, 0, 0, 0),
                "failure": None,
                "next_action": None,
                "cancel_requested_at": None,
                "created_at": moment(self.created_at),
                "version": 1,
            }
        )


def payment(row: Payment) -> dict[str, Any]:
    """Return the present representation of a payment."""
    failure = None
    if row.failure_class:
        failure = {"class": row.failure_class, "code": row.failure_code, "message": row.failure_message}
    return {
        "id": payment_id(row.id),
        "state": row.state,
        **_wish(row),
        "provider": row.at_provider,
        "amounts": _amounts(row.authorized, row.captured, row.voided, row.refunded, row.disputed)
        | {"reversed": row.reversed},
        "failure": failure,
        "next_action": row.next_action,
        "cancel_requested_at": moment(row.cancel_requested_at) if row.cancel_requested_at else None,
        "created_at": moment(row.created_at),
        "version": row.version,
    }


def accepted_capture(row: Capture) -> dict[str, Any]:
    """Return the acceptance body of a capture."""
    return _capture(row, state=AttemptState.PREPARED)


def capture(row: Capture, *, latest: Attempt | None) -> dict[str, Any]:
    """Return a capture with the state of its latest attempt."""
    state = AttemptState(latest.state) if latest else AttemptState.PREPARED
    return _capture(row, state=state) | {"reversed": latest.reversed if latest else 0}


def cancellation(row: Cancellation) -> dict[str, Any]:
    """Return the acceptance body of a cancellation; ``mode`` says how it was taken."""
    return {
        "id": row.public_id,
        "payment": payment_id(row.payment_id),
        "mode": row.mode,
        "created_at": moment(row.created_at),
    }


def resumption(row: Resumption) -> dict[str, Any]:
    """Return the acceptance body of a resumption; ``mode`` says how it was taken."""
    return {
        "id": row.public_id,
        "payment": payment_id(row.payment_id),
        "mode": row.mode,
        "created_at": moment(row.created_at),
    }


def accepted_refund(row: Refund) -> dict[str, Any]:
    """Return the acceptance body of a refund."""
    return _refund(row, state=RefundState.REQUESTED, version=1) | {"failure": None} | _approval(row)


def refund(row: Refund) -> dict[str, Any]:
    """Return the present representation of a refund."""
    failure = {"code": row.failure_code, "message": row.failure_message} if row.failure_code else None
    body = _refund(row, state=RefundState(row.state), version=row.version)
    return body | {"reversed": row.reversed, "failure": failure} | _approval(row)


def exposure(row: Exposure) -> dict[str, Any]:
    """Return what unknown outcomes put at stake in one currency."""
    return {"amount": row.amount.minor, "currency": row.amount.currency, "attempts": row.attempts}


def ambiguous_outcome(found: Ambiguous) -> dict[str, Any]:
    """Return an attempt with the verdict on it."""
    attempt, verdict = found.attempt, found.verdict
    return {
        "id": attempt.public_id,
        "payment": attempt.payment.public_id,
        "refund": attempt.refund.public_id if attempt.refund is not None else None,
        "operation": str(attempt.operation),
        "state": str(attempt.state),
        "provider": attempt.provider,
        "amount": attempt.amount,
        "currency": attempt.currency,
        "sent_at": _moment(attempt.first_dispatched_at),
        "age_s": int(found.age.total_seconds()),
        "asked": sum(call.kind == ProviderCall.Kind.INQUIRY for call in found.calls),
        "last_answer": found.calls[-1].outcome if found.calls else None,
        "next_step": verdict.next_step.value,
        "next_at": _moment(verdict.next_at),
        "next_inquiry_at": _moment(verdict.next_inquiry_at),
        "cut_off_at": _moment(found.cut_off_at),
        "decision": found.proposal or None,
        "safe_to_retry": {
            "safe": verdict.safe,
            "reason": verdict.reason.value,
            "sentence": verdict.sentence,
            "would_change": verdict.would_change or None,
        },
    }


def ambiguous_outcome_with_calls(found: Ambiguous) -> dict[str, Any]:
    """Return an attempt with the verdict on it and everything that was asked and answered."""
    return ambiguous_outcome(found) | {"calls": [_call(call) for call in found.calls]}


def _call(call: ProviderCall) -> dict[str, Any]:
    """Return one exchange without its words: those of a decision are people's."""
    return {
        "kind": call.kind,
        "number": call.number,
        "started_at": moment(call.started_at),
        "answered_at": moment(call.answered_at),
        "outcome": call.outcome,
        "code": call.code or None,
        "provider_reference": call.provider_reference or None,
        "applied": call.applied,
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else moment(at)


def dispute(row: Dispute) -> dict[str, Any]:
    """Return the present representation of a dispute of a client's payment."""
    return {
        "id": row.public_id,
        "payment": payment_id(row.payment_id) if row.payment_id else None,
        "provider": row.provider,
        "provider_reference": row.provider_reference,
        "state": row.state,
        "stage": row.stage,
        "is_open": row.is_open,
        "amount": row.amount,
        "currency": row.currency,
        "withheld": row.withheld,
        "lost": row.lost,
        "excess": row.excess,
        "fee": {"amount": row.fee, "currency": row.fee_currency} if row.fee_currency else None,
        "reason": {"class": row.reason_class, "code": row.reason_code or None},
        "evidence": {"state": row.evidence, "due_at": moment(row.evidence_due_at) if row.evidence_due_at else None},
        "opened_at": moment(row.opened_at),
        "version": row.version,
    }


def _wish(row: "AcceptedPayment | Payment") -> dict[str, Any]:
    return {
        "amount": row.requested,
        "currency": row.currency,
        "method": row.method,
        "provider": row.provider,
        "reference": row.reference,
        "customer_reference": row.customer_reference or None,
        "capture": row.capture_mode,
        "metadata": dict(sorted(row.metadata.items())),
    }


def _amounts(authorized: int, captured: int, voided: int, refunded: int, disputed: int) -> dict[str, int]:
    return {
        "authorized": authorized,
        "captured": captured,
        "voided": voided,
        "refunded": refunded,
        "disputed": disputed,
    }


def _capture(row: Capture, *, state: AttemptState) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "payment": payment_id(row.payment_id),
        "amount": row.amount,
        "currency": row.currency,
        "state": state.value,
        "created_at": moment(row.created_at),
    }


def _approval(row: Refund) -> dict[str, Any]:
    """Return why a second person decides, only where one does: earlier answers must stay as they were."""
    return {"approval": {"reason": row.approval}} if row.approval else {}


def _refund(row: Refund, *, state: RefundState, version: int) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "payment": payment_id(row.payment_id),
        "amount": row.amount,
        "currency": row.currency,
        "reason": row.reason or None,
        "state": state.value,
        "version": version,
        "created_at": moment(row.created_at),
    }
