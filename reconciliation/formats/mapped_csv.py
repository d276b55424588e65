"""CSV in any layout, read by the mapping that its source declares."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from paymentops.core import currencies
from reconciliation.formats import amounts, csv_rows, dates
from reconciliation.formats.contract import (
    Event,
    Source,
    StatementHeader,
    StatementLine,
    StatementRefused,
    Unreadable,
    split,
)
from reconciliation.formats.line_types import OUTGOING, LineType
from reconciliation.formats.mapping import ISO, Column, CsvMapping, Footer, Sign, Unit
from reconciliation.formats.options import Options
from reconciliation.formats.totals import Totals

STATEMENT: Final = "1"
_REFERENCES: Final = ("provider_reference", "related_reference", "our_reference")


def read(stream: Source, options: Options) -> Iterator[Event]:
    """Read a file by ``options.mapping``.

    Raises:
        StatementRefused: there is no mapping, a mapped column is missing, or the footer does not agree.
    """
    mapping = options.mapping
    if mapping is None:
        raise StatementRefused(line_number=0, reason="This source declares no mapping; declare its columns first.")
    totals = Totals(STATEMENT)
    table = _table(stream, mapping, options)
    parser = _RowParser(mapping, options, _Positions(table, mapping))
    yield StatementHeader(
        line_number=table.line_number, statement_id=STATEMENT, account=options.account, currency=mapping.currency
    )
    body = _Body(table, mapping.footer)
    yield from csv_rows.events(body, parser.line, totals)
    last = table.line_number
    if mapping.footer:
        last = _compare(body.footer, mapping, parser, totals)
    yield from totals.finish_all(line_number=last)


def _table(stream: Source, mapping: CsvMapping, options: Options) -> csv_rows.Table:
    if mapping.headings:
        return csv_rows.table(stream, encoding=options.encoding, delimiter=mapping.delimiter, skip=mapping.skip)
    rows = csv_rows.rows(stream, encoding=options.encoding, delimiter=mapping.delimiter, skip=mapping.skip)
    needed = [column for column in (*mapping.columns.values(), *mapping.references) if isinstance(column, int)]
    return csv_rows.Table(mapping.skip + 1, [""] * max(needed), (_long_enough(row, max(needed)) for row in rows))


def _long_enough(row: csv_rows.Row, width: int) -> csv_rows.Row:
    """Without headings only the mapped columns are known; what stands behind them is not ours to judge."""
    return row._replace(fields=row.fields[:width]) if len(row.fields) > width else row


class _Positions:
    """Where the mapped columns stand in this file."""

    def __init__(self, table: csv_rows.Table, mapping: CsvMapping) -> None:
        self._table = table
        self.of = {name: self._at(column) for name, column in mapping.columns.items()}
        self.references = {str(column): self._at(column) for column in mapping.references}

    def _at(self, column: Column) -> int:
        return column - 1 if isinstance(column, int) else self._table.required(column)


class _Body:
    """The data rows without the footer, which is kept; a row behind the footer makes the file doubtful."""

    def __init__(self, rows: Iterable[csv_rows.Row], footer: Footer | None) -> None:
        self._rows = rows
        self._word = footer.word if footer else None
        self.footer: csv_rows.Row | None = None

    def __iter__(self) -> Iterator[csv_rows.Row]:
        for row in self._rows:
            if self.footer is not None:
                raise StatementRefused(
                    line_number=row.line_number,
                    reason=f"A row follows the footer of line {self.footer.line_number}.",
                )
            if self._word is not None and row.fields and row.fields[0].strip() == self._word:
                self.footer = row
            else:
                yield row


@dataclass(slots=True)
class _RowParser:
    mapping: CsvMapping
    options: Options
    positions: _Positions

    def line(self, number: int, row: csv_rows.Row) -> StatementLine:
        fields, at = row.fields, self.positions.of
        mapping = self.mapping
        currency = amounts.currency(fields[at["currency"]]) if "currency" in at else mapping.currency
        word = fields[at["type"]].strip() if "type" in at else ""
        kind = mapping.types.get(word.casefold(), mapping.default_type)
        gross, fee, net = self._amounts(fields, currency, kind)
        original_minor, original_currency = self._original(fields, negative=gross < 0)
        moved_at = self._moment(fields)
        provider, related, ours = (self._text(fields, name) for name in _REFERENCES)
        if not (provider or related or ours):
            raise Unreadable("The row carries no reference.")
        return StatementLine(
            row=number,
            line_number=row.line_number,
            statement_id=STATEMENT,
            type=kind,
            currency=currency,
            gross_minor=gross,
            fee_minor=fee,
            net_minor=net,
            booked=word.casefold() not in mapping.pending if mapping.pending else True,
            moved_at=moved_at,
            booking_date=self._day(fields, "booking_date"),
            value_date=self._day(fields, "value_date"),
            provider_reference=provider,
            related_reference=related,
            our_reference=ours,
            batch_id=self._text(fields, "batch_id"),
            account=self._text(fields, "account") or self.options.account,
            original_minor=original_minor,
            original_currency=original_currency,
            exchange_rate=self._optional(fields, "exchange_rate", self._rate),
            references=csv_rows.named(fields, self.positions.references) if self.positions.references else (),
            method=self._text(fields, "method"),
            provider_type=word,
            description=self._text(fields, "description"),
        )

    def minor(self, text: str, currency: str) -> int:
        """Return an amount of the file in minor units, as written."""
        mapping = self.mapping
        ours = currencies.exponent(currency)
        exponent = mapping.exponents.get(currency, ours)
        if mapping.unit is Unit.MINOR:
            found = amounts.minor(text)
        else:
            found = amounts.scaled(text, exponent, decimal=mapping.decimal, grouping=mapping.grouping)
        return found if exponent == ours else amounts.rescaled(found, exponent, ours)

    def _amounts(self, fields: list[str], currency: str, kind: LineType) -> tuple[int, int, int]:
        at, mapping = self.positions.of, self.mapping
        fee = self._optional(fields, "fee", lambda text: self.minor(text, currency)) or 0
        fee = -fee if mapping.fee_negative else fee
        if mapping.sign is Sign.DEBIT_CREDIT:
            gross = self._of_two(fields, currency)
            return split(gross_minor=gross, fee_minor=fee, net_minor=gross - fee)
        gross_found = self._signed(fields, "gross", currency, kind) if "gross" in at else None
        net_found = self._signed(fields, "net", currency, kind) if "net" in at else None
        if gross_found is None and net_found is not None:
            gross_found = net_found + fee
        if gross_found is None:
            raise Unreadable("The amount is missing.")
        if net_found is not None and "fee" not in at:
            fee = gross_found - net_found
        return split(
            gross_minor=gross_found, fee_minor=fee, net_minor=gross_found - fee if net_found is None else net_found
        )

    def _signed(self, fields: list[str], name: str, currency: str, kind: LineType) -> int:
        found = self.minor(fields[self.positions.of[name]], currency)
        sign = self.mapping.sign
        if sign is Sign.SIGNED:
            return found
        if sign is Sign.NEGATED:
            return -found
        if found < 0:
            raise Unreadable("The amount has a sign, though this source's direction comes from another column.")
        return -found if self._leaves(fields, kind) else found

    def _leaves(self, fields: list[str], kind: LineType) -> bool:
        """Tell whether an unsigned amount leaves our balance."""
        if self.mapping.sign is Sign.TYPE:
            if kind is LineType.OTHER:
                raise Unreadable("The direction of an unknown type is unknown.")
            return kind in OUTGOING
        word = fields[self.positions.of["sign"]].strip().casefold()
        if word in self.mapping.debit_words:
            return True
        if word in self.mapping.credit_words:
            return False
        raise Unreadable(f"{word[:20]!r} says neither credit nor debit.")

    def _of_two(self, fields: list[str], currency: str) -> int:
        """Return the amount from the columns debit and credit, of which one is filled (the other blank or zero)."""
        at = self.positions.of
        found = [
            None if not fields[at[name]].strip() else abs(self.minor(fields[at[name]], currency))
            for name in ("credit", "debit")
        ]
        credit, debit = found
        if credit is None and debit is None:
            raise Unreadable("Both the debit and the credit are missing.")
        if credit and debit:
            raise Unreadable("The row has a debit and a credit.")
        return (credit or 0) - (debit or 0)

    def _original(self, fields: list[str], *, negative: bool) -> tuple[int | None, str]:
        at = self.positions.of
        if "original_amount" not in at or "original_currency" not in at or not fields[at["original_amount"]].strip():
            return None, ""
        currency = amounts.currency(fields[at["original_currency"]])
        found = abs(self.minor(fields[at["original_amount"]], currency))
        return (-found if negative else found), currency

    def _moment(self, fields: list[str]) -> datetime | None:
        pattern, zone = self.mapping.moment_pattern, self.options.zone
        if pattern == ISO:
            return self._optional(fields, "moved_at", lambda text: dates.iso_moment(text, zone))
        return self._optional(fields, "moved_at", lambda text: dates.moment(text, pattern, zone))

    def _day(self, fields: list[str], name: str) -> date | None:
        pattern = self.mapping.day_pattern
        return self._optional(fields, name, dates.iso_day if pattern == ISO else lambda text: dates.day(text, pattern))

    def _text(self, fields: list[str], name: str) -> str:
        at = self.positions.of.get(name)
        return "" if at is None else fields[at].strip()

    def _rate(self, text: str) -> Decimal | None:
        return amounts.rate(text, decimal=self.mapping.decimal)

    def _optional[T](self, fields: list[str], name: str, parse: Callable[[str], T]) -> T | None:
        at = self.positions.of.get(name)
        return None if at is None or not fields[at].strip() else parse(fields[at].strip())


def _compare(footer: csv_rows.Row | None, mapping: CsvMapping, parser: _RowParser, totals: Totals) -> int:
    """Compare the footer's totals with the rows; return its line."""
    declared = mapping.footer
    if footer is None or declared is None:
        raise StatementRefused(
            line_number=0, reason="The footer that this source declares is missing; was the file cut?"
        )
    try:
        if declared.count:
            stated = amounts.minor(footer.fields[declared.count - 1])
            totals.compare_count("number of rows", stated=stated, found=totals.rows, line_number=footer.line_number)
        if declared.net:
            _compare_net(footer, declared, parser, totals)
    except (Unreadable, IndexError) as error:
        raise StatementRefused(line_number=footer.line_number, reason=f"The footer cannot be read: {error}") from error
    return footer.line_number


def _compare_net(footer: csv_rows.Row, declared: Footer, parser: _RowParser, totals: Totals) -> None:
    met, text = sorted(totals.by_currency), footer.fields[declared.net - 1]
    if not met:
        found = amounts.scaled(text, 0, decimal=parser.mapping.decimal, grouping=parser.mapping.grouping)
        totals.compare_amount("total", stated=found, found=0, line_number=footer.line_number)
        return
    if len(met) != 1:
        raise StatementRefused(line_number=footer.line_number, reason="One total cannot stand for several currencies.")
    stated = parser.minor(text, met[0])
    totals.compare_amount(
        f"total {met[0]}", stated=stated, found=totals[met[0]].net_minor, line_number=footer.line_number
    )
