"""The ledger's CSV tables: trial balance, statement of an account, journal. Amounts are debit positive."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Final

from ledger.exports.reading import AccountSpan, JournalLine
from ledger.queries import TrialBalance
from paymentops.core.csv_export import Cell, Column, Kind, Table
from paymentops.core.money import Money

_TRIAL_BALANCE: Final = (
    Column("Account"),
    Column("Name"),
    Column("Kind"),
    Column("Normal side"),
    Column("Debit", Kind.AMOUNT, totalled=True),
    Column("Credit", Kind.AMOUNT, totalled=True),
    Column("Balance", Kind.AMOUNT, totalled=True),
    Column("Pending", Kind.AMOUNT, totalled=True),
)
_ENTRY: Final = (
    Column("Effective at", Kind.MOMENT),
    Column("Occurred at", Kind.MOMENT),
    Column("Recorded at", Kind.MOMENT),
    Column("Entry"),
    Column("State now"),
    Column("Reverses"),
    Column("Source type"),
    Column("Source"),
    Column("Source kind"),
    Column("Source sequence", Kind.NUMBER),
    Column("Description"),
    Column("Cause"),
    Column("Actor"),
    Column("Line", Kind.NUMBER),
    Column("Method"),
)
_AMOUNTS: Final = (
    Column("Debit", Kind.AMOUNT, totalled=True),
    Column("Credit", Kind.AMOUNT, totalled=True),
    Column("Amount", Kind.AMOUNT, totalled=True),
)
_STATEMENT: Final = (*_ENTRY, *_AMOUNTS, Column("Running balance", Kind.AMOUNT))
_JOURNAL: Final = (*_ENTRY, Column("Account"), Column("Account name"), *_AMOUNTS)


def trial_balance(*, facts: Mapping[str, str], found: Iterable[TrialBalance], zone: tzinfo) -> Table:
    """Return every account with its balances; unless the books are broken, these add up to zero in every currency."""
    rows = (
        [
            account.code,
            account.name,
            account.kind,
            account.normal_side,
            *_sides(account.posted, currency.currency),
            Money(account.pending, currency.currency),
        ]
        for currency in found
        for account in currency.accounts
    )
    return Table(facts, _TRIAL_BALANCE, rows, zone)


def statement(*, facts: Mapping[str, str], span: AccountSpan, lines: Iterable[JournalLine], zone: tzinfo) -> Table:
    """Return the lines of one account with the balance after each; what it began and ends with stands in the facts."""
    around = {
        "Opening balance": str(Money(span.opening, span.currency)),
        "Closing balance": str(Money(span.closing, span.currency)),
    }
    return Table({**facts, **around}, _STATEMENT, _statement_rows(span.opening, lines), zone)


def journal(*, facts: Mapping[str, str], lines: Iterable[JournalLine], zone: tzinfo) -> Table:
    """Return every line of every posted entry; the total of amounts is zero in every currency."""
    rows = ([*_entry(line), line.code, line.name, *_sides(line.amount, line.currency)] for line in lines)
    return Table(facts, _JOURNAL, rows, zone)


def _statement_rows(opening: int, lines: Iterable[JournalLine]) -> Iterator[Sequence[Cell]]:
    running = opening
    for line in lines:
        running += line.amount
        yield [*_entry(line), *_sides(line.amount, line.currency), Money(running, line.currency)]


def _entry(line: JournalLine) -> Sequence[Cell]:
    return [
        line.effective_at,
        line.occurred_at,
        line.recorded_at,
        line.entry,
        line.state,
        line.reverses,
        line.source_type,
        line.source_id.hex,
        line.source_kind,
        line.source_sequence,
        line.description,
        line.cause,
        line.actor,
        line.number,
        line.method,
    ]


def _sides(amount: int, currency: str) -> tuple[Money | None, Money | None, Money]:
    """Return debit, credit and signed amount; of the two sides one is empty, both where the amount is zero."""
    debit = Money(amount, currency) if amount > 0 else None
    credit = Money(-amount, currency) if amount < 0 else None
    return debit, credit, Money(amount, currency)
