"""The workers' door. Every task may run twice and beside itself; each file has one reader at a time."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Final

from celery import shared_task
from django.conf import settings

from paymentops.core import clock
from reconciliation import doorbell, inbox, operations
from reconciliation.operations import Worker

# A task ends long before its time limit; a file that takes longer is gone on with by the next one.
_WORKS_FOR: Final = timedelta(seconds=200)
_FILES_PER_TASK: Final = 20
_ROWS_AT_ONCE: Final = 10_000


@shared_task(name=doorbell.TASK, acks_late=True, max_retries=0, soft_time_limit=280, time_limit=300)
def ingest() -> int:
    """Read files that are due, and clear away what refused ones left; return how many were taken up."""
    operations.clean_refused(limit=_FILES_PER_TASK, rows_at_once=_ROWS_AT_ONCE, now=clock.now())
    worker = Worker(f"{settings.HOST_NAME}:{os.getpid()}", clock.now, until=clock.now() + _WORKS_FOR)
    taken = operations.ingest_due(worker=worker, limit=_FILES_PER_TASK)
    if taken:
        operations.clean_refused(limit=_FILES_PER_TASK, rows_at_once=_ROWS_AT_ONCE, now=clock.now())
    if taken == _FILES_PER_TASK or worker.is_late():
        doorbell.ring()
    return taken


@shared_task(name="reconciliation.watch_inbox", acks_late=True, max_retries=0, soft_time_limit=280, time_limit=300)
def watch_inbox() -> int:
    """Take files out of the watched folder; return how many are in it."""
    if not settings.STATEMENTS_INBOX:
        return 0
    seen = inbox.look(
        Path(settings.STATEMENTS_INBOX), settled_seconds=settings.STATEMENTS_INBOX_SECONDS, now=clock.now()
    )
    if seen:
        doorbell.ring()
    return seen
