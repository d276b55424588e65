"""What events say about payments and refunds. Amounts are strings: not every JSON reader keeps whole numbers."""

from typing import Any

from paymentops.core import ids
from paymentops.payments.models import Dispute, Payment, Refund
from paymentops.payments.states import DisputeState


def payment_event_type(state: str) -> str:
    """Return the event type that tells of a payment's new state, for example ``payment.captured``."""
    return f"payment.{state.lower()}"


def created(
    *, public_id: str, amount: int, currency: str, reference: str, provider: str, method: str
) -> dict[str, Any]:
    """Return the data of ``payment.created``."""
    return {
        "id": public_id,
        "state": "CREATED",
        "amount": str(amount),
        "currency": currency,
        "reference": reference,
        "provider": provider,
        "method": method,
    }


def payment(row: Payment) -> dict[str, Any]:
    """Return the data of every later event of a payment."""
    return created(
        public_id=row.public_id,
        amount=row.requested,
        currency=row.currency,
        reference=row.reference,
        provider=row.at_provider,
        method=row.method,
    ) | {
        "state": row.state,
        "authorized": str(row.authorized),
        "captured": str(row.captured),
        "voided": str(row.voided),
        "reversed": str(row.reversed),
        "refunded": str(row.refunded),
        "failure_class": row.failure_class or None,
    }


def refund(row: Refund) -> dict[str, Any]:
    """Return the data of an event of a refund."""
    return {
        "id": row.public_id,
        "payment": ids.public(ids.Prefix.PAYMENT, row.payment_id),
        "state": row.state,
        "amount": str(row.amount),
        "currency": row.currency,
        "reversed": str(row.reversed),
        "failure_code": row.failure_code or None,
    }


def dispute_event_type(state: str) -> str:
    """Return the event type that tells of a dispute's new state, for example ``dispute.opened`` or ``dispute.lost``."""
    return "dispute.opened" if state == DisputeState.OPEN else f"dispute.{state.lower()}"


def dispute(row: Dispute) -> dict[str, Any]:
    """Return the data of an event of a dispute; ``payment`` is ``None`` where we do not know the charge."""
    return {
        "id": row.public_id,
        "payment": ids.public(ids.Prefix.PAYMENT, row.payment_id) if row.payment_id else None,
        "provider": row.provider,
        "provider_reference": row.provider_reference,
        "method": row.method or None,
        "state": row.state,
        "stage": row.stage,
        "amount": str(row.amount),
        "currency": row.currency,
        "withheld": str(row.withheld),
        "lost": str(row.lost),
        "excess": str(row.excess),
        "fee": str(row.fee),
        "fee_currency": row.fee_currency or None,
        "reason_class": row.reason_class,
        "reason_code": row.reason_code or None,
        "evidence": row.evidence,
        "evidence_due_at": row.evidence_due_at.isoformat() if row.evidence_due_at else None,
    }
