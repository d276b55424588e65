"""The lines of one account."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger.models import Account, Line, State


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of a statement ended: an entry and the number of its line."""

    entry_id: UUID
    number: int


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One line of an account's statement; ``position`` continues after it."""

    position: Position
    entry: str
    state: str
    description: str
    source_type: str
    source_id: UUID
    source_kind: str
    occurred_at: datetime
    recorded_at: datetime
    amount: int
    method: str


def statement(*, code: str, currency: str, limit: int = 100, after: Position | None = None) -> list[StatementLine]:
    """Return the lines of an account that count as posted, in the order they were recorded.

    Args:
        code: the account, for example ``2020``.
        currency: its ISO 4217 code.
        limit: the most lines to return.
        after: continue behind this position of an earlier page.
    """
    account = Account.objects.filter(code=code, currency=currency).values("id")[:1]
    lines = Line.objects.filter(account__in=account, entry__state__in=[State.POSTED, State.REVERSED])
    if after is not None:
        lines = lines.filter(entry_id__gte=after.entry_id).exclude(entry_id=after.entry_id, number__lte=after.number)
    return [_statement_line(line) for line in lines.select_related("entry").order_by("entry_id", "number")[:limit]]


def _statement_line(line: Line) -> StatementLine:
    entry: Any = line.entry
    return StatementLine(
        position=Position(entry.pk, line.number),
        entry=str(entry),
        state=entry.state,
        description=entry.description,
        source_type=entry.source_type,
        source_id=entry.source_id,
        source_kind=entry.source_kind,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        amount=line.amount,
        method=line.method,
    )
