"""How fast accepted payments reach their provider, on a system of the bench's own with everything on one machine.

Saturation is the rate at which workers carry a backlog out while nothing else is asked of the machine. Then payments
come in over HTTP, one by one and evenly, at half of that rate, and each one's wait is measured from the moment it was
accepted to the moment its provider call began. Last, a backlog whose messages the broker lost is found by the sweep
alone. All moments are read from the rows that the system itself keeps.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg

from paymentops.bench import http_load, intake, parallel, rabbitmq
from paymentops.bench.http_load import Load, Request
from paymentops.bench.measuring import Measured, Sample
from paymentops.bench.own_system import OwnSystem
from paymentops.bench.parallel import BenchFailed
from paymentops.core import clock, ids
from paymentops.local import places
from paymentops.payments.operations.dispatching import HOLD_LOCK

_BATCH: Final = 500
_CONNECTIONS: Final = 8
_WARM_UP: Final = 100
_QUEUE: Final = "dispatch"
_GIVE_UP_SECONDS: Final = 120.0

_BETWEEN: Final = """
SELECT p.created_at, c.started_at, c.answered_at
FROM payments_payment p JOIN payments_attempt a ON a.payment_id = p.id
LEFT JOIN payments_providercall c ON c.attempt_id = a.id AND c.kind = 'DISPATCH' AND c.number = 1
WHERE p.created_at >= %s
"""
_WAITING: Final = "SELECT count(*) FROM payments_attempt WHERE state = 'PREPARED' AND dispatches = 0"

type Progress = Callable[[str], None]


def measure(*, system: OwnSystem, seconds: int, progress: Progress) -> dict[str, Any]:
    """Measure saturation, the waits at half of it for so many seconds, and what the sweep finds alone.

    Raises:
        BenchFailed: payments were not accepted or not sent.
    """
    with psycopg.connect(system.conninfo, autocommit=True) as database:
        progress("warming up")
        _accept(system, _WARM_UP)
        _wait_until_sent(database)
        progress("saturation")
        saturation = _saturation(system, database, seconds)
        rate = saturation.rate / 2
        progress(f"{rate:.0f} payments a second for {seconds} s")
        steady = _steady(system, database, rate=rate, seconds=seconds)
        progress("the sweep alone")
        sweep = _sweep_alone(system, database, backlog=max(10, int(rate)))
    return {
        "saturation": Measured([saturation]).as_json(),
        "half": Measured([steady]).as_json(p95_ms=round(Measured([steady]).percentile_ms(0.95), 2)),
        "sweep": sweep,
    }


def _saturation(system: OwnSystem, database: psycopg.Connection, seconds: int) -> Sample:
    """Let the workers carry out a backlog of about the time wished for, made while they were held."""
    probe = _drain(system, database, _WARM_UP)
    return _drain(system, database, max(_WARM_UP, int(probe.rate * seconds)))


def _drain(system: OwnSystem, database: psycopg.Connection, payments: int) -> Sample:
    since = clock.now()
    with _held(system):
        _accept(system, payments)
        released = clock.now()
    _wait_until_sent(database)
    # The first accepted waited for the rest; what counts is the time from letting go to the last call.
    calls = _calls(database, since)
    last = max(started for _, started, _ in calls)
    took = [(answered - started).total_seconds() for _, started, answered in calls]
    return Sample(done=len(calls), seconds=(last - released).total_seconds(), latencies=took)


def _steady(system: OwnSystem, database: psycopg.Connection, *, rate: float, seconds: int) -> Sample:
    """Send payments evenly over HTTP and return each one's wait for its provider call."""
    since = clock.now()
    requests = [_request(system) for _ in range(int(rate * seconds))]
    lanes = [
        [(n / rate, request) for n, request in enumerate(requests) if n % _CONNECTIONS == lane]
        for lane in range(_CONNECTIONS)
    ]
    sample = parallel.measure([partial(http_load.open_paced, url=system.url, lanes=lanes, expected_status=201)])
    if sample.seconds > seconds * 1.1:
        raise BenchFailed(f"The web server took {sample.done / sample.seconds:.0f} payments a second, not {rate:.0f}.")
    _wait_until_sent(database)
    calls = _calls(database, since)
    first, last = min(started for _, started, _ in calls), max(started for _, started, _ in calls)
    waits = [(started - created).total_seconds() for created, started, _ in calls]
    return Sample(done=len(calls), seconds=(last - first).total_seconds(), latencies=waits)


def _sweep_alone(system: OwnSystem, database: psycopg.Connection, *, backlog: int) -> dict[str, Any]:
    """Lose every message about a backlog and return how long it took until all of it was sent."""
    since = clock.now()
    with _held(system):
        _accept(system, backlog)
        # Bells of these payments are rung within a moment; held workers would swallow them without any effect.
        time.sleep(1)
        _lose_messages(system)
        lost = clock.now()
    _wait_until_sent(database)
    starts = sorted(started for _, started, _ in _calls(database, since))
    return {
        "rate": round(backlog / _seconds(lost, starts[-1]), 1),
        "payments": backlog,
        "found_s": round(_seconds(lost, starts[0]), 2),
        "sent_s": round(_seconds(lost, starts[-1]), 2),
    }


def _lose_messages(system: OwnSystem) -> None:
    if system.broker_url:
        rabbitmq.purge(system.broker_url, _QUEUE)
        return
    folder = Path(places.filesystem_broker_options(system.data_dir)["data_folder_in"])
    for message in folder.glob(f"*.{_QUEUE}.msg"):
        message.unlink(missing_ok=True)


@contextmanager
def _held(system: OwnSystem) -> Iterator[None]:
    """Keep all workers from taking on work, as ``dispatching.held`` does, in the bench's system."""
    with psycopg.connect(system.conninfo, autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(%s)", [HOLD_LOCK])
        yield


def _accept(system: OwnSystem, payments: int) -> None:
    """Accept so many payments in batches, which costs the machine little."""
    sizes = [min(_BATCH, payments - done) for done in range(0, payments, _BATCH)]
    requests = [
        Request.post(url=system.url, path="/api/v1/payments/batch", secret=system.secret, body=_batch(size))
        for size in sizes
    ]
    http_load.run(Load(url=system.url, per_process=[[requests]], expected_status=200))


def _batch(size: int) -> bytes:
    keys = [f"bench-{ids.new(clock.now()).hex}" for _ in range(size)]
    items = [{"idempotency_key": key, **intake.payment_body(key)} for key in keys]
    return json.dumps({"payments": items}).encode()


def _request(system: OwnSystem) -> Request:
    key = f"bench-{ids.new(clock.now()).hex}"
    body = json.dumps(intake.payment_body(key)).encode()
    return Request.post(url=system.url, path="/api/v1/payments", secret=system.secret, body=body, key=key)


def _wait_until_sent(database: psycopg.Connection) -> None:
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    pause = threading.Event()
    while time.monotonic() < deadline:
        [[waiting]] = database.execute(_WAITING).fetchall()
        if not waiting:
            # The last calls are on their way; their rows are written when they are answered.
            pause.wait(1)
            return
        pause.wait(0.25)
    raise BenchFailed(f"Not every payment was sent within {_GIVE_UP_SECONDS:g} s; do the workers run?")


def _calls(database: psycopg.Connection, since: datetime) -> list[tuple[datetime, datetime, datetime]]:
    rows = database.execute(_BETWEEN, [since]).fetchall()
    if unanswered := sum(started is None for _, started, _ in rows):
        raise BenchFailed(f"{unanswered} of {len(rows)} payments have no recorded provider call.")
    return [(created, started, answered) for created, started, answered in rows]


def _seconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()
