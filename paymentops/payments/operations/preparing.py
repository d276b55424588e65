"""Preparing attempts: the row from which any worker can carry the operation out."""

from datetime import datetime
from uuid import UUID

from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.payments.models import Attempt, Capture, Payment, Refund
from paymentops.providers import contract, registry
from paymentops.providers.contract import Operation


def prepare_capture(payment: Payment, capture: Capture, *, now: datetime) -> Attempt:
    """Prepare the capture's attempt, due at once."""
    return _prepare(payment, Operation.CAPTURE, Money(capture.amount, capture.currency), now, capture=capture)


def prepare_refund(payment: Payment, refund: Refund, *, now: datetime) -> Attempt:
    """Prepare the refund's attempt, due at once."""
    return _prepare(payment, Operation.REFUND, refund.money, now, refund=refund)


def prepare_void(payment: Payment, *, now: datetime) -> Attempt:
    """Prepare the release of all that is still held, due at once."""
    return _prepare(payment, Operation.VOID, payment.money(payment.uncaptured), now)


def _prepare(
    payment: Payment,
    operation: Operation,
    amount: Money,
    now: datetime,
    *,
    capture: Capture | None = None,
    refund: Refund | None = None,
) -> Attempt:
    attempt_id: UUID = ids.new(now)
    limit = registry.get(payment.provider).capabilities.key_length
    return Attempt.objects.create(
        id=attempt_id,
        payment=payment,
        capture=capture,
        refund=refund,
        operation=operation,
        provider=payment.provider,
        provider_key=contract.provider_key(attempt_id, limit=limit),
        currency=amount.currency,
        amount=amount.minor,
        next_action_at=now,
        created_at=now,
    )
