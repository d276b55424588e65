"""What services read of statement files. Amounts are signed minor units; whoever sent a file is not named."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from reconciliation.models import IngestRun, RejectedRow, StatementFile, StatementLine, StatementTotal
from reconciliation.queries import Change, ChangeKind


def file(row: StatementFile, run: IngestRun | None) -> dict[str, Any]:
    """Return a file and how far its last run got."""
    return {
        "id": row.public_id,
        "source": row.source.name,
        "name": row.name,
        "size": row.size,
        "sha256": row.sha256,
        "received_at": _moment(row.received_at),
        "version": row.version,
        "supersedes": row.supersedes.public_id if row.supersedes else None,
        "run": None if run is None else _run(run, size=row.size),
    }


def totals(rows: Iterable[StatementTotal]) -> list[dict[str, Any]]:
    """Return control totals."""
    return [
        {
            "statement": row.statement_id,
            "currency": row.currency,
            "lines": row.lines,
            "rejects": row.rejects,
            "credit": int(row.credit_minor),
            "debit": int(row.debit_minor),
            "opening": None if row.opening_minor is None else int(row.opening_minor),
            "closing": None if row.closing_minor is None else int(row.closing_minor),
            "checked": row.checked,
            "unproven": row.unproven,
        }
        for row in rows
    ]


def reject(row: RejectedRow) -> dict[str, Any]:
    """Return a row that could not be read."""
    return {"row": row.position, "line": row.line_number, "reason": row.reason, "excerpt": row.excerpt}


def changes(found: Iterable[Change], counts: dict[ChangeKind, int]) -> dict[str, Any]:
    """Return how a file differs from the version before it."""
    return {
        "counts": {kind.value: number for kind, number in counts.items()},
        "results": [
            {"kind": change.kind.value, "before": _line(change.before), "after": _line(change.after)}
            for change in found
        ],
    }


def _run(run: IngestRun, *, size: int) -> dict[str, Any]:
    return {
        "id": run.public_id,
        "state": run.state,
        "lines": run.lines,
        "rejects": run.rejects,
        "progress_percent": 100 if run.finished_at else min(99, run.bytes_read * 100 // size),
        "reason": run.reason,
        "reason_line": run.reason_line or None,
        "finished_at": _moment(run.finished_at),
    }


def _line(line: StatementLine | None) -> dict[str, Any] | None:
    if line is None:
        return None
    return {
        "row": line.position,
        "line": line.line_number,
        "type": line.type,
        "currency": line.currency,
        "gross": line.gross_minor,
        "fee": line.fee_minor,
        "net": line.net_minor,
        "booking_date": line.booking_date.isoformat() if line.booking_date else None,
        "value_date": line.value_date.isoformat() if line.value_date else None,
        "provider_reference": line.provider_reference,
        "our_reference": line.our_reference,
        "batch_id": line.batch_id,
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
