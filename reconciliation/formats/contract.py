"""What every statement format does: a stream of bytes becomes a stream of events, in constant memory.

A reader yields, in the order of the file, a ``StatementHeader`` for each statement or batch, a ``StatementLine`` or a
``Reject`` for each data row, and ``ControlTotals`` where a statement ends; ``registry.read`` closes the stream with
``EndOfFile``. A file that cannot be trusted as a whole raises ``StatementRefused`` at any point, so a caller keeps
nothing of a file before it has seen ``EndOfFile``.

Signs are those of our balance at the provider or bank: money that comes to us is positive, money that leaves us is
negative; a fee is positive when we pay it, and ``net = gross - fee`` on every line.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money
from reconciliation.formats.line_types import LineType
from reconciliation.formats.options import Options

# The largest amount a bigint column holds, in minor units.
LARGEST_MINOR: Final = 2**63 - 1
_LONGEST_EXCERPT: Final = 500
_LONGEST_REASON: Final = 500


class Source(Protocol):
    """All that is asked of a stream."""

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes; none at the end."""
        ...


class StatementRefused(ApplicationError):
    """The file as a whole cannot be trusted; nothing of it may be kept.

    Args:
        line_number: the line of the file, counted from 1, at which this was found; 0 for the file as a whole.
        reason: one sentence for a person.
    """

    code = "statement.refused"
    status = 422
    title = "The statement file was refused as a whole"

    def __init__(self, *, line_number: int, reason: str) -> None:
        where = f"Line {line_number}: " if line_number else ""
        super().__init__(f"{where}{reason}", extra={"line_number": line_number, "reason": reason})
        self.line_number = line_number
        self.reason = reason


class Unreadable(Exception):
    """A value of one row cannot be read; the reader turns it into a ``Reject``. The text is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementHeader:
    """The beginning of a statement or batch.

    ``statement_id`` ties it to its lines and totals and is unique in the file; ``version`` is what the file says of
    itself (``camt.053.001.08``), ``reference`` its own id, ``sequence`` the statement number as written, ``page`` its
    page if it says so. ``sequence.gap`` compares two headers.
    """

    line_number: int
    statement_id: str
    account: str = ""
    currency: str = ""
    version: str = ""
    reference: str = ""
    sequence: str = ""
    page: int | None = None
    last_page: bool | None = None
    created_at: datetime | None = None
    from_date: date | None = None
    to_date: date | None = None
    opening: Money | None = None


class StatementLine(NamedTuple):
    """One movement (or notice) of one statement. A tuple, because a file holds millions.

    Args:
        row: the data row, counted from 1 over lines and rejects of the file without a gap; unique in the file.
        line_number: the line of the file on which the row begins.
        gross_minor, fee_minor, net_minor: minor units of ``currency``, signed as this module says.
        booked: False for what is announced or pending; only booked lines count in control totals.
        reversal: the bank marks this as taking back an earlier entry. The sign already says so.
        moved_at: the moment, in UTC, where the file gives one.
        booking_date, value_date: the days on which the account was moved, and on which the money counts.
        provider_reference: the provider's or bank's id of this operation.
        related_reference: the provider's id of the payment that the operation belongs to, where it differs.
        our_reference: what we called it.
        batch_id: the payout, settlement batch or bank batch that it was settled in.
        original_minor, original_currency: the amount in the payer's currency, signed like ``gross_minor``.
        exchange_rate: units of ``currency`` per unit of ``original_currency``, as written.
        fee_parts: what the fee is made of, by kind; adds up to ``fee_minor`` where it is not empty.
        amounts: further amounts that the row states, in minor units, by name; not part of gross or fee.
        references: every other reference of the row, by its own name, as written.
        provider_type: the file's own word or code for the type.
    """

    row: int
    line_number: int
    statement_id: str
    type: LineType
    currency: str
    gross_minor: int
    fee_minor: int
    net_minor: int
    booked: bool = True
    reversal: bool = False
    moved_at: datetime | None = None
    booking_date: date | None = None
    value_date: date | None = None
    provider_reference: str = ""
    related_reference: str = ""
    our_reference: str = ""
    batch_id: str = ""
    account: str = ""
    original_minor: int | None = None
    original_currency: str = ""
    exchange_rate: Decimal | None = None
    fee_parts: tuple[tuple[str, int], ...] = ()
    amounts: tuple[tuple[str, int], ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    method: str = ""
    provider_type: str = ""
    description: str = ""

    @property
    def gross(self) -> Money:
        """What moved before fees."""
        return Money(self.gross_minor, self.currency)

    @property
    def fee(self) -> Money:
        """What it cost us; negative when a fee was given back."""
        return Money(self.fee_minor, self.currency)

    @property
    def net(self) -> Money:
        """What reached the balance."""
        return Money(self.net_minor, self.currency)

    @property
    def original(self) -> Money | None:
        """The amount in the payer's currency, where the row gives one."""
        return None if self.original_minor is None else Money(self.original_minor, self.original_currency)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A data row that cannot be read: why, and what stands there (at most 500 characters).

    ``amount`` is what the row moves, when that much could be read: such a row still counts in control totals.
    """

    row: int
    line_number: int
    reason: str
    excerpt: str
    statement_id: str = ""
    amount: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlTotals:
    """The end of a statement: what was counted, and which of the file's own totals it was compared with.

    Args:
        lines, rejects: how many of each the statement has in this currency (rejects: in the statement).
        credit_minor, debit_minor: sums of booked net amounts above and below zero, both as positive numbers.
        checked: the names of the file's totals that agree with what was read; empty if the file states none.
        unproven: the names of totals that could not be compared, because a rejected row's amount is unknown.
        unexplained_minor: what those rejected rows must come to for the closing balance to hold.
    """

    line_number: int
    statement_id: str
    currency: str
    lines: int
    rejects: int
    credit_minor: int
    debit_minor: int
    opening_minor: int | None = None
    closing_minor: int | None = None
    checked: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    unexplained_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfFile:
    """The whole file was read: ``rows = lines + rejects``. Without this event nothing of the file counts."""

    rows: int
    lines: int
    rejects: int
    statements: int


type Event = StatementHeader | StatementLine | Reject | ControlTotals | EndOfFile
type Reader = Callable[[Source, Options], Iterator[Event]]


def reject(
    *, row: int, line_number: int, reason: object, excerpt: str, statement_id: str = "", amount: Money | None = None
) -> Reject:
    """Return a reject with reason and excerpt cut to what a table shows."""
    return Reject(
        row=row,
        line_number=line_number,
        reason=str(reason)[:_LONGEST_REASON],
        excerpt=excerpt.strip("\r\n")[:_LONGEST_EXCERPT],
        statement_id=statement_id,
        amount=amount,
    )


def split(*, gross_minor: int, fee_minor: int, net_minor: int) -> tuple[int, int, int]:
    """Return the three amounts of a row that agree and fit.

    Raises:
        Unreadable: ``gross - fee`` is not ``net``, or one is beyond a bigint.
    """
    if gross_minor - fee_minor != net_minor:
        raise Unreadable(
            f"The amounts do not agree: gross {gross_minor} less fee {fee_minor} is not net {net_minor} (minor units)."
        )
    if max(abs(gross_minor), abs(fee_minor), abs(net_minor)) > LARGEST_MINOR:
        raise Unreadable("The amount is beyond what can be stored.")
    return gross_minor, fee_minor, net_minor
