"""Reading a statement file into rows: batch by batch, each committed with the progress it makes.

A worker holds a lease and a fence. If it dies, the next one reads the file from its beginning and writes from the
first row that is not committed; if it was only slow, its next batch finds another fence and writes nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import F

from reconciliation import ingest_sql
from reconciliation.batches import Batch, batches
from reconciliation.formats import registry
from reconciliation.formats.contract import EndOfFile, StatementHeader, StatementRefused
from reconciliation.formats.options import Options
from reconciliation.ingest_sql import Target
from reconciliation.models import IngestRun
from reconciliation.operations import moving, receiving, versions
from reconciliation.states import RunState
from reconciliation.uploads import CountedReader

# Long enough for the slowest batch, short enough that a dead worker's file is taken over soon.
LEASE: Final = timedelta(seconds=60)
_FIRST_WAIT: Final = timedelta(seconds=30)
# A file that never makes progress in so many claims, because it kills its workers for example, waits for a person.
MOST_ATTEMPTS: Final = 5


class LeaseLost(Exception):
    """Another worker reads the file by now; this one stops without a word."""


@dataclass(frozen=True, slots=True)
class Worker:
    """Who reads, on which clock, until when, and how many rows it commits at a time."""

    name: str
    clock: Callable[[], datetime]
    until: datetime | None = None
    batch_size: int = settings.STATEMENT_BATCH_ROWS

    def is_late(self) -> bool:
        """Tell whether it has to stop."""
        return self.until is not None and self.clock() >= self.until


@dataclass(slots=True)
class _Identity:
    """What the headers of a file say of which statement it is, as a digest that grows with them."""

    parts: list[str]
    has_date: bool = False
    has_name: bool = False

    def add(self, header: StatementHeader) -> None:
        found = (header.account, header.currency, header.reference, header.sequence, str(header.page))
        days = (str(header.from_date), str(header.to_date))
        self.has_name = self.has_name or bool(header.reference or header.sequence or header.from_date)
        self.has_date = self.has_date or header.from_date is not None
        self.parts = [sha256("|".join([*self.parts, *found, *days]).encode()).hexdigest()]


def ingest(run_id: UUID, *, worker: Worker) -> IngestRun:
    """Read a file as far as the worker's time goes; return the run as it stands. Not inside a transaction.

    A run that is finished, waits or belongs to another worker is left as it is. Emits ``statement.parsed`` or
    ``statement.refused``.
    """
    run = _claim(run_id, worker=worker)
    if run is not None:
        with suppress(LeaseLost):
            _read_or_say_why(run, worker=worker)
    return IngestRun.objects.select_related("file__source").get(pk=run_id)


def ingest_due(*, worker: Worker, limit: int) -> int:
    """Read up to ``limit`` files that are due, the oldest first; return how many were taken up."""
    taken = 0
    while taken < limit and not worker.is_late():
        run_id = IngestRun.objects.due(worker.clock()).order_by("id").values_list("pk", flat=True).first()
        if run_id is None:
            break
        ingest(run_id, worker=worker)
        taken += 1
    return taken


def clean_refused(*, limit: int, rows_at_once: int, now: datetime) -> int:
    """Delete the rows of refused runs, piece by piece; return how many runs are clean now. May run twice."""
    cleaned = 0
    for run in IngestRun.objects.to_clean().order_by("id")[:limit]:
        while ingest_sql.delete_some(file_id=run.file_id, run_id=run.pk, limit=rows_at_once):
            pass
        cleaned += IngestRun.objects.to_clean().filter(pk=run.pk).update(cleaned_at=now)
    return cleaned


@transaction.atomic
def resume(run_id: UUID, *, cause: str, now: datetime) -> IngestRun:
    """Let a failed run be tried again at once. Locks it.

    Raises:
        django_fsm.TransitionNotAllowed: it did not fail.
    """
    run = IngestRun.objects.select_for_update().get(pk=run_id)
    before = run.state
    run.resume(now=now)
    moving.save_moved(run, before=before, cause=cause, now=now)
    return run


@transaction.atomic
def _claim(run_id: UUID, *, worker: Worker) -> IngestRun | None:
    now = worker.clock()
    due = IngestRun.objects.due(now).filter(pk=run_id)
    run = due.select_for_update(skip_locked=True, of=("self",)).select_related("file__source").first()
    if run is None:
        return None
    before = run.state
    if before == RunState.PARSING and run.attempts >= MOST_ATTEMPTS:
        run.fail(reason=f"{run.attempts} workers took it up and none got on; resume it by hand.", next_attempt_at=None)
        moving.save_moved(run, before=before, cause=f"given up:{run.fence}", now=now)
        return None
    run.start(worker=worker.name, lease_until=now + LEASE)
    moving.save_moved(run, before=before, cause=f"claim:{run.fence}", now=now)
    return run


def _read_or_say_why(run: IngestRun, *, worker: Worker) -> None:
    try:
        _read(run, worker=worker)
    except StatementRefused as refusal:
        _refuse(run, refusal, now=worker.clock())
    except OSError as error:
        _fail(run, f"The file could not be read: {error}", now=worker.clock())


def _read(run: IngestRun, *, worker: Worker) -> None:
    target = Target(run.file.source_id, run.file_id, run.pk, ZoneInfo(run.zone))
    with receiving.storage().open(run.file.stored_as) as file:
        reader, identity = CountedReader(file), _Identity([])
        for batch in _batches(run, reader, size=worker.batch_size):
            for header in batch.headers:
                identity.add(header)
            _commit(run, batch, target=target, bytes_read=reader.bytes_read, now=worker.clock())
            if batch.end is not None:
                _require_bytes(run, reader)
                _finish(run, batch.end, identity, now=worker.clock())
            elif batch.rows and worker.is_late():
                _let_go(run, now=worker.clock())
                return


def _batches(run: IngestRun, reader: CountedReader, *, size: int) -> Iterator[Batch]:
    options = Options.parse({**run.options, "zone": run.zone})
    events = registry.read(reader, format_name=run.format, options=options)
    return batches(events, after=run.rows, size=size)


@transaction.atomic
def _commit(run: IngestRun, batch: Batch, *, target: Target, bytes_read: int, now: datetime) -> None:
    """Write a batch and the progress it makes.

    Raises:
        LeaseLost: another worker has the run; nothing was written.
    """
    run.rows += batch.rows
    run.lines += len(batch.lines)
    run.rejects += len(batch.rejects)
    mine = IngestRun.objects.filter(pk=run.pk, fence=run.fence, state=RunState.PARSING)
    if not mine.update(
        rows=run.rows,
        lines=run.lines,
        rejects=run.rejects,
        bytes_read=bytes_read,
        lease_until=now + LEASE,
        attempts=0 if batch.rows else F("attempts"),
    ):
        raise LeaseLost
    ingest_sql.write_headers(batch.headers, target=target)
    ingest_sql.copy_lines(batch.lines, target=target)
    ingest_sql.copy_rejects(batch.rejects, target=target)
    ingest_sql.write_totals(batch.totals, target=target)


def _require_bytes(run: IngestRun, reader: CountedReader) -> None:
    if reader.digest_to_end() != run.file.sha256:
        raise OSError("the stored bytes are not those that were received; restore the file and resume the run")


@transaction.atomic
def _finish(run: IngestRun, end: EndOfFile, identity: _Identity, *, now: datetime) -> None:
    locked = _locked(run)
    if locked.rows != end.rows:
        raise StatementRefused(line_number=0, reason=f"{end.rows} rows were read, {locked.rows} were written.")
    versions.place(locked.file, identity=_identity_of(locked, identity))
    before = locked.state
    locked.complete(now=now)
    moving.save_moved(locked, before=before, cause="parsed", now=now)


@transaction.atomic
def _refuse(run: IngestRun, refusal: StatementRefused, *, now: datetime) -> None:
    locked = _locked(run)
    before = locked.state
    locked.refuse(reason=refusal.reason, line_number=refusal.line_number, now=now)
    moving.save_moved(locked, before=before, cause="refused", now=now)


@transaction.atomic
def _fail(run: IngestRun, reason: str, *, now: datetime) -> None:
    locked = _locked(run)
    before = locked.state
    again = now + _FIRST_WAIT * 2**locked.attempts if locked.attempts < MOST_ATTEMPTS else None
    locked.fail(reason=reason[:1000], next_attempt_at=again)
    moving.save_moved(locked, before=before, cause=f"failed:{locked.fence}", now=now)


def _let_go(run: IngestRun, *, now: datetime) -> None:
    """End the lease, so that the next worker goes on at once."""
    IngestRun.objects.filter(pk=run.pk, fence=run.fence, state=RunState.PARSING).update(lease_until=now)


def _locked(run: IngestRun) -> IngestRun:
    """Lock a run that is still this worker's.

    Raises:
        LeaseLost: it is not.
    """
    found = IngestRun.objects.select_for_update(of=("self",)).select_related("file__source")
    locked = found.filter(pk=run.pk, fence=run.fence, state=RunState.PARSING).first()
    if locked is None:
        raise LeaseLost
    return locked


def _identity_of(run: IngestRun, identity: _Identity) -> str:
    """Name the statement that a file gives: what its headers say, else its name, with its days."""
    parts = list(identity.parts) if identity.has_name else [run.file.name]
    if not identity.has_date:
        parts += [str(day) for day in ingest_sql.days_of(file_id=run.file_id)]
    return sha256("|".join(parts).encode()).hexdigest()
