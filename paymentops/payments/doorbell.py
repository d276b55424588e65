"""Telling the workers to look now. The database is the queue; a bell that is lost costs a sweep's wait, no payment.

Requests ring in passing; one background thread per process turns many rings into few messages, so that neither a slow
nor a missing broker ever holds up an answer.
"""

import logging
import os
import threading
import time
from typing import Final

from celery import current_app

TASK: Final = "payments.dispatch_due"
# The first ring goes out at once; those of a burst are gathered for this long.
_LEAST_GAP_SECONDS: Final = 0.2
# A bell that nobody heard in time is worthless: a sweep has been there since.
_BELL_EXPIRES_SECONDS: Final = 5

_log = logging.getLogger(__name__)


class Doorbell:
    """Sends at most one message per gap, from a thread that starts with the first ring in each process."""

    def __init__(self) -> None:
        self._rung = threading.Event()
        self._guard = threading.Lock()
        self._process = 0

    def ring(self) -> None:
        """Ask for a look at what is due; returns at once."""
        if self._process != os.getpid():
            self._start()
        self._rung.set()

    def _start(self) -> None:
        with self._guard:
            if self._process == os.getpid():
                return
            self._process = os.getpid()
            threading.Thread(target=self._run, name="doorbell", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._rung.wait()
            self._rung.clear()
            self._send()
            time.sleep(_LEAST_GAP_SECONDS)

    def _send(self) -> None:
        try:
            current_app.send_task(TASK, expires=_BELL_EXPIRES_SECONDS, ignore_result=True)
        except Exception as error:  # noqa: BLE001 - kombu's transports raise what they like; the sweep comes anyway
            _log.warning("The broker did not take a bell (%s); the sweep will find the work.", error)


_bell = Doorbell()


def ring() -> None:
    """Ask the workers to look at what is due; returns at once and never fails."""
    _bell.ring()
