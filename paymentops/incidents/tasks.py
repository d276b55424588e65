"""The workers' door to incidents: looking what time has brought. It may run twice and beside itself."""

from typing import Final

from celery import shared_task

from paymentops.core import clock
from paymentops.incidents import operations

_AT_ONCE: Final = 200


@shared_task(name="incidents.watch", acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def watch() -> int:
    """End acknowledgements and suppressions whose time is over, and escalate what nobody owns."""
    return operations.watch(now=clock.now(), limit=_AT_ONCE)
