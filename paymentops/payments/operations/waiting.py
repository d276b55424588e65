"""Waiting for a payer or a provider, and looking again. Payment and attempt are locked; a transaction is open."""

from datetime import datetime, timedelta
from typing import Final

from paymentops.payments import retry
from paymentops.payments.models import Attempt, Cause, Payment, Resumption
from paymentops.payments.operations import asking, moving, payer, withdrawing
from paymentops.payments.retry import Planned
from paymentops.payments.states import AttemptState, PaymentState
from paymentops.providers import registry
from paymentops.providers.contract import ActionRequired, NotSent, Operation, Pending

_PAYER_MAY_ACT_FOR: Final = timedelta(hours=1)
# What a payer did in the last moment may be told a little later.
TOLD_LATE: Final = timedelta(minutes=2)
_WAITS_FOR_PAYER: Final = (PaymentState.REQUIRES_ACTION, PaymentState.PROCESSING)


def require_action(payment: Payment, attempt: Attempt, outcome: ActionRequired, *, cause: Cause, now: datetime) -> bool:
    """Wait for the payer; look again by the provider's schedule in case its notification never comes.

    The last look is when the payer's time is over: what still waits by then has expired. Tells whether it counts: an
    old notification does not while what the payer brought back is being handed in.
    """
    if cause.kind == "completion":
        # What was handed in has been taken; the next step needs details of its own.
        attempt.resumptions.forget(now=now)
    resumption = payer.resumption_of(attempt)
    if attempt.state != AttemptState.ACTION_REQUIRED:
        _begin_to_wait(payment, attempt, outcome, resumption, cause, now)
        return True
    if resumption is not None and cause.kind == "notification":
        return False
    _still_waiting(payment, attempt, outcome, cause, now)
    return True


def _begin_to_wait(  # noqa: PLR0917 - what every answer is applied to
    payment: Payment,
    attempt: Attempt,
    outcome: ActionRequired,
    resumption: Resumption | None,
    cause: Cause,
    now: datetime,
) -> None:
    ends_at = outcome.expires_at or outcome.at + _PAYER_MAY_ACT_FOR
    before = attempt.state
    attempt.require_action(provider_reference=outcome.provider_reference)
    if resumption is not None:
        _plan(attempt, _hand_in_again(payment, attempt, resumption, now))
    else:
        _look_again(payment, attempt, now, no_later_than=ends_at + TOLD_LATE)
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=outcome.at, now=now)
    if attempt.refund is not None:
        refund = attempt.refund
        before = refund.state
        refund.require_action()
        moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=outcome.at, now=now)
    elif resumption is None:
        _payer_must_act(payment, outcome, ends_at, cause, now)
    elif payment.state != PaymentState.PROCESSING:
        before = payment.state
        payment.start_processing()
        moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=outcome.at, now=now)


def _still_waiting(payment: Payment, attempt: Attempt, outcome: ActionRequired, cause: Cause, now: datetime) -> None:
    ends_at = max(payment.expires_at, outcome.expires_at or payment.expires_at)
    # Only an answer to our question says how it stands now; a notification may be an old one.
    was_asked = cause.kind in ("inquiry", "withdrawal")
    if was_asked and payment.state in _WAITS_FOR_PAYER and ends_at + TOLD_LATE <= now:
        withdrawing.lapse(payment, attempt, cause=cause, occurred_at=ends_at, now=now)
        return
    if cause.kind == "completion" and outcome.expires_at is None:
        ends_at = max(ends_at, outcome.at + _PAYER_MAY_ACT_FOR)
    _look_again(payment, attempt, now, no_later_than=ends_at + TOLD_LATE)
    moving.save_attempt_rescheduled(attempt)
    if cause.kind == "completion":
        _payer_must_act(payment, outcome, ends_at, cause, now)


def _payer_must_act(payment: Payment, outcome: ActionRequired, ends_at: datetime, cause: Cause, now: datetime) -> None:
    if payment.state == PaymentState.REQUIRES_ACTION:
        return
    before = payment.state
    payment.require_action(action=dict(outcome.action), expires_at=ends_at)
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=outcome.at, now=now)


def ask_the_payer_again(
    payment: Payment, attempt: Attempt, resumption: Resumption, *, cause: Cause, now: datetime
) -> None:
    """Give up what the payer brought back and wait for them once more, with the action they had before."""
    attempt.resumptions.forget(now=now)
    _look_again(payment, attempt, now, no_later_than=payment.expires_at + TOLD_LATE)
    moving.save_attempt_rescheduled(attempt)
    before = payment.state
    payment.require_action(action=resumption.action, expires_at=payment.expires_at)
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=now, now=now)


def pend(payment: Payment, attempt: Attempt, outcome: Pending, *, cause: Cause, now: datetime) -> None:
    """Wait for the provider; look again by its schedule in case its notification never comes."""
    if attempt.state == AttemptState.PENDING:
        _look_again(payment, attempt, now)
        moving.save_attempt_rescheduled(attempt)
        return
    before = attempt.state
    attempt.pend(provider_reference=outcome.provider_reference)
    _look_again(payment, attempt, now)
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=outcome.at, now=now)
    undecided = (PaymentState.UNKNOWN_OUTCOME, PaymentState.REQUIRES_ACTION)
    if attempt.operation == Operation.AUTHORIZE and payment.state in undecided:
        before = payment.state
        payment.start_processing()
        moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=outcome.at, now=now)
    elif attempt.refund is not None:
        refund = attempt.refund
        before = refund.state
        refund.pend()
        moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=outcome.at, now=now)


def put_off(payment: Payment, attempt: Attempt, outcome: NotSent, *, number: int, now: datetime) -> None:
    """Plan the same call again after it provably did not leave; the attempt goes on waiting."""
    planned = retry.after_not_sent(
        policy=retry.policy(payment.policy_version),
        attempt_id=attempt.id,
        number=number,
        now=now,
        retry_after=outcome.retry_after,
    )
    _plan(attempt, planned)
    moving.save_attempt_rescheduled(attempt)


def _hand_in_again(payment: Payment, attempt: Attempt, resumption: Resumption, now: datetime) -> Planned:
    """Plan to hand in what an inquiry has shown to be without effect so far."""
    return retry.after_not_sent(
        policy=retry.policy(payment.policy_version),
        attempt_id=attempt.id,
        number=resumption.hand_ins,
        now=now,
        retry_after=None,
    )


def _look_again(payment: Payment, attempt: Attempt, now: datetime, *, no_later_than: datetime | None = None) -> None:
    schedule = registry.get(attempt.provider).capabilities.inquiry_schedule
    if not payer.is_unwanted(payment, attempt):
        planned = asking.next_look(attempt, now=now)
    elif attempt.withdrawals:
        planned = retry.next_inquiry(schedule=schedule, asked=attempt.withdrawals, now=now)
    else:
        planned = retry.at_once(rule="withdrawal", now=now)
    _plan(attempt, planned)
    if no_later_than is not None and now < no_later_than:
        attempt.next_action_at = min(planned.at, no_later_than)


def _plan(attempt: Attempt, planned: Planned) -> None:
    attempt.lease_expires_at = None
    attempt.next_action_at = planned.at
    attempt.schedule = planned.inputs
