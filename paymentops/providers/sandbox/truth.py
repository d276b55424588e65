"""What the sandbox really did: its own store in SQLite, written by one process.

Every change is committed before it is answered, so what was acknowledged survives a SIGKILL of the process.
"""

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

from paymentops.providers.sandbox.faults import Verdict
from paymentops.providers.sandbox.tokens import Decision, Kind, Notice

HOLD: Final = timedelta(days=7)
_SCHEMA: Final = Path(__file__).with_name("schema.sql")
_ROOM: Final = {
    Kind.CAPTURE: ("authorized", "captured", "voided"),
    Kind.VOID: ("authorized", "captured", "voided"),
    Kind.REFUND: ("captured", "reversed", "refunded"),
}
_COLUMN: Final = {Kind.CAPTURE: "captured", Kind.VOID: "voided", Kind.REFUND: "refunded"}
# In these the disputed amount is with the payer's bank; in all others it is the merchant's.
_TAKEN: Final = frozenset({"needs_response", "under_review", "pre_arbitration", "arbitration", "lost", "accepted"})


class Refused(Exception):
    """A request is refused without any effect; ``status`` is the HTTP status, ``code`` ours."""

    def __init__(self, *, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Order:
    """One request to move money, validated. Amounts in minor units; 0 means all that is left."""

    kind: Kind
    key: str
    reference: str
    amount: int
    charge_id: str = ""
    currency: str = ""
    method: str = ""
    token: str = ""
    capture_now: bool = False
    final: bool = False

    def fingerprint(self) -> str:
        """Return a digest of everything that must be equal when a key is sent again."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Done:
    """What an order led to: the answer's document, and whether it is the replay of an earlier one."""

    operation: dict[str, Any]
    replayed: bool


class Truth:
    """The store. Not safe between threads: the server's event loop is its only user."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(folder / "truth.sqlite3", isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(_SCHEMA.read_text())
        self._add_columns_of_later()

    def close(self) -> None:
        """Close the store."""
        self._db.close()

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Open one transaction; it is committed at the end, or rolled back when anything is raised."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def count_dispatch(self, key: str) -> int:
        """Note that ``key`` was sent once more and return how often it was sent by now."""
        row = self._db.execute(
            "INSERT INTO dispatches VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET sent = sent + 1 RETURNING sent",
            (key,),
        ).fetchone()
        return int(row["sent"])

    def token_under(self, key: str) -> str:
        """Return the payment token of the charge that was made under a key, or an empty string."""
        row = self._db.execute("SELECT token FROM charges WHERE key = ? ORDER BY seq", (key,)).fetchone()
        return row["token"] if row else ""

    def token_of(self, charge_id: str) -> str:
        """Return the payment token of a charge, or an empty string for an unknown one."""
        row = self._db.execute("SELECT token FROM charges WHERE id = ?", (charge_id,)).fetchone()
        return row["token"] if row else ""

    def carry_out(
        self, order: Order, *, verdict: Verdict, key_ignored: bool, base: str, settle_due: float, now: datetime
    ) -> Done:
        """Do what ``order`` says, once per key, and write the events it leads to.

        Raises:
            Refused: the key was used for something else, the charge is unknown, or an amount exceeds what is left.
        """
        with self.changing() as db:
            earlier = db.execute("SELECT * FROM operations WHERE key = ? ORDER BY seq", (order.key,)).fetchone()
            if earlier is not None and not key_ignored:
                if earlier["fingerprint"] != order.fingerprint():
                    message = "This Idempotency-Key was used with another request."
                    raise Refused(status=409, code="key_conflict", message=message)
                return Done(operation=json.loads(earlier["first_answer"]), replayed=True)
            if verdict.decision is Decision.INVALID:
                raise Refused(status=422, code=verdict.code, message="The request is not valid.")
            charge_id = order.charge_id or self._insert_charge(order, verdict=verdict, now=now)
            amount = self._allowed_amount(order, charge_id=charge_id, verdict=verdict)
            return self._insert_operation(
                order,
                charge_id=charge_id,
                amount=amount,
                verdict=verdict,
                base=base,
                settle_due=settle_due,
                now=now,
            )

    def settle(self, operation_id: str, *, approve: bool, now: datetime) -> dict[str, Any] | None:
        """Finish an operation that waited for its payer or for time; ``None`` when there is none that waits."""
        with self.changing() as db:
            row = db.execute("SELECT * FROM operations WHERE id = ?", (operation_id,)).fetchone()
            if row is None or row["status"] not in _WAITS:
                return None
            status, code = ("succeeded", "") if approve else ("declined", "authentication_failed")
            if approve and row["kind"] != Kind.CHARGE and self._room(row["kind"], row["charge_id"]) < row["amount"]:
                status, code = "declined", "amount_exceeds_remainder"
            return self._end(row, status=status, code=code, now=now)

    def complete(self, key: str, *, result: str, now: datetime) -> Done:
        """Decide a charge by what its payer brought back; one that is decided, or no result, changes nothing.

        Raises:
            Refused: there is no such charge, or no such result.
        """
        with self.changing() as db:
            row = self._charge_under(key)
            if row["status"] != "requires_action" or not result:
                return Done(operation=self.operation(row["id"]), replayed=True)
            if result == "step_up":
                url = f"{row['action_url'].rsplit('/', 2)[0]}/challenge/{row['id']}"
                db.execute("UPDATE operations SET action_url = ? WHERE id = ?", (url, row["id"]))
                return Done(operation=self.operation(row["id"]), replayed=False)
            if result not in _RESULTS:
                message = f"result must be step_up, {', '.join(_RESULTS)}."
                raise Refused(status=422, code="details_invalid", message=message)
            status, code = _RESULTS[result]
            return Done(operation=self._end(row, status=status, code=code, now=now), replayed=False)

    def withdraw(self, key: str, *, now: datetime) -> Done:
        """Take a charge back that waits; one that is decided stays as it is.

        Raises:
            Refused: there is no such charge.
        """
        with self.changing():
            row = self._charge_under(key)
            if row["status"] not in _WAITS:
                return Done(operation=self.operation(row["id"]), replayed=True)
            return Done(operation=self._end(row, status="withdrawn", code="withdrawn", now=now), replayed=False)

    def _charge_under(self, key: str) -> sqlite3.Row:
        row = self._db.execute(
            "SELECT * FROM operations WHERE key = ? AND kind = ? ORDER BY seq", (key, Kind.CHARGE)
        ).fetchone()
        if row is None:
            raise Refused(status=404, code="operation_not_found", message="There is no charge under this key.")
        return cast("sqlite3.Row", row)

    def _end(self, row: sqlite3.Row, *, status: str, code: str, now: datetime) -> dict[str, Any]:
        self._db.execute(
            "UPDATE operations SET status = ?, code = ?, settle_due = NULL, occurred_at = ? WHERE id = ?",
            (status, code, now.isoformat(), row["id"]),
        )
        if status == "succeeded":
            self._apply(kind=Kind(row["kind"]), charge_id=row["charge_id"], amount=row["amount"], final=False)
        return self.operation(row["id"])

    def due_to_settle(self, *, epoch: float) -> list[str]:
        """Return the ids of pending operations whose time has come."""
        rows = self._db.execute(
            "SELECT id FROM operations WHERE settle_due <= ? ORDER BY settle_due LIMIT 100", (epoch,)
        )
        return [row["id"] for row in rows]

    def notice_of(self, charge_id: str) -> Notice:
        """Return how notifications about a charge are sent."""
        row = self._db.execute("SELECT notice FROM charges WHERE id = ?", (charge_id,)).fetchone()
        return Notice(row["notice"])

    def operation(self, operation_id: str) -> dict[str, Any]:
        """Return an operation as it stands, in its form on the wire."""
        row = self._db.execute(f"{OPERATIONS} WHERE o.id = ?", (operation_id,)).fetchone()
        return _operation_document(row)

    def charges_before(self, *, reference: str, key: str) -> int:
        """Return how many charges of a reference there are under other keys."""
        row = self._db.execute(
            "SELECT count(*) AS number FROM charges WHERE reference = ? AND key <> ?", (reference, key)
        ).fetchone()
        return int(row["number"])

    def operations(self, *, key: str = "", reference: str = "") -> list[dict[str, Any]]:
        """Return the operations under a key or a reference, oldest first."""
        column, value = ("key", key) if key else ("reference", reference)
        rows = self._db.execute(f"{OPERATIONS} WHERE o.{column} = ? ORDER BY o.seq LIMIT 100", (value,))
        return [_operation_document(row) for row in rows]

    def charges(self, *, after: int, limit: int) -> list[dict[str, Any]]:
        """Return a page of everything that really happened, charge by charge with its operations."""
        rows = self._db.execute("SELECT * FROM charges WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)).fetchall()
        return [self._charge_document(row) for row in rows]

    def forget_everything(self) -> None:
        """Delete all charges, operations and events."""
        with self.changing() as db:
            for table in ("disputes", "operations", "charges", "dispatches", "events", "struck"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - names from the line above

    def _add_columns_of_later(self) -> None:
        """Bring a store that an earlier version made up to date."""
        for table, columns in _COLUMNS_OF_LATER.items():
            present = {row["name"] for row in self._db.execute(f"PRAGMA table_info({table})")}
            for name, definition in columns.items():
                if name not in present:
                    self._db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {definition}")

    def _insert_charge(self, order: Order, *, verdict: Verdict, now: datetime) -> str:
        charge_id = f"ch_{secrets.token_hex(12)}"
        self._db.execute(
            "INSERT INTO charges (id, key, reference, token, method, currency, requested, capture_now, notice,"
            " created_at, occurred_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                charge_id, order.key, order.reference, order.token, order.method, order.currency, order.amount,
                order.capture_now, verdict.notice, now.isoformat(), now.isoformat(),
            ),
        )  # fmt: skip
        return charge_id

    def _allowed_amount(self, order: Order, *, charge_id: str, verdict: Verdict) -> int:
        if order.kind is Kind.CHARGE:
            return max(1, order.amount // 2) if verdict.decision is Decision.PARTIAL else order.amount
        room = self._room(order.kind, charge_id)
        amount = order.amount or room
        if amount < 1 or amount > room:
            message = f"{room} is left for a {order.kind}; {order.amount} was asked for."
            raise Refused(status=422, code="amount_exceeds_remainder", message=message)
        return amount

    def _room(self, kind: str, charge_id: str) -> int:
        charge = self._db.execute("SELECT * FROM charges WHERE id = ?", (charge_id,)).fetchone()
        if charge is None:
            raise Refused(status=404, code="charge_not_found", message="There is no such charge.")
        limit, *used = _ROOM[Kind(kind)]
        return int(charge[limit]) - sum(int(charge[column]) for column in used)

    def _insert_operation(
        self,
        order: Order,
        *,
        charge_id: str,
        amount: int,
        verdict: Verdict,
        base: str,
        settle_due: float,
        now: datetime,
    ) -> Done:
        operation_id = f"op_{secrets.token_hex(12)}"
        status = _STATUS[verdict.decision]
        page = _PAGES.get(verdict.decision)
        self._db.execute(
            "INSERT INTO operations (id, key, kind, charge_id, reference, fingerprint, status, amount, code,"
            " action_url, settle_due, created_at, occurred_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                operation_id, order.key, order.kind, charge_id, order.reference, order.fingerprint(), status, amount,
                verdict.code, f"{base}/{page}/{operation_id}" if page else "",
                settle_due if status == "pending" else None, now.isoformat(), now.isoformat(),
            ),
        )  # fmt: skip
        if status == "succeeded":
            self._apply(kind=order.kind, charge_id=charge_id, amount=amount, final=order.final)
        document = self.operation(operation_id)
        self._db.execute("UPDATE operations SET first_answer = ? WHERE id = ?", (json.dumps(document), operation_id))
        return Done(operation=document, replayed=False)

    def _apply(self, *, kind: Kind, charge_id: str, amount: int, final: bool) -> None:
        if kind is Kind.CHARGE:
            self._db.execute(
                "UPDATE charges SET authorized = :amount, captured = capture_now * :amount WHERE id = :id",
                {"amount": amount, "id": charge_id},
            )
            return
        column = _COLUMN[kind]
        self._db.execute(f"UPDATE charges SET {column} = {column} + ? WHERE id = ?", (amount, charge_id))  # noqa: S608
        if kind is Kind.CAPTURE and final:
            self._db.execute("UPDATE charges SET voided = authorized - captured WHERE id = ?", (charge_id,))

    def _charge_document(self, row: sqlite3.Row) -> dict[str, Any]:
        rows = self._db.execute(f"{OPERATIONS} WHERE o.charge_id = ? ORDER BY o.seq", (row["id"],))
        operations = [_operation_document(operation) for operation in rows]
        effects: dict[str, int] = {}
        for operation in operations:
            effects[operation["key"]] = effects.get(operation["key"], 0) + (operation["status"] == "succeeded")
        disputes = self._disputes_of(row["id"])
        hidden = {"capture_now", "notice"}
        return {
            **{name: row[name] for name in row.keys() if name not in hidden},  # noqa: SIM118 - a Row iterates values
            "operations": operations,
            "effects": effects,
            "disputes": disputes,
            "disputed": sum(dispute["amount"] for dispute in disputes if dispute["status"] in _TAKEN),
        }

    def _disputes_of(self, charge_id: str) -> list[dict[str, Any]]:
        rows = self._db.execute(
            "SELECT id, status, stage, amount, currency, fee FROM disputes WHERE charge_id = ? ORDER BY seq",
            (charge_id,),
        )
        return [dict(row) for row in rows]


_COLUMNS_OF_LATER: Final = {
    "charges": {"reversed": "INTEGER NOT NULL DEFAULT 0"},
    "operations": {
        "reversed": "INTEGER NOT NULL DEFAULT 0",
        "reversal_code": "TEXT NOT NULL DEFAULT ''",
        "reversed_at": "TEXT NOT NULL DEFAULT ''",
    },
}
_STATUS: Final = {
    Decision.APPROVE: "succeeded",
    Decision.PARTIAL: "succeeded",
    Decision.DECLINE: "declined",
    Decision.ACTION: "requires_action",
    Decision.REDIRECT: "requires_action",
    Decision.CHALLENGE: "requires_action",
    Decision.PENDING: "pending",
}
_WAITS: Final = frozenset({"pending", "requires_action"})
# What a payer can bring back, and what then becomes of the charge.
_RESULTS: Final = {
    "approve": ("succeeded", ""),
    "decline": ("declined", "authentication_failed"),
    "abandon": ("declined", "payer_abandoned"),
}
# The part of an action's address that says where it is decided: on that page, or by what the payer brings back.
_PAGES: Final = {Decision.ACTION: "pay", Decision.REDIRECT: "redirect", Decision.CHALLENGE: "challenge"}
OPERATIONS: Final = (
    "SELECT o.*, c.currency, c.capture_now, c.method FROM operations AS o JOIN charges AS c ON c.id = o.charge_id"
)


def moved(row: sqlite3.Row) -> int:
    """Return what an operation took or gave back; a hold or a void moved nothing."""
    is_sale = row["kind"] == Kind.CHARGE and bool(row["capture_now"])
    moves = is_sale or row["kind"] in {Kind.CAPTURE, Kind.REFUND}
    return int(row["amount"]) if moves and row["status"] == "succeeded" else 0


def _operation_document(row: sqlite3.Row) -> dict[str, Any]:
    """Write an operation the way every answer, inquiry and notification of the sandbox shows it."""
    occurred_at = datetime.fromisoformat(row["occurred_at"])
    is_sale = row["kind"] == Kind.CHARGE and bool(row["capture_now"])
    is_hold = row["kind"] == Kind.CHARGE and not row["capture_now"] and row["status"] == "succeeded"
    return {
        "object": "operation",
        "id": row["id"],
        "kind": row["kind"],
        "key": row["key"],
        "reference": row["reference"],
        "charge": row["charge_id"],
        "status": row["status"],
        "amount": row["amount"],
        "captured": row["amount"] if is_sale and row["status"] == "succeeded" else 0,
        "currency": row["currency"],
        "code": row["code"] or None,
        # All cards of the sandbox are of one scheme.
        "scheme": "visa" if row["method"] == "card" else None,
        "action": _action(row["action_url"]) if row["status"] == "requires_action" else None,
        "hold_expires_at": (occurred_at + HOLD).isoformat() if is_hold else None,
        "occurred_at": occurred_at.isoformat(),
        "reversed": row["reversed"],
        "reversal_code": row["reversal_code"] or None,
        "reversed_at": row["reversed_at"] or None,
    }


def _action(url: str) -> dict[str, str]:
    return {"type": "challenge" if "/challenge/" in url else "redirect", "url": url}
