"""Money that a payer sent beyond what was asked for (SEMANTICS section 2: evidence is never refused).

By card, nothing but what was asked for can be taken, and another amount is an answer nobody can act on. A payer who
sends the money decides the amount, and may send it twice. What is beyond is owed back to the payer: it never counts
in the payment's amounts. Payment and attempt are locked; the caller's transaction is open.
"""

from datetime import datetime
from typing import Final

from paymentops.core.money import Money
from paymentops.events import operations as events
from paymentops.payments import event_data
from paymentops.payments.models import Attempt, Payment
from paymentops.payments.operations import books, moving
from paymentops.payments.states import SUCCESSFUL_ATTEMPT_STATES
from paymentops.providers.contract import Approved, Method, Operation

# What a call is kept as whose whole amount is beyond what was asked for.
OUTCOME: Final = "Excess"
SENT_BY_PAYER: Final = frozenset({Method.PIX, Method.BANK_TRANSFER})


def beyond(payment: Payment, attempt: Attempt, outcome: Approved) -> Money | None:
    """Return how much more was paid than asked for; ``None`` where it was not more, or nobody could send more."""
    paid = _paid(payment, attempt, outcome)
    if paid is None or paid.minor <= attempt.amount:
        return None
    return paid - attempt.money


def paid_again(payment: Payment, attempt: Attempt, outcome: Approved) -> Money | None:
    """Return what a payer sent for a payment that was paid already; ``None`` for news of the same money."""
    paid = _paid(payment, attempt, outcome)
    is_new = (
        attempt.state in SUCCESSFUL_ATTEMPT_STATES
        and bool(outcome.provider_reference)
        and outcome.provider_reference != attempt.provider_reference
        and not attempt.calls.filter(provider_reference=outcome.provider_reference, outcome=OUTCOME).exists()
    )
    return paid if is_new else None


def record(payment: Payment, amount: Money, *, reference: str, occurred_at: datetime, now: datetime) -> None:
    """Post the excess and tell of it: version + 1. Emits ``payment.excess_recorded``.

    Args:
        payment: what it was paid for.
        amount: what is owed back.
        reference: the provider's id of the money.
        occurred_at: when it was paid.
        now: when we know.
    """
    moving.save_payment_changed(payment, now=now)
    books.surplus_found(payment, amount, occurred_at=occurred_at, now=now)
    events.record(
        aggregate_type="payment",
        aggregate_id=payment.id,
        sequence=payment.version,
        type="payment.excess_recorded",
        data=event_data.payment(payment) | {"excess": str(amount.minor), "provider_reference": reference},
        occurred_at=occurred_at,
        now=now,
    )


def _paid(payment: Payment, attempt: Attempt, outcome: Approved) -> Money | None:
    """Return what a payer sent for an authorisation, in its currency; nobody can send money in another one."""
    sent = payment.method in SENT_BY_PAYER and attempt.operation == Operation.AUTHORIZE
    captured = outcome.captured
    return captured if sent and captured is not None and captured.currency == attempt.currency else None
