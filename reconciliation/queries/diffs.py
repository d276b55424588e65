"""What changed between two versions of a statement, line by line."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from django.db import connection

from reconciliation.models import StatementFile, StatementLine


class ChangeKind(StrEnum):
    """What became of a line."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class LineChange:
    """One line's change by the ids of ``StatementLine``; the side that is missing is ``None``."""

    kind: ChangeKind
    before_id: int | None
    after_id: int | None


@dataclass(frozen=True, slots=True)
class Change:
    """One line's change with both lines."""

    kind: ChangeKind
    before: StatementLine | None
    after: StatementLine | None


# Where a line stands in the file is no part of it. Lines of equal references and type are told apart by their order.
_CHANGES: Final = """
WITH numbered AS (
    SELECT id, file_id, position, type, currency, provider_reference, our_reference, batch_id,
           row_number() OVER (PARTITION BY file_id, type, currency, provider_reference, our_reference
                              ORDER BY md5(contents::text), position) AS number,
           md5(contents::text) AS digest
    FROM reconciliation_statementline,
         LATERAL (SELECT (gross_minor, fee_minor, net_minor, booked, reversal, moved_at, booking_date, value_date,
                          related_reference, batch_id, account, original_minor, original_currency, exchange_rate,
                          fee_parts, amounts, other_references, method, provider_type, description)) AS row (contents)
    WHERE file_id IN (%(before)s, %(after)s)
), older AS (SELECT * FROM numbered WHERE file_id = %(before)s),
   newer AS (SELECT * FROM numbered WHERE file_id = %(after)s)
SELECT CASE WHEN older.id IS NULL THEN 'added' WHEN newer.id IS NULL THEN 'removed' ELSE 'changed' END AS kind,
       older.id, newer.id, coalesce(newer.position, older.position) AS place
FROM older FULL JOIN newer USING (type, currency, provider_reference, our_reference, number)
WHERE older.digest IS DISTINCT FROM newer.digest
"""
_LISTED: Final = f"SELECT kind, older_id, newer_id FROM ({_CHANGES}) AS found (kind, older_id, newer_id, place) ORDER BY place, kind, older_id, newer_id LIMIT %(limit)s"  # noqa: E501, S608 - no input
_COUNTED: Final = f"SELECT kind, count(*) FROM ({_CHANGES}) AS found (kind, older_id, newer_id, place) GROUP BY kind"  # noqa: S608 - no input


def changes(file: StatementFile, *, limit: int) -> list[Change]:
    """Return how a file's lines differ from those of the version before it, in the order of the file."""
    found = _line_changes(file, limit=limit)
    wanted = {pk for change in found for pk in (change.before_id, change.after_id) if pk is not None}
    lines = StatementLine.objects.in_bulk(wanted)
    return [
        Change(
            change.kind,
            None if change.before_id is None else lines[change.before_id],
            None if change.after_id is None else lines[change.after_id],
        )
        for change in found
    ]


def count_changes(file: StatementFile) -> dict[ChangeKind, int]:
    """Return how many lines were added, removed and changed since the version before; none for a first version."""
    counts = dict.fromkeys(ChangeKind, 0)
    if file.supersedes_id is not None:
        with connection.cursor() as cursor:
            cursor.execute(_COUNTED, {"before": file.supersedes_id, "after": file.pk})
            counts |= {ChangeKind(kind): number for kind, number in cursor.fetchall()}
    return counts


def _line_changes(file: StatementFile, *, limit: int) -> list[LineChange]:
    if file.supersedes_id is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_LISTED, {"before": file.supersedes_id, "after": file.pk, "limit": limit})
        return [LineChange(ChangeKind(kind), before, after) for kind, before, after in cursor.fetchall()]
