"""The workers' door. Every task may run twice; only one seals at a time."""

from datetime import timedelta
from typing import Final

from celery import shared_task
from django.conf import settings
from django.core.files.storage import storages

from ledger import operations
from paymentops.core import clock

# A task ends long before its time limit; the next one goes on.
_ROUNDS: Final = 20
_CHECKING_FOR: Final = timedelta(seconds=20)


@shared_task(name="ledger.seal", acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def seal() -> None:
    """Seal what was committed, and take the day's root."""
    for _ in range(_ROUNDS):
        done = operations.seal(now=clock.now())
        if done is None or not done.more:
            break
    operations.take_root(now=clock.now())


@shared_task(name="ledger.export_roots", acks_late=True, max_retries=0, soft_time_limit=110, time_limit=120)
def export_roots() -> None:
    """Write roots that have not left the database to their storage."""
    operations.export_roots(storage=storages["ledger_roots"], now=clock.now())


@shared_task(name="ledger.check_balances", acks_late=True, max_retries=0, soft_time_limit=280, time_limit=300)
def check_balances() -> int:
    """Compare stored balances with the lines, the account first whose check is longest ago; return how many."""
    began = clock.now()
    before = began - timedelta(hours=settings.BALANCE_CHECK_HOURS)
    checked = 0
    while clock.now() - began < _CHECKING_FOR and operations.check_next_balance(checked_before=before, now=clock.now()):
        checked += 1
    return checked
