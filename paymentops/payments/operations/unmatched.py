"""Waking news that came before we knew what it was about."""

from datetime import datetime
from typing import Final

from django.db import connection

# Whoever works on one of them at this moment looks again by its schedule: nobody waits here with a payment locked.
_WAKE: Final = """
UPDATE payments_webhookdelivery SET next_try_at = %(now)s
WHERE id IN (
    SELECT d.id FROM payments_webhookdelivery d
    JOIN payments_inboundnotification n ON n.delivery_id = d.id
    WHERE n.state = 'UNMATCHED' AND n.provider_reference <> '' AND n.provider_reference = %(reference)s
      AND n.provider = %(provider)s AND d.state = 'UNMATCHED'
    FOR UPDATE OF d SKIP LOCKED)
"""


def wake(*, provider: str, reference: str, now: datetime) -> None:
    """Have deliveries worked off again that name a provider's reference which an answer has just told us."""
    if not reference:
        return
    with connection.cursor() as cursor:
        cursor.execute(_WAKE, {"provider": provider, "reference": reference, "now": now})
