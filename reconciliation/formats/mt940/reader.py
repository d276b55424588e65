"""MT940 and MT942, whatever bank wrote them; balances and sums are control totals.

The grammar of each field is that of the library ``mt-940`` (BSD). Its statement parser is not used: it holds a whole
file in memory, knows no line numbers, and moves an impossible day to the nearest possible one, where we must reject.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from mt940 import tags

from paymentops.core.money import Money
from reconciliation.formats import amounts, dates
from reconciliation.formats.contract import (
    Event,
    Reject,
    Source,
    StatementHeader,
    StatementLine,
    StatementRefused,
    Unreadable,
    reject,
)
from reconciliation.formats.line_types import LineType
from reconciliation.formats.mt940 import information
from reconciliation.formats.mt940.fields import Field, fields
from reconciliation.formats.options import Options
from reconciliation.formats.totals import Totals

_STATEMENT_LINE: Final = tags.StatementGLS().re
_BALANCE: Final = tags.BalanceBase().re
_SUM: Final = tags.SumEntries().re
_FLOOR: Final = tags.FloorLimitIndicator().re
_NUMBER: Final = tags.StatementNumber().re
_NO_REFERENCE: Final = frozenset({"NONREF", "NOREF", "NOTPROVIDED"})


def read(stream: Source, options: Options) -> Iterator[Event]:
    """Read a file of any number of messages.

    Raises:
        StatementRefused: it holds no such message, its account or opening cannot be read, or a total does not agree.
    """
    reader = _Reader(options)
    last = 0
    for found in fields(stream, encoding=options.encoding):
        yield from reader.field(found)
        last = found.line_number
    yield from reader.end(last)


@dataclass(slots=True)
class _Statement:
    """A message while it is read; its header goes out before its first line."""

    statement_id: str
    line_number: int
    reference: str = ""
    account: str = ""
    number: str = ""
    page: int | None = None
    currency: str = ""
    opening: Money | None = None
    closing: Money | None = None
    told: bool = False
    interim: bool = False
    totals: Totals = field(default_factory=lambda: Totals(""))
    unexplained: int = 0


class _Reader:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._statement: _Statement | None = None
        self._statements = 0
        self._row = 0
        # The line waits for the information that may follow it.
        self._line: Field | None = None
        self._information: Field | None = None

    def field(self, found: Field) -> Iterator[Event]:
        """Read one field."""
        if found.tag == "86" and self._line is not None and self._information is None:
            self._information = found
            return
        yield from self._flush()
        if found.tag == "20" or (self._statement is None and found.tag not in {"-", "86"}):
            yield from self._close(found.line_number)
            self._open(found)
        if self._statement is not None:
            yield from self._inside(self._statement, found)

    def end(self, line_number: int) -> Iterator[Event]:
        """Read the end of the file."""
        yield from self._flush()
        yield from self._close(line_number)
        if not self._statements:
            raise StatementRefused(
                line_number=1, reason="The file holds no SWIFT statement: no field like :20: or :61:."
            )

    def _open(self, found: Field) -> None:
        self._statements += 1
        statement_id = str(self._statements)
        self._statement = _Statement(
            statement_id,
            found.line_number,
            account=self._options.account,
            currency=self._options.currency,
            totals=Totals(statement_id),
        )

    def _inside(self, statement: _Statement, found: Field) -> Iterator[Event]:
        tag, text = found.tag, found.text.strip()
        if tag == "61":
            if statement.closing is not None:
                raise StatementRefused(
                    line_number=found.line_number, reason="A line stands behind the closing balance."
                )
            yield from self._header(statement)
            self._line = found
        elif tag in {"60F", "60M", "60"}:
            self._opening(statement, found)
        elif tag in {"62F", "62M", "62"}:
            yield from self._header(statement)
            self._closing(statement, found)
        elif tag in {"90C", "90D"}:
            yield from self._header(statement)
            self._sum(statement, found)
        elif tag == "-":
            yield from self._close(found.line_number)
        else:
            _describe(statement, tag, text)

    def _opening(self, statement: _Statement, found: Field) -> None:
        if statement.opening is not None or statement.told:
            raise StatementRefused(
                line_number=found.line_number,
                reason="An opening balance stands inside a statement that is open already.",
            )
        statement.opening = _balance(found)
        statement.currency = statement.opening.currency

    def _closing(self, statement: _Statement, found: Field) -> None:
        closing = _balance(found)
        opening = statement.opening
        if statement.closing is not None:
            raise StatementRefused(line_number=found.line_number, reason="The statement has two closing balances.")
        statement.closing = closing
        if opening is None:
            return
        if opening.currency != closing.currency:
            raise StatementRefused(
                line_number=found.line_number,
                reason=f"The statement opens in {opening.currency}, but closes in {closing.currency}.",
            )
        statement.unexplained = statement.totals.compare_closing(
            opening=opening.minor, closing=closing.minor, currency=closing.currency, line_number=found.line_number
        )

    def _sum(self, statement: _Statement, found: Field) -> None:
        """Compare number and sum of debits or credits (MT942; banks add them to MT940 too)."""
        text = found.text.strip()
        try:
            match = _matched(_SUM, text, "number, currency and amount")
            currency = amounts.currency(match["currency"])
            minor = _minor(text[match.start("amount") :], currency)
            number = amounts.minor(match["number"]) if match["number"] else None
        except Unreadable as error:
            raise StatementRefused(line_number=found.line_number, reason=f"The sum cannot be read: {error}") from error
        statement.interim = True
        read_sum = statement.totals[currency]
        credit = found.tag == "90C"
        name = f"{'credits' if credit else 'debits'} {currency}"
        statement.totals.compare_amount(
            f"sum of {name}",
            stated=minor,
            found=read_sum.credit_minor if credit else read_sum.debit_minor,
            line_number=found.line_number,
        )
        if number is not None:
            statement.totals.compare_amount(
                f"number of {name}",
                stated=number,
                found=read_sum.credits if credit else read_sum.debits,
                line_number=found.line_number,
            )

    def _header(self, statement: _Statement) -> Iterator[StatementHeader]:
        if statement.told:
            return
        statement.told = True
        yield StatementHeader(
            line_number=statement.line_number,
            statement_id=statement.statement_id,
            account=statement.account,
            currency=statement.currency,
            version="MT942" if statement.interim and statement.opening is None else "MT940",
            reference=statement.reference,
            sequence=statement.number,
            page=statement.page,
            opening=statement.opening,
        )

    def _close(self, line_number: int) -> Iterator[Event]:
        statement = self._statement
        if statement is None:
            return
        yield from self._header(statement)
        if statement.opening is None and statement.reference and not statement.interim:
            raise StatementRefused(
                line_number=line_number, reason="The statement has no opening balance (:60F:); was the file cut short?"
            )
        if statement.opening is not None and statement.closing is None:
            raise StatementRefused(
                line_number=line_number, reason="The statement has no closing balance (:62F:); was the file cut short?"
            )
        closing = statement.closing
        for currency in sorted({*statement.totals.by_currency, statement.currency} - {""}) or [""]:
            own = closing is not None and closing.currency == currency
            yield statement.totals.finish(
                currency,
                line_number=line_number,
                opening_minor=statement.opening.minor if own and statement.opening else None,
                closing_minor=closing.minor if own and closing else None,
                unexplained_minor=statement.unexplained if own else 0,
            )
        self._statement = None

    def _flush(self) -> Iterator[StatementLine | Reject]:
        """Hand out the line that was waiting, with its information."""
        if self._line is None or self._statement is None:
            return
        line, told, statement = self._line, self._information, self._statement
        self._line = self._information = None
        self._row += 1
        event = _event(self._row, line, told, statement)
        statement.totals.add(event)
        yield event


def _describe(statement: _Statement, tag: str, text: str) -> None:
    """Take what a field says about the statement as a whole."""
    if tag == "20":
        statement.reference = text[:70]
    elif tag in {"25", "25P"}:
        statement.account = text.partition("\n")[0].strip()[:70] or statement.account
    elif tag in {"28", "28C"}:
        found = _NUMBER.match(text)
        statement.number = found["statement_number"] if found else text[:70]
        statement.page = int(found["sequence_number"]) if found and found["sequence_number"] else None
    elif tag in {"13", "13D"}:
        statement.interim = True
    elif tag == "34F" and (floor := _FLOOR.match(text)):
        statement.interim = True
        statement.currency = statement.currency or floor["currency"].upper()


def _event(row: int, line: Field, told: Field | None, statement: _Statement) -> StatementLine | Reject:
    moved: Money | None = None
    text = line.text
    try:
        match, behind = _split(text)
        parts = match.groupdict()
        moved = _moved(parts, statement.currency)
        further = " ".join(f"{parts['extra_details'] or ''} {behind}".split())
        return _line(
            row, line, statement, parts, moved, said=information.read(told.text if told else ""), further=further
        )
    except Unreadable as problem:
        return reject(
            row=row,
            line_number=line.line_number,
            reason=problem,
            excerpt=text if told is None else f"{text}\n:86:{told.text}",
            statement_id=statement.statement_id,
            amount=moved,
        )


def _split(text: str) -> tuple[re.Match[str], str]:
    """Return the parts of a line and what stands on lines behind those the grammar knows.

    The library's grammar ends an amount after fifteen characters and takes a missing comma; what follows would then be
    read as a reference, and the amount would be another.
    """
    lines = text.split("\n")
    for count in (len(lines), 2, 1):
        match = _STATEMENT_LINE.match("\n".join(lines[:count]))
        if match is not None:
            break
    else:
        raise Unreadable("The line is not: date, debit or credit, amount, type, reference.")
    if match.string[match.end("amount") :][:1] in {*"0123456789,."} or "," not in match["amount"]:
        raise Unreadable("The amount is not one with a comma and at most fifteen characters.")
    return match, " ".join(lines[count:])


def _matched(pattern: re.Pattern[str], text: str, what: str) -> re.Match[str]:
    match = pattern.match(text)
    if match is None:
        raise Unreadable(f"{text[:60]!r} is not: {what}.")
    return match


def _line(
    row: int,
    line: Field,
    statement: _Statement,
    parts: dict[str, str | None],
    moved: Money,
    *,
    said: information.Information,
    further: str,
) -> StatementLine:
    value_date = dates.short_day(f"{parts['year']}{parts['month']}{parts['day']}")
    month, day_of_month = (parts["entry_month"] or "").strip(), (parts["entry_day"] or "").strip()
    booking_date = dates.near(int(month), int(day_of_month), value_date) if month and day_of_month else value_date
    customer, bank = _reference(parts["customer_reference"]), _reference(parts["bank_reference"])
    references = (
        *((("CustomerReference", customer),) if customer else ()),
        *((("BankReference", bank),) if bank else ()),
        *((("SupplementaryDetails", further),) if further else ()),
        *said.references,
    )
    return StatementLine(
        row=row,
        line_number=line.line_number,
        statement_id=statement.statement_id,
        type=LineType.CREDIT if moved.minor >= 0 else LineType.DEBIT,
        currency=moved.currency,
        gross_minor=moved.minor,
        fee_minor=0,
        net_minor=moved.minor,
        reversal=str(parts["status"]).upper().startswith("R"),
        booking_date=booking_date,
        value_date=value_date,
        provider_reference=bank,
        our_reference=said.reference("EndToEndId") or customer,
        account=statement.account,
        references=references,
        provider_type=" ".join(part for part in (parts["id"], said.code) if part),
        description=said.description or further,
    )


def _moved(parts: dict[str, str | None], currency: str) -> Money:
    """Return the signed amount: a reversal of a credit is a debit and the other way round."""
    if not currency:
        raise Unreadable("The currency is unknown: the statement has no balance; declare the source's currency.")
    minor = _minor(parts["amount"] or "", currency)
    status = (parts["status"] or "").upper()
    return Money(minor if status in {"C", "RD"} else -minor, currency)


def _minor(text: str, currency: str) -> int:
    """Read a SWIFT amount: a comma before the decimals, also where there are none (``9,``)."""
    return amounts.major(text, currency, decimal=",")


def _balance(found: Field) -> Money:
    """Read a booked balance.

    Raises:
        StatementRefused: it cannot be read, and with it the whole statement.
    """
    text = found.text.strip()
    try:
        match = _matched(_BALANCE, text, "debit or credit, date, currency, amount")
        currency = amounts.currency(match["currency"])
        dates.short_day(f"{match['year']}{match['month']}{match['day']}")
        minor = _minor(text[match.start("amount") :], currency)
    except Unreadable as error:
        raise StatementRefused(line_number=found.line_number, reason=f"The balance cannot be read: {error}") from error
    return Money(minor if match["status"].upper() == "C" else -minor, currency)


def _reference(text: str | None) -> str:
    stripped = (text or "").strip()
    return "" if stripped.upper() in _NO_REFERENCE else stripped
