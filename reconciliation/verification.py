"""Recomputing what must hold of statement files and their rows; run by ``manage.py verify``."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

from django.core.files.storage import storages
from django.db import connection

from paymentops.core import ids
from paymentops.core.verification import Check
from reconciliation.models import StatementFile
from reconciliation.uploads import pieces_of

# A run that is read now is compared too: progress and rows are committed together.
_COUNTS: Final = """
SELECT run.id, run.state, run.lines, run.rejects, coalesce(found.lines, 0), coalesce(bad.rejects, 0)
FROM reconciliation_ingestrun run
LEFT JOIN (SELECT run_id, count(*) AS lines FROM reconciliation_statementline GROUP BY run_id) found
       ON found.run_id = run.id
LEFT JOIN (SELECT run_id, count(*) AS rejects FROM reconciliation_rejectedrow GROUP BY run_id) bad
       ON bad.run_id = run.id
WHERE run.state <> 'REFUSED'
  AND (run.lines <> coalesce(found.lines, 0) OR run.rejects <> coalesce(bad.rejects, 0))
ORDER BY run.id
"""
_TOTALS: Final = """
SELECT run.id, run.rows, sum(total.lines)
FROM reconciliation_ingestrun run JOIN reconciliation_statementtotal total ON total.run_id = run.id
WHERE run.state = 'PARSED'
GROUP BY run.id, run.rows HAVING run.rows < sum(total.lines)
ORDER BY run.id
"""
_STRAY: Final = """
SELECT line.id, run.id
FROM reconciliation_statementline line
JOIN reconciliation_ingestrun run ON run.id = line.run_id
JOIN reconciliation_statementfile file ON file.id = run.file_id
WHERE line.file_id <> file.id OR line.source_id <> file.source_id
ORDER BY line.id
"""
_STATES: Final = """
SELECT run.id, run.state, run.version, last.to_state, last.sequence
FROM reconciliation_ingestrun run
LEFT JOIN LATERAL (SELECT to_state, sequence FROM reconciliation_ingesttransition WHERE run_id = run.id
                   ORDER BY sequence DESC LIMIT 1) last ON TRUE
WHERE last.to_state IS DISTINCT FROM run.state OR last.sequence IS DISTINCT FROM run.version
ORDER BY run.id
"""


def checks() -> Iterator[Check]:
    """Compare stored bytes with their SHA-256, and rows with the counts and states of their runs."""
    yield Check.of("reconciliation.files_unchanged", _changed_files())
    yield Check.of(
        "reconciliation.rows_counted",
        (
            f"{ids.public(ids.Prefix.INGEST_RUN, run)} ({state}) counts {lines} lines and {rejects} rejects; "
            f"there are {found} and {bad}"
            for run, state, lines, rejects, found, bad in _rows(_COUNTS)
        ),
    )
    yield Check.of(
        "reconciliation.totals_covered",
        (
            f"{ids.public(ids.Prefix.INGEST_RUN, run)} has {rows} rows, its control totals speak of {stated} lines"
            for run, rows, stated in _rows(_TOTALS)
        ),
    )
    yield Check.of(
        "reconciliation.lines_in_place",
        (
            f"line {line} does not stand in the file of {ids.public(ids.Prefix.INGEST_RUN, run)}"
            for line, run in _rows(_STRAY)
        ),
    )
    yield Check.of(
        "reconciliation.run_states",
        (
            f"{ids.public(ids.Prefix.INGEST_RUN, run)} is {state} at version {version}; "
            f"its transitions say {said} at {sequence}"
            for run, state, version, said, sequence in _rows(_STATES)
        ),
    )


def _changed_files() -> Iterator[str]:
    storage = storages["statements"]
    for file in StatementFile.objects.filter(stored_at__isnull=False).order_by("id").iterator():
        try:
            with storage.open(file.stored_as) as stored:
                digest = sha256()
                for piece in pieces_of(stored):
                    digest.update(piece)
        except OSError as error:
            yield f"{file.public_id} cannot be read: {error.strerror or error}"
            continue
        if digest.hexdigest() != file.sha256:
            yield f"{file.public_id} is not what was received: its bytes have another SHA-256"


def _rows(statement: str) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        yield from cursor.fetchall()
