"""Holds that lapsed: the provider has let the money go, so the ledger and the payment say so too."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from paymentops.core import failpoints
from paymentops.core.failpoints import Point
from paymentops.payments.models import Cause, Payment
from paymentops.payments.operations import books, moving, reversing
from paymentops.payments.states import PaymentState


def expire_holds(*, limit: int, now: datetime) -> int:
    """Expire up to ``limit`` holds whose time is over; return how many.

    A payment with a capture or void on its way is left alone: its outcome decides. A payment that was never sent is
    expired by the worker that would have sent it.
    """
    lapsed = Payment.objects.lapsed(now).exclude(state=PaymentState.CREATED).order_by("expires_at", "id")
    expired = 0
    for payment_id in lapsed.values_list("id", flat=True)[:limit]:
        expired += _expire(payment_id, now)
        failpoints.reach(Point.EXPIRY_COMMITTED)
    return expired


def _expire(payment_id: UUID, now: datetime) -> bool:
    with transaction.atomic():
        payment = Payment.lock(payment_id)
        still_lapsed = Payment.objects.lapsed(now).filter(pk=payment_id).exists()
        if not still_lapsed or payment.attempts.open().exclude(operation="REFUND").exists():
            return False
        cause = Cause("expiry", f"{payment.public_id}/{payment.version}", reason="The hold lapsed.")
        _release(payment, cause, payment.expires_at, now)
        failpoints.reach(Point.EXPIRY_BEFORE_COMMIT)
        return True


def let_go(payment: Payment, *, cause: Cause, occurred_at: datetime, now: datetime) -> bool:
    """Follow a provider that says that a hold lapsed; tell whether there was one. The payment is locked.

    A capture or void on its way decides otherwise, as in ``expire_holds``.
    """
    if not payment.holds or payment.attempts.open().exclude(operation="REFUND").exists():
        return False
    _release(payment, cause, occurred_at, now)
    return True


def _release(payment: Payment, cause: Cause, occurred_at: datetime, now: datetime) -> None:
    before = payment.state
    books.released(payment, cause="expired", occurred_at=occurred_at, now=now)
    if payment.state == PaymentState.AUTHORIZED:
        payment.expire_hold()
    else:
        payment.void_rest()
    moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=occurred_at, now=now)
    reversing.follow_net(payment, cause=reversing.net_cause(payment), occurred_at=occurred_at, now=now)
