"""Reading what providers sent."""

from paymentops.core import ids
from paymentops.payments.models import WebhookDelivery


def delivery(public_id: str) -> bytes:
    """Return the raw bytes of one delivery, ``whk_…``.

    Raises:
        UnreadableId: the text is not the id of a delivery.
        WebhookDelivery.DoesNotExist: there is none, or it was pruned.
    """
    return bytes(WebhookDelivery.objects.get(pk=ids.parse(ids.Prefix.WEBHOOK, public_id)).body)
