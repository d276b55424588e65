"""A yes that came after a no was believed (SEMANTICS section 2, late evidence). Payment and attempt are locked.

Evidence is applied wherever the payment has room for it. What it has no room for is kept as a call that was not
applied, which verification names until somebody resolves it.
"""

from datetime import datetime

from paymentops.payments.models import Attempt, Cause, Payment
from paymentops.payments.models.payment import default_hold
from paymentops.payments.operations import books, concluding, moving, trying
from paymentops.payments.states import PaymentState, RefundState
from paymentops.providers.contract import Approved, Operation


def apply(payment: Payment, attempt: Attempt, outcome: Approved, *, cause: Cause, now: datetime) -> bool:
    """Apply a late yes; tell whether there was room for it. Emits ``payment.late_evidence`` either way."""
    applied = _apply(payment, attempt, outcome, cause=cause, now=now)
    moving.tell_late_evidence(payment, attempt, amount=outcome.amount, applied=applied, occurred_at=outcome.at, now=now)
    return applied


def _apply(payment: Payment, attempt: Attempt, outcome: Approved, *, cause: Cause, now: datetime) -> bool:
    match attempt.operation:
        case Operation.AUTHORIZE if payment.state in (
            PaymentState.FAILED,
            PaymentState.EXPIRED,
            PaymentState.CANCELED,
        ):
            _succeed(attempt, outcome, cause, now)
            _authorized(payment, attempt, outcome, cause, now)
        case Operation.AUTHORIZE if payment.state == PaymentState.PROCESSING and trying.withdraw_next(
            payment, attempt, cause=cause, now=now
        ):
            _succeed(attempt, outcome, cause, now)
            concluding.authorized(payment, attempt, outcome, cause=cause, now=now)
        case Operation.CAPTURE if _can_capture(payment, outcome):
            _succeed(attempt, outcome, cause, now)
            concluding.captured(payment, attempt, outcome, cause=cause, now=now)
        case Operation.VOID if payment.holds and not _busy(payment):
            _succeed(attempt, outcome, cause, now)
            concluding.voided(payment, outcome, cause=cause, now=now)
        case Operation.REFUND if payment.refundable >= attempt.amount:
            _succeed(attempt, outcome, cause, now)
            _refunded(payment, attempt, outcome, cause, now)
        case _:
            return False
    concluding.carry_out_noted_cancel(payment, now)
    return True


def _can_capture(payment: Payment, outcome: Approved) -> bool:
    if payment.holds:
        return outcome.amount.minor <= payment.uncaptured and not _busy(payment)
    return payment.state in (PaymentState.VOIDED, PaymentState.EXPIRED)


def _busy(payment: Payment) -> bool:
    """Tell whether another operation is on its way, which counts on what is held."""
    return payment.attempts.open().exclude(operation=Operation.REFUND).exists()


def _succeed(attempt: Attempt, outcome: Approved, cause: Cause, now: datetime) -> None:
    before = attempt.state
    attempt.accept_late_success(provider_reference=outcome.provider_reference)
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=outcome.at, now=now)


def _authorized(payment: Payment, attempt: Attempt, outcome: Approved, cause: Cause, now: datetime) -> None:
    before = payment.state
    payment.move_to(attempt.provider)
    if outcome.captured is not None:
        payment.accept_late_capture(amount=outcome.captured)
        books.late_capture(payment, outcome.captured, occurred_at=outcome.at, now=now)
    else:
        payment.accept_late_authorization(
            amount=outcome.amount, expires_at=outcome.expires_at or default_hold(outcome.at)
        )
        books.authorized(payment, outcome.amount, occurred_at=outcome.at, now=now)
    moving.save_payment_moved(
        payment, before=before, cause=cause, occurred_at=outcome.at, now=now, extra={"late_evidence": True}
    )


def _refunded(payment: Payment, attempt: Attempt, outcome: Approved, cause: Cause, now: datetime) -> None:
    refund = attempt.refund
    assert refund is not None  # noqa: S101 - a constraint of the table says so
    before = RefundState(refund.state)
    refund.accept_late_success()
    payment.refunded += refund.amount
    refund.from_returned = payment.take_returned(refund.money)
    moving.save_payment_changed(payment, now=now)
    moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=outcome.at, now=now)
    books.refund_found(payment, refund, occurred_at=outcome.at, now=now)
