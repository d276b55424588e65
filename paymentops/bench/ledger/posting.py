"""How fast the ledger takes entries: one at a time on few and on many accounts, and in batches against COPY."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection, connections

from ledger import operations as ledger
from ledger import posting_sql, postings
from ledger.chart import AccountRef
from ledger.postings import Parties, Posting
from paymentops.bench import parallel
from paymentops.bench.ledger import twins
from paymentops.bench.measuring import Measured, Sample, ratio_of_pairs
from paymentops.bench.parallel import Lane
from paymentops.core import ids
from paymentops.core.money import Money

PROCESSES: Final = 2
CONNECTIONS: Final = 8
BATCH: Final = 1000
HOT, SPREAD = 10, 1000
_RUNS: Final = 3
_SALE: Final = Money(12_990, "EUR")

type Progress = Callable[[str], None]


def measure(*, entries: int, progress: Progress) -> dict[str, Any]:
    """Measure posting; ``entries`` is the number of entries in every run of every thing.

    Returns the objects ``floor``, ``batch`` (rates of entries, ``ratio`` to the floor), ``single_spread`` and
    ``single_hot`` (``ratio`` of the hot rate to the spread one).
    """
    twins.make()
    account_ids = _opened(SPREAD)
    floors, batches, hot, spread = [], [], [], []
    batches_each = max(1, entries // BATCH // PROCESSES)
    _post_singly(CONNECTIONS * PROCESSES * 20, accounts=SPREAD)
    for run in range(1, _RUNS + 1):
        progress(f"run {run} of {_RUNS}: COPY of batches of {BATCH}")
        floors.append(_copy_batches(batches_each, account_ids))
        progress(f"run {run} of {_RUNS}: posting batches of {BATCH}")
        batches.append(_post_batches(batches_each))
        progress(f"run {run} of {_RUNS}: posting one at a time on {SPREAD} accounts")
        spread.append(_post_singly(entries, accounts=SPREAD))
        progress(f"run {run} of {_RUNS}: posting one at a time on {HOT} accounts")
        hot.append(_post_singly(entries, accounts=HOT))
    floor, batch, on_many, on_few = map(Measured, (floors, batches, spread, hot))
    return {
        "floor": floor.as_json(),
        "batch": batch.as_json(ratio=ratio_of_pairs(batch, floor)),
        "single_spread": on_many.as_json(ratio=ratio_of_pairs(on_many, floor)),
        "single_hot": on_few.as_json(
            ratio=ratio_of_pairs(on_few, floor), ratio_to_spread=ratio_of_pairs(on_few, on_many)
        ),
    }


def sales(count: int, *, accounts: int) -> list[Posting]:
    """Make ``count`` sales that touch ``accounts`` accounts, half of them of providers, half of clients."""
    now, half = datetime.now(UTC), accounts // 2
    parties = [Parties(client=f"cli_{at}", provider_account=f"bench{at}", method="card") for at in range(half)]
    return [
        postings.sold(payment_id=ids.new(now), parties=parties[number % half], amount=_SALE) for number in range(count)
    ]


def _opened(accounts: int) -> dict[AccountRef, int]:
    """Open all accounts, so that neither floor nor product does it while measured."""
    named = [line.account for sale in sales(accounts, accounts=accounts) for line in sale.lines]
    return posting_sql.account_ids(named, now=datetime.now(UTC))


def _copy_batches(batches_each: int, account_ids: dict[AccountRef, int]) -> Sample:
    connection.ensure_connection()
    prepare = partial(_copy_lanes, str(connection.connection.info.dsn), batches_each, account_ids)
    connection.close()
    return _per_entry(parallel.measure([prepare] * PROCESSES))


def _copy_lanes(conninfo: str, batches: int, account_ids: dict[AccountRef, int]) -> list[Lane]:
    opened = psycopg.connect(conninfo, autocommit=True)
    copy = partial(twins.copy, opened)
    texts = [twins.rows(sales(BATCH, accounts=SPREAD), account_ids=account_ids) for _ in range(batches + 1)]
    copy(texts.pop())
    return [partial(_timed, copy, texts)]


def _post_batches(batches_each: int) -> Sample:
    connection.close()
    return _per_entry(parallel.measure([partial(_batch_lanes, batches_each)] * PROCESSES))


def _batch_lanes(batches: int) -> list[Lane]:
    made = [sales(BATCH, accounts=SPREAD) for _ in range(batches + 1)]
    return [_warmed(partial(_timed, _post_batch, made), warm_up=partial(_post_batch, made.pop()))]


def _post_batch(batch: Sequence[Posting]) -> None:
    now = datetime.now(UTC)
    ledger.post_many(batch, occurred_at=now, now=now, cause="bench:batch")


def _post_singly(entries: int, *, accounts: int) -> Sample:
    connection.close()
    share = max(1, entries // (PROCESSES * CONNECTIONS))
    return parallel.measure([partial(_single_lanes, share, accounts)] * PROCESSES)


def _single_lanes(share: int, accounts: int) -> list[Lane]:
    made = [sales(share + 1, accounts=accounts) for _ in range(CONNECTIONS)]
    return [_warmed(partial(_timed, _post_one, each), warm_up=partial(_post_one, each.pop())) for each in made]


def _warmed(lane: Lane, *, warm_up: Callable[[], None]) -> Lane:
    """Open a connection for the lane and let its session prepare what it needs, before the clock runs.

    Django keeps a connection for each thread, and the lane runs in another one than this.
    """
    opened = connections.create_connection(DEFAULT_DB_ALIAS)
    opened.inc_thread_sharing()
    connections[DEFAULT_DB_ALIAS] = opened
    warm_up()

    def run() -> list[float]:
        connections[DEFAULT_DB_ALIAS] = opened
        return lane()

    return run


def _post_one(sale: Posting) -> None:
    now = datetime.now(UTC)
    ledger.post(sale, occurred_at=now, now=now, cause="bench:single")


def _timed[Item](do: Callable[[Item], None], items: Sequence[Item]) -> list[float]:
    """Do one item after the other and return the seconds each took."""
    latencies = []
    for item in items:
        started = time.perf_counter()
        do(item)
        latencies.append(time.perf_counter() - started)
    return latencies


def _per_entry(sample: Sample) -> Sample:
    return Sample(done=sample.done * BATCH, seconds=sample.seconds, latencies=sample.latencies)
