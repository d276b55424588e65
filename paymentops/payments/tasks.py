"""The workers' door. Every task may run twice, and none carries more than "look now"."""

from datetime import timedelta
from typing import Final

from celery import shared_task
from django.conf import settings

from paymentops.core import clock, failpoints
from paymentops.core.failpoints import Point
from paymentops.payments import doorbell
from paymentops.payments.operations import alarming, breaking, disputing, duplicates, expiring, notifying, working

# A task ends long before its time limit and rings again when there is more to do.
_ATTEMPTS_PER_TASK: Final = 20
_HOLDS_PER_SWEEP: Final = 200
_WEBHOOKS_PER_SWEEP: Final = 50
_ALARMS_PER_SWEEP: Final = 100
_DISPUTES_PER_WATCH: Final = 200
_PRUNED_AT_ONCE: Final = 2000


@shared_task(name=doorbell.TASK, acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def dispatch_due() -> int:
    """Carry out what is due; at most 20 attempts."""
    return _work_off()


@shared_task(name="payments.sweep", acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def sweep() -> int:
    """Find what no bell told of: lost messages, dead workers' leases, lapsed holds, news, old doubts, failures."""
    alarming.tell_overdue(limit=_ALARMS_PER_SWEEP, now=clock.now())
    expiring.expire_holds(limit=_HOLDS_PER_SWEEP, now=clock.now())
    failpoints.reach(Point.SWEEP_EXPIRED)
    notifying.work_off(limit=_WEBHOOKS_PER_SWEEP, clock=clock.now)
    breaking.sweep(now=clock.now())
    return _work_off()


@shared_task(name="payments.sweep_webhooks", acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def sweep_webhooks() -> int:
    """Delete the raw bytes of notifications that are older than their retention."""
    keep_for = timedelta(days=settings.WEBHOOK_RETENTION_DAYS)
    return notifying.prune(before=clock.now() - keep_for, limit=_PRUNED_AT_ONCE)


@shared_task(name="payments.sweep_duplicates", acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def sweep_duplicates() -> int:
    """Look through what came since the last run for charges that came twice, or look as if."""
    return duplicates.find(now=clock.now())


@shared_task(name="payments.sweep_disputes", acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def sweep_disputes() -> int:
    """Tell of deadlines of disputes that are near or missed; link disputes whose charge is known by now."""
    return disputing.watch(limit=_DISPUTES_PER_WATCH, now=clock.now())


def _work_off() -> int:
    done = working.work_off(limit=_ATTEMPTS_PER_TASK, clock=clock.now)
    if done == _ATTEMPTS_PER_TASK:
        doorbell.ring()
    return done
