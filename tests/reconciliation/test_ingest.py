"""A statement file is received once, read once, and read to its end or not at all."""

from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import IntegrityError, transaction

from paymentops.core.errors import Conflict
from paymentops.events.models import OutboxEvent
from reconciliation import ingest_sql, operations, queries, verification
from reconciliation.models import IngestRun, IngestTransition, RejectedRow, StatementFile, StatementLine
from reconciliation.operations import receiving
from reconciliation.uploads import FileEmpty, FileTooLarge, spooled
from tests.reconciliation.sources import BY, NOW, csv, read, row, send, source, worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def acme(db):
    return source()


def _ok() -> bool:
    return [check.name for check in verification.checks() if not check.ok] == []


def _events() -> list[str]:
    return list(
        OutboxEvent.objects.filter(aggregate_type="ingest_run").order_by("sequence").values_list("type", flat=True)
    )


def test_a_file_becomes_lines_with_its_totals() -> None:
    run = read(csv([row(1), row(2, gross="-4.00", kind="back")]))
    assert (run.state, run.rows, run.lines, run.rejects) == ("PARSED", 2, 2, 0)
    first, second = StatementLine.objects.visible().order_by("position")
    assert (first.position, first.type, first.gross_minor, first.provider_reference) == (1, "charge", 1000, "p1")
    assert (second.type, second.net_minor, second.business_date.isoformat()) == ("refund", -400, "2026-03-09")
    assert [(total.currency, total.lines) for total in queries.totals(run, limit=9)] == [("EUR", 2)]
    assert _events() == ["statement.received", "statement.parsed"]
    assert _ok()


def test_a_row_that_cannot_be_read_is_kept_with_line_and_reason() -> None:
    run = read(csv([row(1), "p2,o2,sale,ten,0.00,ten,2026-03-09", row(3)]))
    assert (run.state, run.lines, run.rejects) == ("PARSED", 2, 1)
    found = queries.rejects(run, after=0, limit=9)
    assert [(reject.position, reject.line_number) for reject in found] == [(2, 3)]
    assert "'ten' is not an amount" in found[0].reason
    assert _ok()


def test_a_reference_that_no_index_can_hold_is_a_rejected_row() -> None:
    run = read(csv([f"{'x' * 4000},o1,sale,1.00,0.00,1.00,2026-03-09", row(2)]))
    assert (run.state, run.lines, run.rejects) == ("PARSED", 1, 1)
    assert _ok()


def test_the_same_bytes_answer_with_their_first_run() -> None:
    first = read(csv([row(1)]))
    again = send(csv([row(1)]), called="other.csv")
    assert (again.is_new, again.run.pk) == (False, first.pk)
    assert (StatementFile.objects.count(), StatementLine.objects.count()) == (1, 1)
    source("other")
    assert send(csv([row(1)]), name="other").is_new


def test_a_file_whose_totals_fail_is_refused_whole_and_leaves_no_row() -> None:
    run = operations.ingest(send(csv([row(n) for n in range(1, 8)], count=9)).run.pk, worker=worker(size=2))
    assert run.state == "REFUSED"
    assert run.reason_line
    assert StatementLine.objects.count() > 0
    assert StatementLine.objects.visible().count() == 0
    assert operations.clean_refused(limit=9, rows_at_once=2, now=NOW) == 1
    assert operations.clean_refused(limit=9, rows_at_once=2, now=NOW) == 0
    assert (StatementLine.objects.count(), RejectedRow.objects.count()) == (0, 0)
    assert _events() == ["statement.received", "statement.refused"]
    assert _ok()


def test_a_refused_file_can_be_read_again_once_it_is_cleared_away(acme) -> None:
    run = read(csv([row(1)], count=2))
    with pytest.raises(Conflict):
        receiving.read_again(run.file, by=BY, reason="the mapping was wrong", now=NOW)
    operations.clean_refused(limit=9, rows_at_once=9, now=NOW)
    again = operations.read_again(run.file, by=BY, reason="the mapping was wrong", now=NOW)
    assert again.number == 2
    assert operations.ingest(again.pk, worker=worker()).state == "REFUSED"
    assert send(csv([row(1)], count=2)).run.pk == run.pk


@pytest.mark.parametrize("died_after", [1, 2, 3, 4])
def test_a_run_goes_on_after_the_last_committed_batch(died_after: int) -> None:
    rows = [row(n) if n % 3 else f"p{n},o{n},sale,bad,0,bad,2026-03-09" for n in range(1, 11)]
    run = send(csv(rows)).run
    # A worker whose time is over after each batch; then another takes over what it left.
    for number in range(died_after):
        left = operations.ingest(run.pk, worker=worker(at=NOW + timedelta(seconds=number), size=2, until=NOW))
        # The first batch holds the header too.
        assert (left.state, left.rows) == ("PARSING", number + 1)
    done = operations.ingest(run.pk, worker=worker(at=NOW + timedelta(minutes=1), size=3))
    assert (done.state, done.rows, done.lines, done.rejects) == ("PARSED", 10, 7, 3)
    assert list(StatementLine.objects.order_by("position").values_list("position", flat=True)) == [1, 2, 4, 5, 7, 8, 10]
    assert _ok()


def test_nobody_takes_a_run_that_a_worker_holds_until_its_lease_is_over() -> None:
    run = send(csv([row(n) for n in range(1, 5)])).run
    held = operations.ingesting._claim(run.pk, worker=worker())
    assert held is not None
    assert operations.ingest(run.pk, worker=worker()).rows == 0
    later = NOW + operations.ingesting.LEASE
    assert operations.ingest_due(worker=worker(at=later), limit=5) == 1
    assert IngestRun.objects.get(pk=run.pk).state == "PARSED"


def test_a_worker_that_lost_its_lease_writes_nothing_more() -> None:
    run = send(csv([row(n) for n in range(1, 5)])).run
    slow = operations.ingesting._claim(run.pk, worker=worker())
    assert slow is not None
    operations.ingest(run.pk, worker=worker(at=NOW + operations.ingesting.LEASE))
    with pytest.raises(operations.ingesting.LeaseLost):
        operations.ingesting._read(slow, worker=worker())
    assert StatementLine.objects.count() == 4
    assert _ok()


def test_a_file_that_gets_nowhere_waits_for_a_person() -> None:
    run = send(csv([row(1)])).run
    at = NOW
    for _ in range(operations.ingesting.MOST_ATTEMPTS):
        assert operations.ingesting._claim(run.pk, worker=worker(at=at)) is not None
        at += operations.ingesting.LEASE
    assert operations.ingesting._claim(run.pk, worker=worker(at=at)) is None
    stuck = IngestRun.objects.get(pk=run.pk)
    assert (stuck.state, stuck.next_attempt_at) == ("FAILED", None)
    operations.resume(run.pk, cause="resume:1", now=at)
    assert operations.ingest(run.pk, worker=worker(at=at)).state == "PARSED"


def test_stored_bytes_that_changed_fail_the_run_and_the_verification() -> None:
    run = send(csv([row(1)])).run
    storage = storages["statements"]
    storage.delete(run.file.stored_as)
    storage.save(run.file.stored_as, ContentFile(csv([row(2)])))
    failed = operations.ingest(run.pk, worker=worker())
    assert failed.state == "FAILED"
    assert "not those that were received" in failed.reason
    assert StatementLine.objects.visible().count() == 0
    assert not _ok()


def test_a_file_that_was_claimed_but_never_stored_is_completed_by_sending_it_again() -> None:
    with spooled(iter([csv([row(1)])]), largest=10**6) as upload:
        file, _ = receiving._claim(upload, source=queries.source("acme"), name="a.csv", by=BY, now=NOW)
    storages["statements"].save(file.stored_as, ContentFile(b"half of it"))
    received = send(csv([row(1)]))
    assert operations.ingest(received.run.pk, worker=worker()).state == "PARSED"
    assert _ok()


def test_lines_and_moves_are_written_once() -> None:
    run = read(csv([row(1)]))
    for change in (
        lambda: StatementLine.objects.update(gross_minor=1),
        lambda: StatementLine.objects.all().delete(),
        lambda: IngestTransition.objects.filter(run=run).update(reason="x"),
        lambda: StatementFile.objects.update(sha256="0" * 64),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_a_position_of_a_file_is_written_once() -> None:
    run = read(csv([row(1)]))
    line = StatementLine.objects.get()
    line.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        line.save(force_insert=True)
    assert ingest_sql.delete_some(file_id=run.file_id, run_id=IngestRun().pk or run.file_id, limit=1) == 0


def test_an_empty_or_too_large_file_is_not_taken() -> None:
    with pytest.raises(FileEmpty), spooled(iter([b""]), largest=10):
        pass
    with pytest.raises(FileTooLarge), spooled(iter([b"12345", b"678901"]), largest=10):
        pass


def test_a_source_that_is_switched_off_takes_no_file() -> None:
    source("closed", is_active=False)
    with pytest.raises(operations.SourceInactive):
        send(csv([row(1)]), name="closed")
