"""A worker whose pool lost a process to a signal ends, so that its supervisor starts a whole one."""

import os
import signal
from types import SimpleNamespace

import pytest

from paymentops.celery import app
from paymentops.local import pool


def test_the_workers_pool_is_ours():
    assert app.conf.worker_pool == "paymentops.local.pool:TaskPool"
    assert pool.TaskPool.BlockingPool is pool.WholePool


@pytest.mark.parametrize("code", [0, 1, None, -signal.SIGTERM, -signal.SIGINT])
def test_a_process_that_ended_in_order_changes_nothing(code: int | None):
    pool.end_with(SimpleNamespace(exitcode=code))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_process_that_was_killed_ends_the_worker(number: signal.Signals):
    child = os.fork()
    if child == 0:
        pool.end_with(SimpleNamespace(exitcode=-number))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
