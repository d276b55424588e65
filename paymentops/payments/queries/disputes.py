"""Reads of disputes."""

from uuid import UUID

from paymentops.core.errors import NotFound
from paymentops.payments.models import Dispute, Payment
from paymentops.payments.models.dispute import DisputeQuerySet


def disputes() -> DisputeQuerySet:
    """Return all disputes with their payments, newest first."""
    return Dispute.objects.select_related("payment").order_by("-id")


def disputes_of(*, client_id: UUID) -> DisputeQuerySet:
    """Return the disputes of one API client's payments, newest first; one about an unknown charge is nobody's."""
    return disputes().filter(payment__client_id=client_id)


def dispute_of(*, client_id: UUID, dispute_id: UUID) -> Dispute:
    """Return one dispute of a client's payment.

    Raises:
        NotFound: there is none, or it is another client's.
    """
    found = disputes_of(client_id=client_id).filter(pk=dispute_id).first()
    if found is None:
        raise NotFound("This API client has no dispute under this id.")
    return found


def disputes_of_payment(payment: Payment) -> list[Dispute]:
    """Return a payment's disputes, oldest first."""
    return list(payment.disputes.select_related("payment").order_by("id"))
