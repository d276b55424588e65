"""Reads of the room ``payments``. A query never changes a row."""

from typing import Final
from uuid import UUID

from paymentops.core.errors import NotFound
from paymentops.payments.models import Attempt, Capture, Payment, Refund
from paymentops.payments.models.payment import PaymentQuerySet
from paymentops.payments.states import SETTLED_DOWN_PAYMENT_STATES

_SETTLED_DOWN: Final = frozenset(SETTLED_DOWN_PAYMENT_STATES)


def payments_of(*, client_id: UUID) -> PaymentQuerySet:
    """Return all payments of one API client, newest first."""
    return Payment.objects.of_client(client_id).order_by("-id")


def payment_of(*, client_id: UUID, payment_id: UUID) -> Payment:
    """Return one payment of a client.

    Raises:
        NotFound: there is none, or it is another client's.
    """
    payment = payments_of(client_id=client_id).filter(pk=payment_id).first()
    if payment is None:
        raise NotFound("This API client has no payment under this id.")
    return payment


def refund_of(*, client_id: UUID, refund_id: UUID) -> Refund:
    """Return one refund of a client's payment.

    Raises:
        NotFound: there is none, or it is another client's.
    """
    refund = Refund.objects.filter(pk=refund_id, payment__client_id=client_id).first()
    if refund is None:
        raise NotFound("This API client has no refund under this id.")
    return refund


def refunds_of(payment: Payment) -> list[Refund]:
    """Return a payment's refunds, oldest first."""
    return list(payment.refunds.order_by("id"))


def capture_of(*, client_id: UUID, capture_id: UUID) -> tuple[Capture, Attempt | None]:
    """Return one capture of a client's payment with its latest attempt.

    Raises:
        NotFound: there is none, or it is another client's.
    """
    capture = Capture.objects.filter(pk=capture_id, payment__client_id=client_id).first()
    if capture is None:
        raise NotFound("This API client has no capture under this id.")
    return capture, capture.attempts.order_by("id").last()


def captures_of(payment: Payment) -> list[tuple[Capture, Attempt | None]]:
    """Return a payment's captures with their latest attempts, oldest first."""
    latest = {attempt.capture_id: attempt for attempt in payment.attempts.filter(operation="CAPTURE").order_by("id")}
    return [(capture, latest.get(capture.pk)) for capture in payment.captures.order_by("id")]


def has_settled_down(payment: Payment) -> bool:
    """Tell whether nothing more happens to the payment by itself."""
    return payment.state in _SETTLED_DOWN
