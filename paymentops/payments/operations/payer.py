"""What the payer's side of an authorisation needs next: to be handed in, or to be taken back.

Payment and attempt are locked; the caller's transaction is open. Whatever is counted here commits before it leaves.
"""

from datetime import datetime

from paymentops.payments import retry
from paymentops.payments.models import Attempt, Payment, Resumption
from paymentops.payments.operations import moving
from paymentops.payments.states import AttemptState, CaptureMode
from paymentops.providers import registry
from paymentops.providers.contract import Completion, Operation, Withdrawal, Withdrawing


def resumption_of(attempt: Attempt) -> Resumption | None:
    """Return what waits to be handed in, or was handed in without an answer."""
    if attempt.state not in (AttemptState.ACTION_REQUIRED, AttemptState.UNKNOWN):
        return None
    return attempt.resumptions.waiting().first()


def may_hand_in(payment: Payment, attempt: Attempt, resumption: Resumption, *, now: datetime) -> bool:
    """Tell whether it is wanted, and surely still known to the provider as the same; the policy bounds how often."""
    return (
        payment.cancel_requested_at is None
        and resumption.hand_ins <= retry.policy(payment.policy_version).deferrals
        and retry.key_is_safe(
            capabilities=registry.get(attempt.provider).capabilities, first_sent_at=resumption.created_at, now=now
        )
    )


def is_unwanted(payment: Payment, attempt: Attempt) -> bool:
    """Tell whether a cancel was asked for and the provider can take the authorisation back."""
    return (
        attempt.operation == Operation.AUTHORIZE
        and payment.cancel_requested_at is not None
        and isinstance(registry.get(attempt.provider), Withdrawing)
    )


def completion(payment: Payment, attempt: Attempt, resumption: Resumption, *, now: datetime) -> Completion:
    """Count one more handing in and return what leaves."""
    resumption.hand_ins += 1
    resumption.save(update_fields=["hand_ins"])
    attempt.completions += 1
    moving.save_attempt_rescheduled(attempt)
    return Completion(
        provider_key=attempt.provider_key,
        reference=payment.public_id,
        amount=attempt.money,
        details=resumption.details or {},
        deadline=now + registry.get(attempt.provider).capabilities.call_timeout,
        capture_now=payment.capture_mode == CaptureMode.AUTOMATIC,
        at=now,
    )


def withdrawal(payment: Payment, attempt: Attempt, *, now: datetime) -> Withdrawal:
    """Count one more withdrawal and return what leaves."""
    attempt.withdrawals += 1
    moving.save_attempt_rescheduled(attempt)
    return Withdrawal(
        provider_key=attempt.provider_key,
        reference=payment.public_id,
        amount=attempt.money,
        submitted_at=attempt.first_dispatched_at or attempt.created_at,
        deadline=now + registry.get(attempt.provider).capabilities.call_timeout,
        provider_reference=attempt.provider_reference,
        capture_now=payment.capture_mode == CaptureMode.AUTOMATIC,
        at=now,
    )


def take_back_soon(payment: Payment, *, now: datetime) -> None:
    """Make a waiting authorisation due that a cancel was just noted on, unless a worker is busy with it.

    That worker's answer is followed by the withdrawal.
    """
    waits = payment.attempts.filter(
        operation=Operation.AUTHORIZE,
        state__in=[AttemptState.ACTION_REQUIRED, AttemptState.PENDING],
        lease_expires_at=None,
    )
    attempt = waits.select_for_update(of=("self",)).first()
    if attempt is None or not is_unwanted(payment, attempt):
        return
    planned = retry.at_once(rule="withdrawal", now=now)
    attempt.next_action_at = planned.at
    attempt.schedule = planned.inputs
    moving.save_attempt_rescheduled(attempt)
