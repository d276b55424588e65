"""How fast payments are accepted over HTTP, compared with the same rows written straight into the same database.

Floor and product alternate in one run, so that what else the machine does meets both; every figure is the median of
the runs. While it measures, workers take on no new attempts, so that intake alone is measured; the relay and all else
go on. Afterwards the workers send the payments made here like any other; the floor's stay unsent.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from paymentops.bench import floor, http_load
from paymentops.bench.http_load import Load, Request
from paymentops.bench.measuring import Measured, Sample, ratio_of_pairs
from paymentops.core import ids
from paymentops.payments.operations import dispatching

PROCESSES: Final = 2
CONNECTIONS: Final = 8
BATCH: Final = 500
_RUNS: Final = 3
_NEVER: Final = timedelta(days=3650)

type Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The running system: its address, a key of a client of its own, and how to reach its database."""

    url: str
    secret: str
    client_id: UUID
    conninfo: str


def measure(*, target: Target, payments: int, now: datetime, progress: Progress) -> dict[str, Any]:
    """Measure floor, first requests, replays and batches; ``payments`` is the number in each run of the first two.

    Returns one object per measured thing with ``rate``, ``p50_ms``, ``p99_ms`` and ``ratio`` to the floor.
    """
    with dispatching.held():
        return _measure(target, payments, now, progress)


def _measure(target: Target, payments: int, now: datetime, progress: Progress) -> dict[str, Any]:
    floors, firsts, replays, batches = [], [], [], []
    batches_each = max(4, payments // 250)
    _warm_up(target, now)
    for run in range(1, _RUNS + 1):
        progress(f"run {run} of {_RUNS}: floor")
        floors.append(_floor(target, payments, now))
        progress(f"run {run} of {_RUNS}: first requests")
        requests = _requests(target, payments, now)
        firsts.append(_send(target, requests))
        progress(f"run {run} of {_RUNS}: replays")
        replays.append(_send(target, requests))
        progress(f"run {run} of {_RUNS}: batches of {BATCH}")
        batches.append(_send_batches(target, batches_each, now))
    measured_floor, first, replay, batch = map(Measured, (floors, firsts, replays, batches))
    return {
        "floor": measured_floor.as_json(),
        "first": first.as_json(ratio=ratio_of_pairs(first, measured_floor)),
        "replay": replay.as_json(
            ratio=ratio_of_pairs(replay, measured_floor), ratio_to_first=ratio_of_pairs(replay, first)
        ),
        "batch": batch.as_json(
            ratio=ratio_of_pairs(batch, measured_floor), ratio_to_first=ratio_of_pairs(batch, first)
        ),
    }


def _warm_up(target: Target, now: datetime) -> None:
    """Let every web worker open its connections and prepare its statements before the clock runs."""
    _send(target, _requests(target, 320, now))


def _floor(target: Target, payments: int, now: datetime) -> Sample:
    return floor.run(
        conninfo=target.conninfo,
        client_id=target.client_id,
        payments=payments,
        processes=PROCESSES,
        connections=CONNECTIONS,
        due=now + _NEVER,
    )


def _send(target: Target, requests: Sequence[Request]) -> Sample:
    lanes = http_load.spread(requests, processes=PROCESSES, connections=CONNECTIONS)
    return http_load.run(Load(url=target.url, per_process=lanes, expected_status=201))


def _requests(target: Target, count: int, now: datetime) -> list[Request]:
    keys = [f"bench-{ids.new(now).hex}" for _ in range(count)]
    return [
        Request.post(
            url=target.url,
            path="/api/v1/payments",
            secret=target.secret,
            body=json.dumps(payment_body(key)).encode(),
            key=key,
        )
        for key in keys
    ]


def _send_batches(target: Target, batches: int, now: datetime) -> Sample:
    requests = [
        Request.post(
            url=target.url, path="/api/v1/payments/batch", secret=target.secret, body=json.dumps(_batch(now)).encode()
        )
        for _ in range(batches)
    ]
    lanes = http_load.spread(requests, processes=PROCESSES, connections=2)
    sample = http_load.run(Load(url=target.url, per_process=lanes, expected_status=200))
    return Sample(done=sample.done * BATCH, seconds=sample.seconds, latencies=sample.latencies)


def _batch(now: datetime) -> dict[str, Any]:
    keys = [f"bench-{ids.new(now).hex}" for _ in range(BATCH)]
    return {"payments": [{"idempotency_key": key, **payment_body(key)} for key in keys]}


def payment_body(key: str) -> dict[str, Any]:
    """Return the request of a payment that the sandbox takes."""
    return {
        "amount": 12990,
        "currency": "EUR",
        "method": "card",
        "payment_token": "tok_approved",
        "reference": key,
        "customer_reference": "cust-77",
        "capture": "automatic",
        "provider": "sandbox",
        "metadata": {"basket": "B-1"},
    }
