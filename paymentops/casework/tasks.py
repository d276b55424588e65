"""The workers' door to casework: clearing away what nobody needs. It may run twice and beside itself."""

from datetime import timedelta
from typing import Final

from celery import shared_task
from django.conf import settings

from paymentops.casework import operations
from paymentops.core import clock

_AT_ONCE: Final = 500


@shared_task(name="casework.clear_away", acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def clear_away() -> None:
    """Erase files that nobody bound to anything, and forget forms that nobody will send again."""
    now = clock.now()
    unbound = now - timedelta(hours=settings.ATTACHMENT_UNBOUND_HOURS)
    operations.discard_orphans(uploaded_before=unbound, now=now, limit=_AT_ONCE)
    operations.forget_forms(before=now - timedelta(days=settings.FORM_TOKEN_DAYS), limit=_AT_ONCE)
