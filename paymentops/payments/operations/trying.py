"""New attempts after a definitive no, and what holds one back. Payment and attempt are locked by the caller.

Nothing here is reached while it is unknown whether an attempt happened: an unknown outcome is asked about until it is a
yes or a no. The next attempt commits together with the end of the one before, so a process that dies leaves either the
old one or the new one to be taken on, never both and never none.
"""

from datetime import datetime
from hashlib import sha256
from typing import Final

from paymentops.payments import retry
from paymentops.payments.models import Attempt, Cause, Payment
from paymentops.payments.operations import giving_up, moving, preparing
from paymentops.payments.queries import retrying as reading
from paymentops.payments.retry import Again, Stop, Verdict
from paymentops.payments.states import AttemptState, FailureClass, PaymentState
from paymentops.providers import registry
from paymentops.providers.contract import Declined, NotSent, Operation, RetryClass

FAILURE_CLASSES: Final = {
    RetryClass.INVALID: FailureClass.INVALID_REQUEST,
    RetryClass.RISK_BLOCK: FailureClass.RISK_BLOCK,
    RetryClass.PROVIDER_GUARD: FailureClass.RISK_BLOCK,
    RetryClass.AUTH_REQUIRED: FailureClass.PAYER_ABANDONED,
    RetryClass.NOT_SENT: FailureClass.TECHNICAL,
    RetryClass.THROTTLED: FailureClass.TECHNICAL,
    RetryClass.UNKNOWN: FailureClass.TECHNICAL,
    RetryClass.SOFT_DECLINE: FailureClass.ISSUER_DECLINE,
    RetryClass.DATA_DECLINE: FailureClass.ISSUER_DECLINE,
    RetryClass.HARD_DECLINE: FailureClass.ISSUER_DECLINE,
}


def note_answer(payment: Payment, attempt: Attempt, outcome: Declined) -> RetryClass:
    """Keep on the attempt what a no means by the payment's policy, and whose card it was; return its class."""
    policy = retry.policy(payment.policy_version)
    retry_class = policy.class_of(
        provider=attempt.provider,
        operation=Operation(attempt.operation),
        code=outcome.code,
        given=outcome.retry_class,
    )
    attempt.result_code = outcome.code[:80]
    attempt.result_class = retry_class
    attempt.result_message = outcome.message[:300]
    if scheme := str(outcome.detail.get("scheme", "")):
        attempt.scheme = scheme[:20]
        attempt.instrument = sha256(payment.payment_token.encode()).hexdigest()
    return retry_class


def after_answer(payment: Payment, attempt: Attempt, retry_class: RetryClass, *, now: datetime) -> Again | Stop:
    """Decide what follows a definitive no, and keep why on the attempt; the caller saves it."""
    case = reading.case_of(payment, attempt, now=now)
    verdict = retry.judge_answer(case, retry_class, now=now)
    attempt.schedule = verdict.inputs if isinstance(verdict, Stop) else verdict.planned.inputs
    return verdict


def after_not_sent(payment: Payment, attempt: Attempt, outcome: NotSent, *, now: datetime) -> Verdict:
    """Decide what follows when an attempt provably did not leave, and keep why on it; the caller saves it."""
    case = reading.case_of(payment, attempt, now=now)
    verdict = retry.judge_not_sent(
        case, outcome.retry_class, sent=attempt.dispatches, now=now, retry_after=outcome.retry_after
    )
    attempt.schedule = verdict.inputs if isinstance(verdict, Stop) else verdict.planned.inputs
    attempt.result_class = outcome.retry_class
    attempt.result_message = outcome.reason[:300]
    return verdict


def prepare(payment: Payment, ended: Attempt, again: Again, *, cause: Cause, now: datetime) -> Attempt:
    """Prepare the attempt that follows one that has just ended; the payment goes on at its provider."""
    payment.move_to(again.provider)
    if payment.state == PaymentState.PROCESSING:
        moving.save_payment_changed(payment, now=now)
    else:
        before = payment.state
        payment.start_processing()
        moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=now, now=now)
    return preparing.prepare_next_authorization(payment, ended, again, now=now)


def hold_back(payment: Payment, attempt: Attempt, *, now: datetime) -> bool:
    """Put a further try of an authorisation off, or end it, if it may not begin now; tell whether it was.

    It ends when the request's time is over, and waits while successful traffic does not bear one more new attempt.
    """
    if attempt.number == 1 and not attempt.dispatches:
        return False
    policy = retry.policy(payment.policy_version)
    capabilities = registry.get(attempt.provider).capabilities
    root = reading.first_attempt(payment)
    begun_at = root.first_dispatched_at or root.created_at
    if retry.too_late(policy=policy, begun_at=begun_at, capabilities=capabilities, at=now):
        abandon(payment, attempt, reason="The request's time was over before it could be tried again.", now=now)
        return True
    if policy.budget is None or attempt.number == 1:
        return False
    traffic = reading.recent_traffic(
        provider=attempt.provider, method=payment.method, window=policy.budget.window, now=now
    )
    if policy.budget.has_room(successes=traffic.successes, tried_again=traffic.tried_again):
        return False
    planned = retry.over_budget(
        budget=policy.budget,
        successes=traffic.successes,
        tried_again=traffic.tried_again,
        policy=policy,
        root=root.pk,
        deferrals=attempt.schedule.get("deferrals", 0) + 1,
        now=now,
    )
    attempt.lease_expires_at = None
    attempt.next_action_at = planned.at
    attempt.schedule = planned.inputs
    moving.save_attempt_rescheduled(attempt)
    return True


def abandon(payment: Payment, attempt: Attempt, *, reason: str, now: datetime) -> None:
    """End a payment whose prepared attempt will not be sent; it fails for what the last answer said."""
    cause = Cause("given_up", attempt.public_id, reason=reason)
    before = attempt.state
    attempt.cancel()
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=now, now=now)
    last = attempt if attempt.result_class else reading.attempt_before(attempt)
    before = payment.state
    payment.fail(
        failure_class=FAILURE_CLASSES[RetryClass(last.result_class)],
        code=last.result_code or "not_executed",
        message=last.result_message,
    )
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=now, now=now)
    giving_up.record(payment, attempt, reason=reason, now=now)


def withdraw_next(payment: Payment, evidence_of: Attempt, *, cause: Cause, now: datetime) -> bool:
    """Take a prepared attempt back because an earlier one happened after all; tell whether it had not been sent."""
    waiting = payment.attempts.open().filter(operation=Operation.AUTHORIZE, number__gt=evidence_of.number).first()
    if waiting is None:
        return False
    following = Attempt.lock(waiting.pk)
    if following.state != AttemptState.PREPARED:
        return False
    following.cancel()
    moving.save_attempt_moved(following, before=AttemptState.PREPARED, cause=cause, occurred_at=now, now=now)
    return True
