"""What a provider takes back after it had succeeded: a capture that failed after all, a refund that came back.

Payment and attempt are locked; the caller's transaction is open. What is told is a total, so the same news counts once
however often and in whatever order it comes. Evidence is never refused: a capture is taken back although its money was
refunded meanwhile, and what is then missing is told with the event. Refunds that have not left yet and that nothing
pays for any more are withdrawn.
"""

from datetime import datetime
from typing import Final

from paymentops.core.money import Money
from paymentops.payments.models import Attempt, Cause, Payment
from paymentops.payments.operations import books, moving, refunding
from paymentops.payments.states import AttemptState, PaymentState
from paymentops.providers.contract import Operation, Reversed

# What a call is kept as that tells of a reversal.
OUTCOME: Final = Reversed.__name__


def apply(payment: Payment, attempt: Attempt, outcome: Reversed, *, cause: Cause, now: datetime) -> bool:
    """Take back what is newly told of an attempt that had succeeded; tell whether there was anything new.

    Emits ``payment.capture_reversed``, ``refund.reversed`` or ``refund.reversed_in_part``, and the payment's move.
    """
    if attempt.state != AttemptState.SUCCEEDED or outcome.amount.currency != attempt.currency:
        return False
    moved = _moved(attempt)
    total = min(outcome.amount.minor, moved)
    amount = payment.money(total - attempt.reversed)
    if amount.minor <= 0:
        return False
    attempt.reversed = total
    _save(attempt, whole=total == moved, cause=cause, outcome=outcome, now=now)
    if attempt.operation == Operation.REFUND:
        _refund_came_back(payment, attempt, amount, outcome, cause=cause, now=now)
    else:
        kept = payment.money(moved - total)
        _capture_taken_back(payment, attempt, amount, kept, outcome, cause=cause, now=now)
    if outcome.amount.minor > moved:
        beyond = payment.money(outcome.amount.minor - moved)
        moving.tell_late_evidence(payment, attempt, amount=beyond, applied=False, occurred_at=outcome.at, now=now)
    return True


def has_no_room(attempt: Attempt, outcome: Reversed) -> bool:
    """Tell whether a reversal that was not applied says something that we have no place for: a person must look."""
    if attempt.state == AttemptState.SUCCEEDED:
        return outcome.amount.minor > attempt.reversed
    return attempt.has_failed and outcome.amount.minor < attempt.amount


def undone(attempt: Attempt) -> bool:
    """Tell whether the provider has said that all of it was taken back, before or after it was known to succeed."""
    return attempt.calls.filter(outcome=OUTCOME, amount__gte=attempt.amount).exists()


def follow_net(payment: Payment, *, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    """Let the state say what is left of the captures, once nothing more is held: a part, or nothing."""
    captured = payment.state in (PaymentState.CAPTURED, PaymentState.PARTIALLY_CAPTURED)
    if not captured or not payment.reversed or payment.uncaptured:
        return
    before = payment.state
    if payment.captured == payment.reversed:
        payment.keep_nothing()
    elif payment.state == PaymentState.CAPTURED:
        payment.keep_part()
    else:
        return
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=occurred_at, now=now)


def net_cause(payment: Payment) -> Cause:
    """Return the cause of a move that follows from captures that were taken back earlier."""
    return Cause("net", f"{payment.public_id}/{payment.version}", reason="Captures had been taken back before.")


def _save(attempt: Attempt, *, whole: bool, cause: Cause, outcome: Reversed, now: datetime) -> None:
    if whole:
        before = attempt.state
        attempt.reverse()
        moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=outcome.at, now=now)
    else:
        moving.save_attempt_changed(attempt)


def _capture_taken_back(
    payment: Payment, attempt: Attempt, amount: Money, kept: Money, outcome: Reversed, *, cause: Cause, now: datetime
) -> None:
    books.capture_taken_back(payment, attempt, kept=kept, cause=cause, occurred_at=outcome.at, now=now)
    payment.take_back_capture(amount)
    refunding.withdraw_unpaid(payment, now=now)
    moving.save_payment_changed(payment, now=now)
    moving.tell_capture_reversed(payment, attempt, amount=amount, code=outcome.code, occurred_at=outcome.at, now=now)
    follow_net(payment, cause=cause, occurred_at=outcome.at, now=now)


def _refund_came_back(
    payment: Payment, attempt: Attempt, amount: Money, outcome: Reversed, *, cause: Cause, now: datetime
) -> None:
    refund = attempt.refund
    assert refund is not None  # noqa: S101 - a constraint of the table says so
    payment.take_back_refund(amount)
    moving.save_payment_changed(payment, now=now)
    refund.reversed = attempt.reversed
    refund.failure_code, refund.failure_message = outcome.code[:80], outcome.message[:300]
    if refund.reversed == refund.amount:
        before = refund.state
        refund.reverse()
        moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=outcome.at, now=now)
    else:
        moving.save_refund_reversed_in_part(refund, occurred_at=outcome.at, now=now)
    books.refund_came_back(payment, refund, amount, occurred_at=outcome.at, now=now)


def _moved(attempt: Attempt) -> int:
    """Return what the attempt moved by its proof, in minor units; a hold or a void moved nothing."""
    proof = attempt.calls.filter(applied=True, outcome="Approved").first()
    if proof is None or attempt.operation == Operation.VOID:
        return 0
    return int((proof.captured if attempt.operation == Operation.AUTHORIZE else proof.amount) or 0)
