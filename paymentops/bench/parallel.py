"""Doing one thing from several processes with several threads each, and timing it from a common start.

Every process prepares first (connections, rows, requests); the clock starts when all are ready.
"""

import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from threading import BrokenBarrierError
from typing import Any, Final

from paymentops.bench.measuring import Sample

_FORK = multiprocessing.get_context("fork")
_READY_WITHIN_SECONDS: Final = 120

# One thread's work: does it and returns the seconds each step took.
type Lane = Callable[[], list[float]]
# One process's preparation: returns its threads' work.
type Preparation = Callable[[], list[Lane]]


class BenchFailed(RuntimeError):
    """What was measured did not happen as it must; the figures would mean nothing."""


def measure(preparations: Sequence[Preparation]) -> Sample:
    """Run one process for each preparation and one thread for each lane it returns.

    Raises:
        BenchFailed: a process could not prepare, or a lane failed.
    """
    barrier = _FORK.Barrier(len(preparations) + 1)
    results = _FORK.SimpleQueue()
    children = [_FORK.Process(target=_child, args=(each, barrier, results), daemon=True) for each in preparations]
    for child in children:
        child.start()
    try:
        barrier.wait(_READY_WITHIN_SECONDS)
    except BrokenBarrierError:
        raise BenchFailed(str(results.get())) from None
    started = time.perf_counter()
    answers = [results.get() for _ in children]
    seconds = time.perf_counter() - started
    for child in children:
        child.join()
    failed = [answer for answer in answers if isinstance(answer, str)]
    if failed:
        raise BenchFailed(failed[0])
    latencies = list(chain.from_iterable(answers))
    return Sample(done=len(latencies), seconds=seconds, latencies=latencies)


def _child(prepare: Preparation, barrier: Any, results: Any) -> None:
    try:
        lanes = prepare()
        barrier.wait(_READY_WITHIN_SECONDS)
        with ThreadPoolExecutor(len(lanes)) as pool:
            results.put(list(chain.from_iterable(pool.map(lambda lane: lane(), lanes))))
    except Exception as error:  # noqa: BLE001 - the parent says what failed, whatever it was
        results.put(f"{type(error).__name__}: {error}")
        barrier.abort()
