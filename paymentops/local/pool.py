"""The worker's pool for brokers without an event loop, such as the one made of files: whole, or ended.

There, all pool processes read their work through one lock, and a process that waits for work holds it. One that is
killed then (by the system for its memory, or by a hard time limit) takes the lock along: the others wait for ever, and
the worker looks alive while nothing is worked off. So the death of one by a signal ends the worker; its supervisor
starts it again, and what was under way is taken over once its lease is over. With RabbitMQ or Redis each process has a
pipe of its own and Celery's usual pool is used.
"""

import logging
import os
import signal
from typing import Any, Final

from billiard.pool import Pool
from celery.concurrency import prefork

_ASKED_TO_END: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})

logger = logging.getLogger(__name__)


class WholePool(Pool):
    """A pool that ends the worker when one of its processes was killed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "on_process_down": end_with})


class TaskPool(prefork.TaskPool):
    """Celery's prefork pool with the one above in place of billiard's."""

    BlockingPool = WholePool


def end_with(process: Any) -> None:
    """End this worker at once if a pool process was killed; one that was asked to end, or renewed, changes nothing."""
    code = process.exitcode
    if code is not None and code < 0 and -code not in _ASKED_TO_END:
        logger.error(
            "A pool process was ended by %s; the worker ends too, to be started again.", signal.Signals(-code).name
        )
        logging.shutdown()
        os._exit(1)
