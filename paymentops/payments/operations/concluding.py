"""What an answer does, operation by operation. Payment and attempt are locked; the caller's transaction is open."""

from datetime import datetime
from typing import Final

from django.db.models import Q

from paymentops.payments.models import Attempt, Cause, Payment
from paymentops.payments.models.payment import default_hold
from paymentops.payments.operations import books, moving, preparing, refunding, reversing, trying, withdrawing
from paymentops.payments.retry import Again
from paymentops.payments.states import OPEN_ATTEMPT_STATES as OPEN
from paymentops.payments.states import AttemptState, FailureClass, PaymentState
from paymentops.providers import registry
from paymentops.providers.contract import Approved, Declined, Operation, RetryClass

_KNOWS_NOTHING: Final = "The provider knows nothing of it."


def succeed(payment: Payment, attempt: Attempt, outcome: Approved, *, cause: Cause, now: datetime) -> None:
    """Apply a yes: the attempt succeeds, the payment's amounts grow and the ledger says so."""
    before = attempt.state
    attempt.succeed(provider_reference=outcome.provider_reference)
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=outcome.at, now=now)
    match attempt.operation:
        case Operation.AUTHORIZE:
            authorized(payment, attempt, outcome, cause=cause, now=now)
        case Operation.CAPTURE:
            captured(payment, attempt, outcome, cause=cause, now=now)
        case Operation.VOID:
            voided(payment, outcome, cause=cause, now=now)
        case Operation.REFUND:
            _refunded(payment, attempt, outcome, cause, now)
    carry_out_noted_cancel(payment, now)


def decline(payment: Payment, attempt: Attempt, outcome: Declined, *, cause: Cause, now: datetime) -> None:
    """Apply a no: another attempt follows where the payment's policy allows one, else it failed.

    A request the provider calls invalid was proven not executed, so the attempt FAILED.
    """
    before = attempt.state
    retry_class = trying.note_answer(payment, attempt, outcome)
    if outcome.lapsed and attempt.operation == Operation.AUTHORIZE:
        withdrawing.lapse(payment, attempt, cause=cause, occurred_at=outcome.at, now=now)
        return
    if outcome.withdrawn and attempt.operation == Operation.AUTHORIZE:
        withdrawing.take_back(payment, attempt, cause=cause, occurred_at=outcome.at, now=now)
        return
    verdict = trying.after_answer(payment, attempt, retry_class, now=now)
    if outcome.retry_class is RetryClass.INVALID:
        attempt.fail()
    else:
        attempt.decline(provider_reference=outcome.provider_reference)
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=outcome.at, now=now)
    if isinstance(verdict, Again):
        trying.prepare(payment, attempt, verdict, cause=cause, now=now)
        return
    failure_class = trying.FAILURE_CLASSES[retry_class]
    _moved_nothing(payment, attempt, failure_class, cause=cause, occurred_at=outcome.at, now=now)


def give_up(
    payment: Payment,
    attempt: Attempt,
    *,
    why: str = _KNOWS_NOTHING,
    cause: Cause,
    now: datetime,
) -> None:
    """End an attempt that is proven not executed and will not be sent again; ``why``, where that was in doubt."""
    _end_unexecuted(attempt, why, cause, now)
    _moved_nothing(payment, attempt, FailureClass.TECHNICAL, cause=cause, occurred_at=now, now=now)


def fail_over(payment: Payment, attempt: Attempt, again: Again, *, cause: Cause, now: datetime) -> None:
    """End an attempt that provably never left, and go on with another one at another provider."""
    _end_unexecuted(attempt, _KNOWS_NOTHING, cause, now)
    trying.prepare(payment, attempt, again, cause=cause, now=now)


def _end_unexecuted(attempt: Attempt, why: str, cause: Cause, now: datetime) -> None:
    before = attempt.state
    if attempt.state == AttemptState.UNKNOWN:
        attempt.result_message = why[:300]
    attempt.result_code = attempt.result_code or "not_executed"
    attempt.fail()
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=now, now=now)


def authorized(payment: Payment, attempt: Attempt, outcome: Approved, *, cause: Cause, now: datetime) -> None:
    """Carry an authorisation that succeeded into the payment and the ledger."""
    before = payment.state
    payment.move_to(attempt.provider)
    if outcome.captured is not None:
        payment.sell(amount=outcome.captured)
        books.sold(payment, outcome.captured, occurred_at=outcome.at, now=now)
    else:
        payment.authorize(amount=outcome.amount, expires_at=outcome.expires_at or default_hold(outcome.at))
        books.authorized(payment, outcome.amount, occurred_at=outcome.at, now=now)
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=outcome.at, now=now)


def captured(payment: Payment, attempt: Attempt, outcome: Approved, *, cause: Cause, now: datetime) -> None:
    """Carry a capture that succeeded into the payment and the ledger."""
    books.captured(payment, attempt, outcome.amount, occurred_at=outcome.at, now=now)
    before = payment.state
    if payment.state in (PaymentState.VOIDED, PaymentState.EXPIRED):
        payment.accept_late_capture(amount=outcome.amount)
    elif outcome.amount.minor == payment.uncaptured:
        payment.capture_rest(amount=outcome.amount)
    else:
        payment.capture_part(amount=outcome.amount)
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=outcome.at, now=now)
    reversing.follow_net(payment, cause=reversing.net_cause(payment), occurred_at=outcome.at, now=now)
    captures_once = not registry.get(attempt.provider).capabilities.multiple_captures
    if captures_once and payment.holds:
        _rest_released(payment, attempt, outcome, now)


def _rest_released(payment: Payment, attempt: Attempt, outcome: Approved, now: datetime) -> None:
    """Follow a provider that captures an authorisation once: it let go of the rest with the capture."""
    cause = Cause("released", attempt.public_id, reason="The provider captures once and releases the rest.")
    books.released(payment, cause="released", occurred_at=outcome.at, now=now)
    before = payment.state
    payment.void_rest()
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=outcome.at, now=now)
    reversing.follow_net(payment, cause=reversing.net_cause(payment), occurred_at=outcome.at, now=now)


def voided(payment: Payment, outcome: Approved, *, cause: Cause, now: datetime) -> None:
    """Carry a void that succeeded into the payment and the ledger."""
    books.released(payment, cause="voided", occurred_at=outcome.at, now=now)
    before = payment.state
    if payment.captured:
        payment.void_rest()
    else:
        payment.void()
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=outcome.at, now=now)
    reversing.follow_net(payment, cause=reversing.net_cause(payment), occurred_at=outcome.at, now=now)


def _refunded(payment: Payment, attempt: Attempt, outcome: Approved, cause: Cause, now: datetime) -> None:
    refund = attempt.refund
    assert refund is not None  # noqa: S101 - a constraint of the table says so
    before = refund.state
    refund.succeed()
    payment.settle_refund(refund.money)
    moving.save_payment_changed(payment, now=now)
    moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=outcome.at, now=now)
    books.refund_succeeded(payment, refund, occurred_at=outcome.at, now=now)


def _moved_nothing(
    payment: Payment,
    attempt: Attempt,
    failure_class: FailureClass,
    *,
    cause: Cause,
    occurred_at: datetime,
    now: datetime,
) -> None:
    """Carry a definitive no into what the attempt stood for."""
    before = payment.state
    match attempt.operation:
        case Operation.AUTHORIZE:
            payment.fail(failure_class=failure_class, code=attempt.result_code, message=attempt.result_message)
            moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=occurred_at, now=now)
        case Operation.REFUND:
            _refund_failed(payment, attempt, cause=cause, occurred_at=occurred_at, now=now)
        case _ if payment.state == PaymentState.UNKNOWN_OUTCOME:
            if payment.resume_state == PaymentState.PARTIALLY_CAPTURED:
                payment.resume_partially_captured()
            else:
                payment.resume_authorized()
            moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=occurred_at, now=now)
    carry_out_noted_cancel(payment, now)


def carry_out_noted_cancel(payment: Payment, now: datetime) -> None:
    """Release what is held if a cancel came while the outcome was open; it is tried once."""
    if not payment.holds or payment.cancel_requested_at is None:
        return
    if payment.attempts.filter(Q(operation=Operation.VOID) | Q(operation=Operation.CAPTURE, state__in=OPEN)).exists():
        return
    preparing.prepare_void(payment, now=now)


def _refund_failed(payment: Payment, attempt: Attempt, *, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    refund = attempt.refund
    assert refund is not None  # noqa: S101 - a constraint of the table says so
    before = refund.state
    refund.fail(code=attempt.result_code, message=attempt.result_message)
    refunding.free(payment, refund, occurred_at=occurred_at, now=now)
    moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=occurred_at, now=now)
