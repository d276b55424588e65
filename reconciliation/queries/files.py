"""Statement files, their runs, and what could not be read of them."""

from uuid import UUID

from django.db.models import QuerySet

from paymentops.core.errors import NotFound
from reconciliation.models import IngestRun, RejectedRow, StatementFile, StatementTotal


def file_with_runs(file_id: UUID) -> StatementFile:
    """Return a file with its source and its runs.

    Raises:
        NotFound: there is none.
    """
    found = StatementFile.objects.select_related("source", "supersedes").prefetch_related("runs").filter(pk=file_id)
    file = found.first()
    if file is None:
        raise NotFound("There is no statement file of this id.")
    return file


def last_run(file: StatementFile) -> IngestRun | None:
    """Return a file's last run; none while its bytes are still on their way."""
    return max(file.runs.all(), key=lambda run: run.number, default=None)


def rejects(run: IngestRun, *, after: int, limit: int) -> list[RejectedRow]:
    """Return rows that a run could not read, in the order of the file, from behind a position on."""
    return list(RejectedRow.objects.filter(run=run, position__gt=after).order_by("position")[:limit])


def totals(run: IngestRun, *, limit: int) -> QuerySet[StatementTotal]:
    """Return a run's control totals, by statement and currency."""
    return StatementTotal.objects.filter(run=run).order_by("statement_id", "currency")[:limit]
