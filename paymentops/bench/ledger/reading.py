"""How fast the ledger is read, sealed and verified, with accounts of 10,000 and of a million lines."""

import multiprocessing
import random
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.core.files.storage import InMemoryStorage
from django.db import connection

from ledger import operations as ledger
from ledger import postings, queries, verification
from ledger.postings import Parties
from paymentops.bench.measuring import Measured, Sample
from paymentops.bench.parallel import BenchFailed
from paymentops.core import ids
from paymentops.core.money import Money

SMALL: Final = 10_000
_BATCH: Final = 2000
_READS: Final = 300
_CURRENCY: Final = "EUR"
_PERIOD: Final = timedelta(days=365)
_FORK = multiprocessing.get_context("fork")

type Progress = Callable[[str], None]
type Read = Callable[[str, datetime], object]


def measure(*, lines: int, progress: Progress) -> dict[str, Any]:
    """Measure reads of an account with 10,000 lines and of one with ``lines`` lines, then sealing and verification.

    Every entry has two lines, so the ledger has twice as many lines as the two accounts together.
    """
    progress(f"filling an account with {SMALL:,} lines and one with {lines:,}")
    for name, count in (("small", SMALL), ("large", lines)):
        _fill(name, count)
    progress("sealing them")
    sealed = _seal()
    _settle_tables()
    figures: dict[str, Any] = {}
    for what, read in _READINGS.items():
        progress(f"reading: {what}")
        small, large = _read(read, "1110:small"), _read(read, "1110:large")
        figures[f"{what}_small"] = small.as_json(lines=SMALL)
        figures[f"{what}_large"] = large.as_json(lines=lines, ratio_to_small=_slower(large, small))
    progress("verifying everything")
    return {**figures, "seal": sealed, "verify": _verify_in_a_process_of_its_own()}


def _fill(name: str, lines: int) -> None:
    parties = Parties(client=f"cli_{name}", provider_account=name, method="card")
    now = datetime.now(UTC)
    for first in range(0, lines, _BATCH):
        batch = [
            postings.sold(payment_id=ids.new(now), parties=parties, amount=Money(12_990, _CURRENCY))
            for _ in range(min(_BATCH, lines - first))
        ]
        happened = now - _PERIOD + _PERIOD * first / lines
        ledger.post_many(batch, occurred_at=happened, now=happened, cause="bench:fill")


def _seal() -> dict[str, Any]:
    started, done, rounds = time.perf_counter(), 0, []
    while True:
        begun = time.perf_counter()
        sealed = ledger.seal(now=datetime.now(UTC))
        if sealed is None:
            raise BenchFailed("Another process seals this database.")
        rounds.append(time.perf_counter() - begun)
        done += sealed.links
        if not sealed.more:
            return Measured([Sample(done, time.perf_counter() - started, rounds)]).as_json(transitions=done)


def _settle_tables() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _read(read: Read, code: str) -> Measured:
    chance, now, latencies = random.Random(7), datetime.now(UTC), []  # noqa: S311 - moments to read at, no secret
    started = time.perf_counter()
    for _ in range(_READS):
        moment = now - _PERIOD * chance.random()
        begun = time.perf_counter()
        read(code, moment)
        latencies.append(time.perf_counter() - begun)
    return Measured([Sample(_READS, time.perf_counter() - started, latencies)])


def _slower(large: Measured, small: Measured) -> float:
    return round(large.percentile_ms(0.5) / small.percentile_ms(0.5), 3)


def _balance(code: str, moment: datetime) -> object:
    return queries.balance_at(code=code, currency=_CURRENCY, effective_at=moment)


def _balance_as_known(code: str, moment: datetime) -> object:
    return queries.balance_at(code=code, currency=_CURRENCY, effective_at=moment, known_at=moment)


def _statement(code: str, moment: datetime) -> object:
    return queries.statement(code=code, currency=_CURRENCY, since=moment)


def _newest_page(code: str, moment: datetime) -> object:
    return queries.statement_newest_first(code=code, currency=_CURRENCY, until=moment)


_READINGS: Final[dict[str, Read]] = {
    "balance": _balance,
    "balance_as_known": _balance_as_known,
    "statement": _statement,
    "statement_newest": _newest_page,
}


def _verify_in_a_process_of_its_own() -> dict[str, Any]:
    """Run every check of the ledger in a fork, whose memory is its own."""
    connection.close()
    answers = _FORK.SimpleQueue()
    child = _FORK.Process(target=_verify, args=(answers,), daemon=True)
    child.start()
    child.join()
    if child.exitcode or answers.empty():
        raise BenchFailed("The verification did not end well.")
    answer: dict[str, Any] = answers.get()
    if answer["violations"]:
        raise BenchFailed(f"The books the bench made do not verify: {answer['violations'][0]}")
    return answer


def _verify(answers: Any) -> None:
    began_with = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    found: list[str] = []
    by_check: dict[str, float] = {}
    # The files of roots beside this system tell of its real books, not of these.
    for check in verification.checks(roots=InMemoryStorage()):
        found += check.violations
        by_check[check.name] = round(time.perf_counter() - started - sum(by_check.values()), 2)
    seconds = time.perf_counter() - started
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - began_with
    lines = _count_lines()
    answers.put(
        {
            "rate": round(lines / seconds, 1),
            "lines": lines,
            "seconds": round(seconds, 1),
            "seconds_per_million_lines": round(seconds / lines * 1_000_000, 1),
            "memory_grown_mb": round(grown / 1024, 1),
            "seconds_by_check": by_check,
            "violations": found,
        }
    )


def _count_lines() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_line")
        row = cursor.fetchone()
    return int(row[0]) if row else 0
