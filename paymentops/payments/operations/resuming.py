"""Taking up what a payer brought back. The payment is locked; the caller's transaction is open."""

from datetime import datetime
from typing import Final

from paymentops.core.errors import Conflict
from paymentops.idempotency.models import IdempotencyKey
from paymentops.payments import retry
from paymentops.payments.commands import ResumePayment
from paymentops.payments.models import Attempt, Cause, Payment, Resumption
from paymentops.payments.operations import moving
from paymentops.payments.states import FINAL_PAYMENT_STATES, AttemptState, PaymentState
from paymentops.providers import registry
from paymentops.providers.contract import Completing, Operation

_PAID: Final = (PaymentState.AUTHORIZED, PaymentState.PARTIALLY_CAPTURED, PaymentState.CAPTURED)


class NotResumable(Conflict):
    """The payment does not wait for its payer; the sentence says what to do instead."""

    code = "payment.not_resumable"
    title = "This payment cannot be resumed"


def take_up(
    payment: Payment, claimed: IdempotencyKey, command: ResumePayment, *, cause: Cause, now: datetime
) -> Resumption:
    """Keep what the payer brought back and make the attempt due at once.

    Where a provider goes on only when told, the payment is PROCESSING from here on; where the payer acts at the
    provider itself, nothing is kept and the provider is asked how it stands.

    Raises:
        NotResumable: it does not wait for its payer, or its provider can neither be told nor asked.
    """
    attempt = _waiting_attempt(payment)
    mode = _mode(attempt)
    action = payment.next_action
    if mode is Resumption.Mode.COMPLETION:
        before = payment.state
        payment.start_processing()
        moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=now, now=now)
    _make_due(attempt, now=now)
    is_kept = mode is Resumption.Mode.COMPLETION
    return Resumption.objects.create(
        id=claimed.resource_id,
        payment=payment,
        attempt=attempt,
        key=claimed,
        mode=mode,
        details=dict(command.details) if is_kept else None,
        details_digest=command.digest,
        action=action,
        created_at=now,
        ended_at=None if is_kept else now,
    )


def _waiting_attempt(payment: Payment) -> Attempt:
    if payment.state != PaymentState.REQUIRES_ACTION:
        raise NotResumable(_instead(payment), extra={"state": str(payment.state)})
    if payment.cancel_requested_at is not None:
        raise NotResumable("The payment is being cancelled; wait for its outcome.", extra={"state": str(payment.state)})
    waits = payment.attempts.get(operation=Operation.AUTHORIZE, state=AttemptState.ACTION_REQUIRED)
    return Attempt.lock(waits.pk)


def _instead(payment: Payment) -> str:
    state = payment.get_state_display()
    if payment.state in FINAL_PAYMENT_STATES:
        return f"The payment is {state}. Create another one, under another key, if the payer still wants to pay."
    if payment.state in _PAID:
        return f"The payment is {state}; its payer has nothing left to do."
    return f"The payment is {state}. Read it again, and resume it if it then requires an action."


def _mode(attempt: Attempt) -> Resumption.Mode:
    provider = registry.get(attempt.provider)
    if isinstance(provider, Completing):
        return Resumption.Mode.COMPLETION
    if provider.capabilities.can_inquire:
        return Resumption.Mode.INQUIRY
    raise NotResumable(f"{attempt.provider} tells by itself when the payer has acted; wait for its notification.")


def _make_due(attempt: Attempt, *, now: datetime) -> None:
    """Take the attempt over from whoever asks about it now: what they hear is older than what the payer did."""
    planned = retry.at_once(rule="resume", now=now)
    attempt.fence += 1
    attempt.lease_expires_at = None
    attempt.next_action_at = planned.at
    attempt.schedule = planned.inputs
    moving.save_attempt_rescheduled(attempt)
