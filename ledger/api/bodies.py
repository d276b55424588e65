"""What services read of the books. Amounts are signed minor units, debit positive; people are not named."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from ledger.models import Account, Entry, EntryTransition, FoldedBalance, Line
from ledger.queries import Balance, Change, Statement, StatementLine, TrialBalance
from ledger.queries.periods import PeriodMove, PeriodView, StoredTotal
from paymentops.access.models import ActorKind
from paymentops.casework.models import Proposal, ProposalState
from paymentops.core import ids

# What an entry is about, and how services write its id.
_SOURCES: Final = {
    "payment": ids.Prefix.PAYMENT,
    "capture": ids.Prefix.CAPTURE,
    "refund": ids.Prefix.REFUND,
    "journal": ids.Prefix.PROPOSAL,
}
_MACHINES: Final = ("system", f"{ids.Prefix.CLIENT}_")
OPERATOR: Final = "operator"


def moment(at: datetime | None) -> str | None:
    """Write a moment as RFC 3339 in UTC, always with six decimals."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def account(row: Account, balance: Balance) -> dict[str, Any]:
    """Return an account, what stands on it now, and whether its stored balance was checked."""
    return {
        "code": row.code,
        "currency": row.currency,
        "name": row.name,
        "kind": row.kind,
        "normal_side": row.normal_side,
        "created_at": moment(row.created_at),
        "closed_at": moment(row.closed_at),
        **_amounts(balance),
        "check": _check(getattr(row, "folded", None)),
    }


def balance(found: Balance, *, effective_at: datetime | None, known_at: datetime | None) -> dict[str, Any]:
    """Return what stood on an account at a date."""
    return {
        "code": found.code,
        "currency": found.currency,
        "name": found.name,
        "kind": found.kind,
        "normal_side": found.normal_side,
        "effective_at": moment(effective_at),
        "known_at": moment(known_at),
        **_amounts(found),
    }


def statement(found: Statement) -> dict[str, Any]:
    """Return a page of a statement, without the address of the next."""
    return {
        "code": found.code,
        "currency": found.currency,
        "opening": found.opening,
        "closing": found.closing,
        "results": [_statement_line(line) for line in found.lines],
    }


def entry(row: Entry) -> dict[str, Any]:
    """Return an entry with its lines, its moves and their places in the chain."""
    reversals = row.reversals.all()
    return {
        "id": str(row),
        "state": row.state,
        "source": _source(row.source_type, row.source_id, row.source_kind) | {"sequence": row.source_sequence},
        "description": row.description,
        "reverses": ids.public(ids.Prefix.ENTRY, row.reverses_id) if row.reverses_id else None,
        "reversed_by": str(reversals[0]) if reversals else None,
        "occurred_at": moment(row.occurred_at),
        "recorded_at": moment(row.recorded_at),
        "trace_id": row.trace_id or None,
        "lines": [_line(line) for line in row.lines.all()],
        "transitions": [_transition(move) for move in row.transitions.all()],
    }


def trial_balance(found: TrialBalance) -> dict[str, Any]:
    """Return the trial balance of one currency."""
    return {
        "currency": found.currency,
        "debits": found.debits,
        "credits": found.credits,
        "difference": found.difference,
        "accounts": [
            {
                "code": one.code,
                "name": one.name,
                "kind": one.kind,
                "normal_side": one.normal_side,
                "posted": one.posted,
                "pending": one.pending,
            }
            for one in found.accounts
        ],
    }


def changes(found: Iterable[Change]) -> list[dict[str, Any]]:
    """Return what moved between two trial balances: first the earlier question's answer, then the later one's."""
    return [
        {
            "code": one.code,
            "currency": one.currency,
            "name": one.name,
            "before": one.first,
            "after": one.second,
            "difference": one.difference,
        }
        for one in found
    ]


def period(found: PeriodView) -> dict[str, Any]:
    """Return a month of the books."""
    return {
        "month": str(found.month),
        "state": found.state,
        "version": found.version,
        "starts_at": moment(found.month.starts_at),
        "ends_at": moment(found.month.ends_at),
        "closings": found.closing,
        "closed_at": moment(found.closed_at),
        "hash": found.hash or None,
        "accounts": found.accounts,
        "totals": [_total(total) for total in found.totals],
        "moves": [_period_move(move) for move in found.moves],
    }


def accepted_journal(row: Proposal) -> dict[str, Any]:
    """Return the acceptance body of a journal: what never changes of its proposal, so that a replay is equal."""
    return _journal(row, state=ProposalState.PROPOSED, version=1, entry=None, decided_at=None, outcome="")


def journal(row: Proposal, *, entry: Entry | None) -> dict[str, Any]:
    """Return a proposed journal as it stands, and the entry that it became."""
    return _journal(
        row, state=row.state, version=row.version, entry=entry, decided_at=row.decided_at, outcome=row.outcome
    )


def _journal(
    row: Proposal, *, state: str, version: int, entry: Entry | None, decided_at: datetime | None, outcome: str
) -> dict[str, Any]:
    kept = row.payload
    is_service = row.proposer_kind == ActorKind.CLIENT
    return {
        "id": row.public_id,
        "state": str(state),
        "version": version,
        "template": kept["template"],
        "description": kept["description"],
        "reason": row.reason,
        "occurred_at": moment(datetime.fromisoformat(kept["occurred_at"])),
        "corrects": kept["corrects"],
        "lines": [
            {
                "account": line["account"],
                "currency": line["currency"],
                "amount": int(line["amount"]),
                "method": line["method"] or None,
            }
            for line in kept["lines"]
        ],
        "attachments": [{"id": file["id"], "sha256": file["sha256"]} for file in kept["attachments"]],
        "proposed_by": row.proposer if is_service else OPERATOR,
        "proposed_at": moment(row.proposed_at),
        "decided_at": moment(decided_at),
        "outcome": outcome or None,
        "entry": str(entry) if entry else None,
    }


def _amounts(found: Balance) -> dict[str, int]:
    return {
        "posted": found.posted,
        "pending": found.pending,
        "pending_debits": found.pending_debits,
        "pending_credits": found.pending_credits,
        "available": found.available,
    }


def _check(folded: FoldedBalance | None) -> dict[str, Any]:
    """Say what is known of a stored balance; while it drifted, every amount is computed from the lines instead."""
    if folded is None:
        return {"state": "UNSEALED", "checked_at": None, "drifted_at": None}
    state = "DRIFTED" if folded.drifted_at else "PASSED" if folded.checked_at else "UNCHECKED"
    return {"state": state, "checked_at": moment(folded.checked_at), "drifted_at": moment(folded.drifted_at)}


def _source(kind_of_thing: str, thing: UUID, what: str) -> dict[str, Any]:
    prefix = _SOURCES.get(kind_of_thing)
    return {"type": kind_of_thing, "id": ids.public(prefix, thing) if prefix else str(thing), "kind": what}


def _statement_line(line: StatementLine) -> dict[str, Any]:
    return {
        "entry": line.entry,
        "number": line.position.number,
        "state": line.state,
        "description": line.description,
        "source": _source(line.source_type, line.source_id, line.source_kind),
        "effective_at": moment(line.effective_at),
        "occurred_at": moment(line.occurred_at),
        "recorded_at": moment(line.recorded_at),
        "method": line.method or None,
        "sealed": line.sealed,
        "amount": line.amount,
        "balance": line.balance,
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "number": line.number,
        "account": line.account.code,
        "name": line.account.name,
        "currency": line.currency,
        "amount": line.amount,
        "method": line.method or None,
    }


def _transition(move: EntryTransition) -> dict[str, Any]:
    link = getattr(move, "link", None)
    seal = None
    if link is not None:
        seal = {
            "position": link.seq,
            "digest": bytes(link.digest).hex(),
            "hash": bytes(link.hash).hex(),
            "sealed_at": moment(link.sealed_at),
        }
    return {
        "from_state": move.from_state or None,
        "to_state": move.to_state,
        "cause": move.cause,
        "actor": _actor(move.actor),
        "effective_at": moment(move.effective_at),
        "occurred_at": moment(move.occurred_at),
        "recorded_at": moment(move.recorded_at),
        "trace_id": move.trace_id or None,
        "seal": seal,
    }


def _total(total: StoredTotal) -> dict[str, Any]:
    return {
        "currency": total.currency,
        "accounts": total.accounts,
        "debits": total.debits,
        "credits": total.credits,
        "pending_debits": total.pending_debits,
        "pending_credits": total.pending_credits,
    }


def _period_move(move: PeriodMove) -> dict[str, Any]:
    return {
        "from_state": move.from_state or None,
        "to_state": move.to_state,
        "reason": move.reason or None,
        "recorded_at": moment(move.recorded_at),
    }


def _actor(name: str) -> str:
    return name if name.startswith(_MACHINES) else OPERATOR
