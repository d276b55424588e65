"""Reads of the ledger: balances on two axes, statements, entries of a source and the trial balance.

A balance folds transitions. Entering PENDING adds an entry's lines to the pending balance, leaving it takes them away,
entering POSTED adds them to the posted balance; REVERSED changes nothing, because the reversal is an entry of its own.
``effective_at`` asks what counted by a moment, ``known_at`` what had been recorded by one; without them, all counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Prefetch, Q, QuerySet

from ledger.models import Account, Entry, EntryTransition, Line, State


@dataclass(frozen=True, slots=True)
class Balance:
    """What stands on one account, in minor units, debit positive."""

    code: str
    currency: str
    name: str
    kind: str
    normal_side: str
    posted: int
    pending: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """The posted balances of one currency; ``debits`` and ``credits`` are positive and must be equal."""

    currency: str
    accounts: tuple[Balance, ...]
    debits: int
    credits: int

    @property
    def difference(self) -> int:
        """Debits less credits in minor units: zero, or the books are broken."""
        return self.debits - self.credits


@dataclass(frozen=True, slots=True)
class LineView:
    """A line as people read it; ``amount`` in minor units, debit positive."""

    account: str
    account_name: str
    currency: str
    amount: int
    method: str


@dataclass(frozen=True, slots=True)
class TransitionView:
    """A move of an entry as people read it."""

    from_state: str
    to_state: str
    cause: str
    effective_at: datetime
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    trace_id: str


@dataclass(frozen=True, slots=True)
class EntryView:
    """An entry with its lines and moves, as a payment's story tells it."""

    id: str
    state: str
    source_type: str
    source_id: UUID
    source_kind: str
    source_sequence: int
    description: str
    reverses: str | None
    occurred_at: datetime
    recorded_at: datetime
    trace_id: str
    lines: tuple[LineView, ...]
    transitions: tuple[TransitionView, ...]


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


_BALANCES: Final = """
SELECT account.code, account.currency, account.name, account.kind, account.normal_side,
       coalesce(sum(line.amount) FILTER (WHERE move.to_state = 'POSTED'), 0),
       coalesce(sum(CASE WHEN move.to_state = 'PENDING' THEN line.amount
                         WHEN move.from_state = 'PENDING' THEN -line.amount END), 0)
FROM ledger_account account
LEFT JOIN (
    ledger_line line JOIN ledger_entry_transition move
      ON move.entry_id = line.entry_id
     AND (%(effective_at)s::timestamptz IS NULL OR move.effective_at <= %(effective_at)s::timestamptz)
     AND (%(known_at)s::timestamptz IS NULL OR move.recorded_at <= %(known_at)s::timestamptz)
) ON line.account_id = account.id
WHERE (%(codes)s::text[] IS NULL OR account.code = ANY (%(codes)s::text[]))
GROUP BY account.id
ORDER BY account.currency, account.code
"""


def balances(
    *, codes: Iterable[str] | None = None, effective_at: datetime | None = None, known_at: datetime | None = None
) -> list[Balance]:
    """Return the posted and pending balances of accounts, by currency and code.

    Args:
        codes: account codes such as ``1110:sandbox``; ``None`` for every account.
        effective_at: count only what was effective by then.
        known_at: count only what had been recorded by then.
    """
    parameters = {
        "codes": None if codes is None else list(codes),
        "effective_at": effective_at,
        "known_at": known_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES, parameters)
        return [
            Balance(code, currency, name, kind, side, posted=int(posted), pending=int(pending))
            for code, currency, name, kind, side, posted, pending in cursor.fetchall()
        ]


def trial_balance(*, effective_at: datetime | None = None, known_at: datetime | None = None) -> list[TrialBalance]:
    """Return the posted balances of every account, one trial balance per currency; see ``balances``."""
    by_currency: dict[str, list[Balance]] = {}
    for balance in balances(effective_at=effective_at, known_at=known_at):
        by_currency.setdefault(balance.currency, []).append(balance)
    return [_trial_balance(currency, accounts) for currency, accounts in by_currency.items()]


def entries_for_source(*, type: str, ids: Sequence[UUID]) -> list[EntryView]:  # noqa: A002 - the source's own word
    """Return the entries of things of one type, oldest first; see ``entries_for_sources``."""
    return entries_for_sources({type: ids})


def entries_for_sources(sources: Mapping[str, Sequence[UUID]]) -> list[EntryView]:
    """Return the entries of the things given by type, oldest first, in three queries however many there are."""
    matches = Q(pk__in=[])
    for source_type, source_ids in sources.items():
        matches |= Q(source_type=source_type, source_id__in=list(source_ids))
    # Ids made at one moment have no order among themselves; the first transitions tell which was written first.
    entries = sorted(with_story(Entry.objects.filter(matches)), key=_written)
    return [view(entry) for entry in entries]


def with_story(entries: QuerySet[Entry]) -> QuerySet[Entry]:
    """Load lines with their accounts, and transitions, in two further queries."""
    return entries.prefetch_related(
        Prefetch("lines", Line.objects.select_related("account").order_by("number")),
        Prefetch("transitions", EntryTransition.objects.order_by("id")),
    )


def view(entry: Entry) -> EntryView:
    """Return an entry as people read it; load it by ``with_story`` first."""
    return EntryView(
        id=str(entry),
        state=entry.state,
        source_type=entry.source_type,
        source_id=entry.source_id,
        source_kind=entry.source_kind,
        source_sequence=entry.source_sequence,
        description=entry.description,
        reverses=f"ent_{entry.reverses_id.hex}" if entry.reverses_id else None,
        occurred_at=entry.occurred_at,
        recorded_at=entry.recorded_at,
        trace_id=entry.trace_id,
        lines=tuple(_line_view(line) for line in entry.lines.all()),
        transitions=tuple(_transition_view(move) for move in entry.transitions.all()),
    )


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


def _written(entry: Entry) -> tuple[datetime, int]:
    return entry.recorded_at, min((move.pk for move in entry.transitions.all()), default=0)


def _trial_balance(currency: str, accounts: Sequence[Balance]) -> TrialBalance:
    return TrialBalance(
        currency=currency,
        accounts=tuple(accounts),
        debits=sum(account.posted for account in accounts if account.posted > 0),
        credits=-sum(account.posted for account in accounts if account.posted < 0),
    )


def _line_view(line: Line) -> LineView:
    return LineView(line.account.code, line.account.name, line.currency, line.amount, line.method)


def _transition_view(move: EntryTransition) -> TransitionView:
    return TransitionView(
        from_state=move.from_state,
        to_state=move.to_state,
        cause=move.cause,
        effective_at=move.effective_at,
        occurred_at=move.occurred_at,
        recorded_at=move.recorded_at,
        actor=move.actor,
        trace_id=move.trace_id,
    )


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
