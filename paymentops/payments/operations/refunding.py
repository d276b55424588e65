"""Refunds that end before they left: withdrawn by who asked, or because nothing pays for them any more.

The payment is locked; the caller's transaction is open.
"""

from datetime import datetime
from typing import Final

from paymentops.access.actors import Actor
from paymentops.casework import operations as casework
from paymentops.casework.models import Subject
from paymentops.payments.models import Attempt, Cause, Payment, Refund
from paymentops.payments.operations import books, moving
from paymentops.payments.proposals import REFUND
from paymentops.payments.states import AttemptState, RefundState

_UNSENT: Final = (RefundState.REQUESTED, RefundState.APPROVED, RefundState.DISPATCHED)


def withdraw(payment: Payment, refund: Refund, *, cause: Cause, code: str, now: datetime) -> bool:
    """Cancel a refund that provably never left and free its sum; ``False`` where it may have left."""
    attempt = _unsent_attempt(refund)
    if refund.state not in _UNSENT or (refund.state != RefundState.REQUESTED and attempt is None):
        return False
    if attempt is not None:
        before = attempt.state
        attempt.cancel()
        moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=now, now=now)
    before = refund.state
    refund.cancel(code=code, message=cause.reason)
    free(payment, refund, occurred_at=now, now=now)
    moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=now, now=now)
    casework.overtake(
        kind=REFUND.name, subject=subject(refund), why=cause.reason, by=Actor.system("payments.refunds"), now=now
    )
    return True


def withdraw_unpaid(payment: Payment, *, now: datetime) -> None:
    """Cancel refunds that have not left, the newest first, while more is given back than was captured and kept."""
    waiting = payment.refunds.filter(state__in=_UNSENT).order_by("-id") if payment.overdrawn else []
    for refund in waiting:
        if not payment.overdrawn:
            return
        cause = Cause(
            "capture_reversed", refund.public_id, reason="The capture that would have paid it was taken back."
        )
        withdraw(payment, refund, cause=cause, code="capture_reversed", now=now)


def subject(refund: Refund) -> Subject:
    """Name a refund as what a proposal is about."""
    return Subject("refund", refund.public_id)


def free(payment: Payment, refund: Refund, *, occurred_at: datetime, now: datetime) -> None:
    """Give a refund's reserved sum back, to the client or to what is owed to the payer; in the ledger too."""
    books.refund_failed(payment, refund, occurred_at=occurred_at, now=now)
    payment.release_refund(refund.money)
    payment.returned += refund.from_returned
    refund.from_returned = 0
    moving.save_payment_changed(payment, now=now)


def _unsent_attempt(refund: Refund) -> Attempt | None:
    """Return the refund's attempt under its lock if it waits to be sent and nothing of it is in doubt."""
    found = refund.attempts.filter(state=AttemptState.PREPARED, was_unknown=False).first()
    return Attempt.lock(found.pk) if found is not None else None
