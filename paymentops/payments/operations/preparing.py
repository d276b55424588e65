"""Preparing attempts: the row from which any worker can carry the operation out."""

from datetime import datetime
from typing import Any
from uuid import UUID

from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.payments.models import Attempt, Capture, Payment, Refund
from paymentops.payments.retry import Again
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


def prepare_next_authorization(payment: Payment, ended: Attempt, again: Again, *, now: datetime) -> Attempt:
    """Prepare the attempt that follows one that ended with a definitive no: a key of its own, due when planned."""
    return _insert(
        payment,
        Operation.AUTHORIZE,
        payment.money(payment.requested),
        now,
        provider=again.provider,
        next_action_at=again.planned.at,
        schedule=again.planned.inputs,
        number=ended.number + 1,
        decision=again.planned.inputs,
    )


def _prepare(payment: Payment, operation: Operation, amount: Money, now: datetime, **about: Any) -> Attempt:
    return _insert(payment, operation, amount, now, provider=payment.at_provider, next_action_at=now, **about)


def _insert(
    payment: Payment, operation: Operation, amount: Money, now: datetime, *, provider: str, **others: Any
) -> Attempt:
    attempt_id: UUID = ids.new(now)
    limit = registry.get(provider).capabilities.key_length
    return Attempt.objects.create(
        id=attempt_id,
        payment=payment,
        operation=operation,
        provider=provider,
        provider_key=contract.provider_key(attempt_id, limit=limit),
        currency=amount.currency,
        amount=amount.minor,
        created_at=now,
        **others,
    )
