"""The hot path of ingest: the rows of a statement file written by COPY through psycopg.

Django's own cursor knows COPY only through psycopg's; these run on the same connection, hence in the same transaction
as the progress that they belong to. Called by ``reconciliation.operations`` only.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from psycopg import Cursor
from psycopg.rows import tuple_row

from reconciliation.formats.contract import ControlTotals, Reject, StatementHeader, StatementLine


@dataclass(frozen=True, slots=True)
class Target:
    """Whose rows they become, and the zone that turns a moment into a day."""

    source_id: int
    file_id: UUID
    run_id: UUID
    zone: ZoneInfo


_COPY_LINES: Final = """
COPY reconciliation_statementline (source_id, file_id, run_id, position, line_number, statement_id, type, currency,
    gross_minor, fee_minor, net_minor, booked, reversal, moved_at, booking_date, value_date, business_date,
    provider_reference, related_reference, our_reference, batch_id, account, original_minor, original_currency,
    exchange_rate, fee_parts, amounts, other_references, method, provider_type, description) FROM STDIN
"""
_COPY_REJECTS: Final = """
COPY reconciliation_rejectedrow (run_id, position, line_number, statement_id, reason, excerpt, amount_minor, currency)
FROM STDIN
"""
# A resumed run meets the headers and totals of its first part again.
_HEADER: Final = """
INSERT INTO reconciliation_statement (run_id, statement_id, line_number, account, currency, format_version, reference,
    sequence, page, last_page, created_at, from_date, to_date, opening_minor)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (run_id, statement_id) DO NOTHING
"""
_TOTAL: Final = """
INSERT INTO reconciliation_statementtotal (run_id, statement_id, currency, line_number, lines, rejects, credit_minor,
    debit_minor, opening_minor, closing_minor, checked, unproven, unexplained_minor)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (run_id, statement_id, currency) DO NOTHING
"""
# Rows of a refused run go in pieces, so that no transaction holds a million of them.
_DELETE: Final = """
DELETE FROM reconciliation_{table} WHERE id IN (
    SELECT id FROM reconciliation_{table} WHERE run_id = %s LIMIT %s)
"""
_DELETE_LINES: Final = """
DELETE FROM reconciliation_statementline WHERE id IN (
    SELECT id FROM reconciliation_statementline WHERE file_id = %s AND run_id = %s ORDER BY position LIMIT %s)
"""
_DAYS: Final = "SELECT min(business_date), max(business_date) FROM reconciliation_statementline WHERE file_id = %s"
_SHARED: Final = """
SELECT NOT EXISTS (SELECT 1 FROM reconciliation_statementline WHERE file_id = %(older)s) OR EXISTS (
    SELECT 1 FROM reconciliation_statementline older JOIN reconciliation_statementline newer
        ON newer.file_id = %(newer)s AND newer.type = older.type AND newer.currency = older.currency
           AND newer.provider_reference = older.provider_reference AND newer.our_reference = older.our_reference
           AND (older.provider_reference <> '' OR older.our_reference <> '' OR newer.gross_minor = older.gross_minor)
    WHERE older.file_id = %(older)s)
"""


def copy_lines(lines: Sequence[StatementLine], *, target: Target) -> None:
    """Write lines.

    Raises:
        django.db.IntegrityError: one of these positions of the file is written already.
    """
    zone, beside = target.zone, (target.source_id, target.file_id, target.run_id)
    _copy(_COPY_LINES, ((*beside, *_line(line, zone)) for line in lines), are_there=bool(lines))


def copy_rejects(rejects: Sequence[Reject], *, target: Target) -> None:
    """Write rows that cannot be read."""
    _copy(_COPY_REJECTS, (_reject(row, target.run_id) for row in rejects), are_there=bool(rejects))


def write_headers(headers: Iterable[StatementHeader], *, target: Target) -> None:
    """Write the beginnings of statements; those that are there stay."""
    _execute_many(_HEADER, [_header(header, target.run_id) for header in headers])


def write_totals(totals: Iterable[ControlTotals], *, target: Target) -> None:
    """Write the control totals of statements; those that are there stay."""
    _execute_many(_TOTAL, [_total(total, target.run_id) for total in totals])


def delete_some(*, file_id: UUID, run_id: UUID, limit: int) -> int:
    """Delete up to ``limit`` rows of each kind of a refused run; return how many went."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_LINES, [file_id, run_id, limit])
        gone = int(cursor.rowcount)
        for table in ("rejectedrow", "statement", "statementtotal"):
            cursor.execute(_DELETE.format(table=table), [run_id, limit])
            gone += cursor.rowcount
    return gone


def days_of(*, file_id: UUID) -> tuple[date | None, date | None]:
    """Return the first and the last business date of a file's lines."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, [file_id])
        first, last = cursor.fetchone()
    return first, last


def share_a_line(*, older_id: UUID, newer_id: UUID) -> bool:
    """Tell whether two files have a line in common, or the older has none."""
    with connection.cursor() as cursor:
        cursor.execute(_SHARED, {"older": older_id, "newer": newer_id})
        return bool(cursor.fetchone()[0])


def _line(line: StatementLine, zone: ZoneInfo) -> tuple[Any, ...]:
    business_date = line.booking_date or line.value_date
    if business_date is None and line.moved_at is not None:
        business_date = line.moved_at.astimezone(zone).date()
    return (
        line.row, line.line_number, line.statement_id, line.type.value, line.currency,
        line.gross_minor, line.fee_minor, line.net_minor, line.booked, line.reversal,
        line.moved_at, line.booking_date, line.value_date, business_date,
        line.provider_reference, line.related_reference, line.our_reference, line.batch_id, line.account,
        line.original_minor, line.original_currency, line.exchange_rate,
        _pairs(line.fee_parts), _pairs(line.amounts), _pairs(line.references),
        line.method, line.provider_type, line.description,
    )  # fmt: skip


def _reject(row: Reject, run_id: UUID) -> tuple[Any, ...]:
    amount, currency = (None, "") if row.amount is None else (row.amount.minor, row.amount.currency)
    return run_id, row.row, row.line_number, row.statement_id, row.reason, row.excerpt, amount, currency


def _header(header: StatementHeader, run_id: UUID) -> tuple[Any, ...]:
    return (
        run_id, header.statement_id, header.line_number, header.account, header.currency, header.version,
        header.reference, header.sequence, header.page, header.last_page, header.created_at, header.from_date,
        header.to_date, None if header.opening is None else header.opening.minor,
    )  # fmt: skip


def _total(total: ControlTotals, run_id: UUID) -> tuple[Any, ...]:
    return (
        run_id, total.statement_id, total.currency, total.line_number, total.lines, total.rejects,
        total.credit_minor, total.debit_minor, total.opening_minor, total.closing_minor,
        json.dumps(total.checked), json.dumps(total.unproven), total.unexplained_minor,
    )  # fmt: skip


def _pairs(pairs: tuple[tuple[str, object], ...]) -> str:
    return json.dumps(pairs) if pairs else "[]"


def _copy(statement: str, rows: Iterator[tuple[Any, ...]], *, are_there: bool) -> None:
    if not are_there:
        return
    connection.ensure_connection()
    with (
        connection.wrap_database_errors,
        Cursor(connection.connection, row_factory=tuple_row) as cursor,
        cursor.copy(statement) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _execute_many(statement: str, rows: list[tuple[Any, ...]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
