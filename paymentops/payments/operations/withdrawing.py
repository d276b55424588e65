"""Ends and losses that do not come from a provider's answer: withdrawn, lapsed, or out of sight.

Every function works on a payment and an attempt that the caller has locked, inside the caller's transaction.
"""

from datetime import datetime

from paymentops.payments import retry
from paymentops.payments.models import Attempt, Cause, Payment
from paymentops.payments.operations import moving
from paymentops.payments.states import AttemptState, PaymentState
from paymentops.providers import registry

_LOSABLE = (
    PaymentState.PROCESSING,
    PaymentState.REQUIRES_ACTION,
    PaymentState.AUTHORIZED,
    PaymentState.PARTIALLY_CAPTURED,
)


def cancel_unsent(payment: Payment, attempt: Attempt, *, cause: Cause, now: datetime) -> None:
    """Cancel a payment whose authorisation provably never left."""
    _cancel_attempt(attempt, cause=cause, now=now)
    before = payment.state
    payment.cancel()
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=now, now=now)


def expire_unsent(payment: Payment, attempt: Attempt, *, now: datetime) -> None:
    """Expire a payment that could not be sent in time; nothing left us, so nothing can have been charged."""
    cause = Cause("expiry", attempt.public_id, reason="It could not be sent before it expired.")
    _cancel_attempt(attempt, cause=cause, now=now)
    before = payment.state
    payment.expire_unauthorized()
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=now, now=now)


def lapse(payment: Payment, attempt: Attempt, *, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    """Expire a payment whose authorisation ran out at the provider before anything was moved."""
    before = attempt.state
    if attempt.state == AttemptState.DISPATCHED:
        # It answers a request that was just sent, so by the table of moves it is a no like any other.
        attempt.decline(provider_reference="")
    else:
        attempt.expire()
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=occurred_at, now=now)
    before = payment.state
    payment.expire_unauthorized()
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=occurred_at, now=now)


def take_back(payment: Payment, attempt: Attempt, *, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    """Cancel a payment whose authorisation was taken back at the provider before anything was moved."""
    before = attempt.state
    if attempt.state == AttemptState.DISPATCHED:
        # As in ``lapse``.
        attempt.decline(provider_reference="")
    else:
        attempt.cancel()
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=occurred_at, now=now)
    before = payment.state
    payment.cancel()
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=occurred_at, now=now)


def lose_sight(payment: Payment, attempt: Attempt, *, cause: Cause, now: datetime) -> None:
    """Note that an attempt may or may not have happened, and plan the first inquiry, or the next resend."""
    before = attempt.state
    attempt.lose_sight(now=now)
    capabilities = registry.get(attempt.provider).capabilities
    schedule = capabilities.inquiry_schedule
    if capabilities.can_inquire:
        planned = retry.next_inquiry(schedule=schedule, asked=0, now=now)
    else:
        planned = retry.next_resend(schedule=schedule, sends=attempt.dispatches, now=now)
    attempt.lease_expires_at = None
    attempt.next_action_at = planned.at
    attempt.schedule = planned.inputs
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=now, now=now)
    if attempt.refund is not None:
        refund = attempt.refund
        before = refund.state
        refund.lose_sight()
        moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=now, now=now)
    elif payment.state in _LOSABLE:
        before = payment.state
        payment.lose_sight()
        moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=now, now=now)


def _cancel_attempt(attempt: Attempt, *, cause: Cause, now: datetime) -> None:
    before = attempt.state
    attempt.cancel()
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=now, now=now)
