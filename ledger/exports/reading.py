"""Reads for exports: any number of rows through a cursor of the server, all of one export as of one moment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final, Self
from uuid import UUID

from django.db import connection, transaction

from ledger.operations import AccountNotFound
from paymentops.core.errors import InvalidInput

_ROWS_AT_ONCE: Final = 2000


@dataclass(frozen=True, slots=True)
class Period:
    """Which entries to export: posted and effective from ``since`` to ``until``, both included, as known at a moment.

    ``None`` leaves an end open. An entry that was pending counts from when its posting became effective; one that was
    reversed stays, and its reversal stands beside it.

    Raises:
        InvalidInput: the period ends before it begins.
    """

    since: datetime | None = None
    until: datetime | None = None
    known_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.until is not None and self.until < self.since:
            raise InvalidInput("The period ends before it begins; give the earlier date first.")

    @classmethod
    def of_dates(
        cls, first: date | None, last: date | None, *, zone: tzinfo = UTC, known_at: datetime | None = None
    ) -> Self:
        """Return the period of whole days in a time zone, first and last day included.

        Raises:
            InvalidInput: a day is outside the years 1900 to 9998, or the last is before the first.
        """
        if any(day is not None and not 1900 <= day.year <= 9998 for day in (first, last)):
            raise InvalidInput("Give days between the years 1900 and 9998.")
        after = None if last is None else datetime.combine(last + timedelta(days=1), time(), tzinfo=zone)
        return cls(
            since=None if first is None else datetime.combine(first, time(), tzinfo=zone),
            # PostgreSQL keeps microseconds, so this is the last moment of the day.
            until=None if after is None else after - timedelta(microseconds=1),
            known_at=known_at,
        )

    def parameters(self) -> dict[str, datetime | None]:
        """Return the values that the statements below ask for."""
        return {"since": self.since, "until": self.until, "known_at": self.known_at}


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One line of a posted entry with all that stands on its entry; ``amount`` in minor units, debit positive."""

    entry_id: UUID
    state: str
    description: str
    source_type: str
    source_id: UUID
    source_kind: str
    source_sequence: int
    reverses_id: UUID | None
    effective_at: datetime
    occurred_at: datetime
    recorded_at: datetime
    cause: str
    actor: str
    number: int
    code: str
    name: str
    currency: str
    amount: int
    method: str

    @property
    def entry(self) -> str:
        """The entry's public id."""
        return f"ent_{self.entry_id.hex}"

    @property
    def reverses(self) -> str:
        """The public id of the entry it takes back, or nothing."""
        return f"ent_{self.reverses_id.hex}" if self.reverses_id else ""

    @property
    def source(self) -> str:
        """The business event, as the ledger's messages write it."""
        return f"{self.source_type} {self.source_id.hex} {self.source_kind} {self.source_sequence}"


@dataclass(frozen=True, slots=True)
class AccountSpan:
    """An account over a period, in minor units, debit positive.

    Args:
        opening: the posted balance before the period began.
        closing: the posted balance at its end.
        first_at: when its first line of the period became effective; None where there is none.
        last_at: when its last line of the period did.
    """

    code: str
    currency: str
    kind: str
    created_at: datetime
    closed_at: datetime | None
    opening: int
    closing: int
    first_at: datetime | None
    last_at: datetime | None


_POSTED: Final = """
    move.to_state = 'POSTED'
    AND (%(until)s::timestamptz IS NULL OR move.effective_at <= %(until)s::timestamptz)
    AND (%(known_at)s::timestamptz IS NULL OR move.recorded_at <= %(known_at)s::timestamptz)
"""

_JOURNAL: Final = f"""
SELECT entry.id, entry.state, entry.description, entry.source_type, entry.source_id, entry.source_kind,
       entry.source_sequence, entry.reverses_id, move.effective_at, move.occurred_at, move.recorded_at, move.cause,
       move.actor, line.number, account.code, account.name, line.currency, line.amount, line.method
FROM ledger_entry_transition move
JOIN ledger_entry entry ON entry.id = move.entry_id
JOIN ledger_line line ON line.entry_id = entry.id
JOIN ledger_account account ON account.id = line.account_id
WHERE {_POSTED}
  AND (%(since)s::timestamptz IS NULL OR move.effective_at >= %(since)s::timestamptz)
  AND (%(account)s::bigint IS NULL OR line.account_id = %(account)s::bigint)
ORDER BY move.effective_at, move.id, line.number
"""  # noqa: S608 - only the condition above is put in

_SPANS: Final = f"""
SELECT account.code, account.currency, account.kind, account.created_at, account.closed_at,
       coalesce(sum(moved.amount) FILTER (WHERE NOT moved.inside), 0), coalesce(sum(moved.amount), 0),
       min(moved.effective_at) FILTER (WHERE moved.inside), max(moved.effective_at) FILTER (WHERE moved.inside)
FROM ledger_account account
LEFT JOIN (
    SELECT line.account_id, line.amount, move.effective_at,
           %(since)s::timestamptz IS NULL OR move.effective_at >= %(since)s::timestamptz AS inside
    FROM ledger_line line JOIN ledger_entry_transition move ON move.entry_id = line.entry_id
    WHERE {_POSTED}
) moved ON moved.account_id = account.id
WHERE (%(account)s::bigint IS NULL OR account.id = %(account)s::bigint)
GROUP BY account.id
ORDER BY account.code, account.currency
"""  # noqa: S608 - only the condition above is put in


@contextmanager
def one_moment() -> Iterator[None]:
    """Let all reads inside see the books as of one moment, and write nothing.

    Inside a transaction of the caller's it is that transaction which decides what is seen.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            # Every row will be read, so a plan that is quick to its first row only would be slow to the last.
            cursor.execute("SET LOCAL cursor_tuple_fraction = 1")
        yield


def journal(period: Period, *, account_id: int | None = None) -> Iterator[JournalLine]:
    """Stream the posted lines of a period, or of one account in it, by effective moment, entry by entry."""
    for row in _stream(_JOURNAL, {**period.parameters(), "account": account_id}):
        yield JournalLine(*row)


def spans(period: Period, *, account_id: int | None = None) -> list[AccountSpan]:
    """Return every account, or one, with what stood on it before and after a period, by code and currency."""
    rows = _stream(_SPANS, {**period.parameters(), "account": account_id})
    return [
        AccountSpan(code, currency, kind, created, closed, int(opening), int(closing), first, last)
        for code, currency, kind, created, closed, opening, closing, first, last in rows
    ]


def account_id(*, code: str, currency: str) -> int:
    """Return the id of an account.

    Raises:
        AccountNotFound: it does not exist.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM ledger_account WHERE code = %s AND currency = %s", [code, currency])
        found = cursor.fetchone()
    if found is None:
        raise AccountNotFound(f"There is no account {code[:120]} in {currency[:3]}; look it up in the trial balance.")
    return int(found[0])


def _stream(statement: str, parameters: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(statement, parameters)
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield from rows
