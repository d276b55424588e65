"""Telling the workers to look now. The database is the queue; a bell that is lost costs a sweep's wait, no file."""

import logging
from typing import Final

from celery import current_app

TASK: Final = "reconciliation.ingest"
_BELL_EXPIRES_SECONDS: Final = 30

_log = logging.getLogger(__name__)


def ring() -> None:
    """Ask the workers to look at files that are due; never fails."""
    try:
        current_app.send_task(TASK, expires=_BELL_EXPIRES_SECONDS, ignore_result=True)
    except Exception as error:  # noqa: BLE001 - kombu's transports raise what they like; the sweep comes anyway
        _log.warning("The broker did not take a bell (%s); the sweep will find the file.", error)
