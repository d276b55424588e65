"""A large file takes no more memory than a small one, and a batch that fails leaves nothing half-written."""

import resource
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection

from reconciliation import operations
from reconciliation.models import IngestRun, StatementLine
from reconciliation.uploads import spooled
from tests.reconciliation.sources import BY, HEAD, NOW, csv, row, send, source, worker

pytestmark = pytest.mark.django_db
# Measured in KB; a list of 100,000 lines alone would take more than this.
_MOST_GROWTH = 32 * 1024


def _pieces(rows: int) -> Iterator[bytes]:
    yield f"{HEAD}\n".encode()
    for first in range(1, rows + 1, 1000):
        yield "".join(f"{row(number)}\n" for number in range(first, min(first + 1000, rows + 1))).encode()
    yield f"END,{rows},,,,,\n".encode()


def _ingest(rows: int) -> IngestRun:
    with spooled(_pieces(rows), largest=10**9) as upload:
        received = operations.receive(upload, source_name="acme", name=f"{rows}.csv", by=BY, now=NOW)
    return operations.ingest(received.run.pk, worker=worker(size=5000))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(db) -> None:
    source()
    assert _ingest(10_000).lines == 10_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run = _ingest(100_000)
    assert (run.state, run.lines) == ("PARSED", 100_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < _MOST_GROWTH


@pytest.mark.django_db(transaction=True)
def test_a_batch_that_fails_midway_is_written_whole_by_the_next_worker(db) -> None:
    source()
    run = send(csv([row(number) for number in range(1, 8)])).run
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE reconciliation_statementline ADD CONSTRAINT no_five CHECK (position <> 5)")
    with pytest.raises(IntegrityError):
        operations.ingest(run.pk, worker=worker(size=2))
    stopped = IngestRun.objects.get(pk=run.pk)
    assert (stopped.state, stopped.rows) == ("PARSING", StatementLine.objects.count())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE reconciliation_statementline DROP CONSTRAINT no_five")
    done = operations.ingest(run.pk, worker=worker(at=NOW + timedelta(minutes=2), size=3))
    assert (done.state, done.lines, StatementLine.objects.count()) == ("PARSED", 7, 7)
