"""Disputes of the sandbox's charges: opened and moved by an administrator.

Each move is told by a notification. The sandbox takes any status an administrator names, so that a test can tell
things that no bank would.
"""

import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from paymentops.providers.sandbox.truth import Refused, Truth

_COLUMNS: Final = ("status", "stage", "amount", "currency", "fee", "reason", "evidence", "evidence_due_at")


@dataclass(frozen=True, slots=True)
class Change:
    """What an administrator says of a dispute; ``None`` leaves as it is. Amounts in minor units."""

    status: str | None = None
    stage: str | None = None
    amount: int | None = None
    currency: str | None = None
    fee: int | None = None
    reason: str | None = None
    evidence: str | None = None
    evidence_due_at: str | None = None

    def columns(self) -> dict[str, Any]:
        """Return what changes, by column."""
        return {name: getattr(self, name) for name in _COLUMNS if getattr(self, name) is not None}


class Disputes:
    """The disputes in the store of truth."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth

    def open(self, charge_id: str, change: Change, *, now: datetime) -> dict[str, Any]:
        """Open a dispute of a charge, of all that was captured unless told, and return it.

        Raises:
            Refused: there is no such charge.
        """
        dispute_id = f"dp_{secrets.token_hex(12)}"
        with self._truth.changing() as db:
            charge = db.execute("SELECT * FROM charges WHERE id = ?", (charge_id,)).fetchone()
            if charge is None:
                raise Refused(status=404, code="charge_not_found", message="There is no such charge.")
            status = change.status or "needs_response"
            wanted = {
                "status": status,
                "stage": "inquiry" if status.startswith("inquiry") else "chargeback",
                "amount": charge["captured"],
                "currency": charge["currency"],
                "fee": 0,
                "reason": "fraudulent",
                "evidence": "none",
                "evidence_due_at": None,
                **change.columns(),
            }
            db.execute(
                "INSERT INTO disputes (id, charge_id, occurred_at, status, stage, amount, currency, fee, reason,"
                " evidence, evidence_due_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (dispute_id, charge_id, now.isoformat(), *(wanted[name] for name in _COLUMNS)),
            )
            return _document(_row(db, dispute_id))

    def change(self, dispute_id: str, change: Change, *, now: datetime) -> dict[str, Any]:
        """Change a dispute and return it.

        Raises:
            Refused: there is no such dispute.
        """
        with self._truth.changing() as db:
            return self._change(db, dispute_id, change, now)

    @staticmethod
    def _change(db: sqlite3.Connection, dispute_id: str, change: Change, now: datetime) -> dict[str, Any]:
        _row(db, dispute_id)
        columns = {**change.columns(), "occurred_at": now.isoformat()}
        settings = ", ".join(f"{name} = :{name}" for name in columns)
        db.execute(f"UPDATE disputes SET {settings} WHERE id = :id", {**columns, "id": dispute_id})  # noqa: S608
        return _document(_row(db, dispute_id))


def _row(db: sqlite3.Connection, dispute_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = db.execute(
        "SELECT d.*, c.reference FROM disputes AS d JOIN charges AS c ON c.id = d.charge_id WHERE d.id = ?",
        (dispute_id,),
    ).fetchone()
    if row is None:
        raise Refused(status=404, code="dispute_not_found", message="There is no such dispute.")
    return row


def _document(row: sqlite3.Row) -> dict[str, Any]:
    return {
        "object": "dispute",
        "id": row["id"],
        "charge": row["charge_id"],
        "reference": row["reference"],
        **{name: row[name] for name in _COLUMNS},
        "occurred_at": row["occurred_at"],
    }
