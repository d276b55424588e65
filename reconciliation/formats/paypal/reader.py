"""PayPal settlement report (STL): typed records, sections per account, footers per currency.

Amounts are unsigned and without decimals; the column beside each says credit or debit, and the currency's exponent
says what the digits mean. Section footers (SF) state gross, fees and balances per currency, SC and RC the number of
rows; all are compared (developer.paypal.com/docs/reports/sftp-reports/settlement-report). A section without any
footer was cut short and is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from paymentops.core.money import Money
from reconciliation.formats import amounts, csv_rows, dates
from reconciliation.formats.contract import (
    ControlTotals,
    Event,
    Reject,
    Source,
    StatementHeader,
    StatementLine,
    StatementRefused,
    Unreadable,
    reject,
)
from reconciliation.formats.options import Options
from reconciliation.formats.paypal.rows import Movement, Section, Sums, columns, line, minor, movement, signed
from reconciliation.formats.text import Peeked
from reconciliation.formats.totals import Totals

# The days of the account's own time zone, whose offset stands behind the time.
_DAY: Final = "%Y/%m/%d"
_KNOWN: Final = frozenset({"RH", "FH", "SH", "CH", "SB", "SF", "SC", "RF", "RC", "FF"})


def read(stream: Source, options: Options) -> Iterator[Event]:
    """Read a report.

    Raises:
        StatementRefused: it is no such report, it was cut, or a total does not agree.
    """
    peeked = Peeked(stream, size=64)
    delimiter = _delimiter(peeked.start)
    reader = _Reader(options)
    last = 0
    for row in csv_rows.rows(peeked, encoding=options.encoding, delimiter=delimiter):
        yield from reader.record(row)
        last = row.line_number
    yield from reader.end(last)


def _delimiter(start: bytes) -> str:
    """Return what stands behind the first record's type: a report comes with commas, tabs, semicolons or bars."""
    first = start.removeprefix(b"\xef\xbb\xbf").lstrip().replace(b'"', b"")
    if first[:2] not in {b"RH", b"FH", b"SH"}:
        raise StatementRefused(line_number=1, reason="The file does not begin with a PayPal record (RH, FH or SH).")
    found = first[2:3].decode("ascii", errors="replace")
    if found not in {",", "\t", ";", "|"}:
        raise StatementRefused(line_number=1, reason="Behind the first record's type stands no known delimiter.")
    return found


@dataclass(slots=True)
class _Reader:
    options: Options
    section: Section | None = None
    totals: Totals = field(default_factory=lambda: Totals(""))
    balances: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    counted: bool = False
    number: int = 0
    sections: int = 0
    file_number: int = 1
    report: dict[str, Sums] = field(default_factory=dict)
    unknown: int = 0

    def record(self, row: csv_rows.Row) -> Iterator[Event]:
        """Read one record of any type."""
        word = row.fields[0].strip().upper() if row.fields else ""
        if row.problem or word not in _KNOWN:
            yield self._rejected(row, row.problem or f"{word[:20]!r} is not a record type.")
        elif word == "SB":
            yield self._body(row)
        elif word in {"SH", "RF", "RC", "FF"}:
            yield from self._close(row.line_number)
            yield from self._outer(word, row)
        else:
            self._inner(word, row)

    def end(self, line_number: int) -> Iterator[Event]:
        """Read the end of the file."""
        yield from self._close(line_number)
        if not self.sections:
            raise StatementRefused(line_number=line_number, reason="The file has no section (SH).")

    def _outer(self, word: str, row: csv_rows.Row) -> Iterator[Event]:
        """Read a record outside sections: the next section's beginning or a footer of the report."""
        if word == "SH":
            yield self._open(row)
        elif self.file_number > 1:
            # Footers of a report in several files count all of them.
            return
        elif word == "RF":
            currency, stated = self._footer(row)
            self._compare_sums("report", currency, stated, self.report.get(currency, Sums()), row.line_number)
        else:
            stated_rows = self._whole(row, 1)
            self.totals.compare_count(
                f"number of rows ({word})", stated=stated_rows, found=self.number, line_number=row.line_number
            )

    def _inner(self, word: str, row: csv_rows.Row) -> None:
        """Read a record before or inside a section that is no data."""
        if word == "FH":
            self.file_number = self._whole(row, 1)
        elif word == "CH":
            section = self._inside(row)
            section.at = columns(csv_rows.Table(row.line_number, row.fields, iter(())))
            section.width = len(row.fields)
        elif word == "SF":
            self._section_footer(row)
        elif word == "SC":
            self._inside(row)
            self.totals.compare_count(
                "number of rows (SC)",
                stated=self._whole(row, 1),
                found=self.totals.rows,
                line_number=row.line_number,
            )
            self.counted = True

    def _open(self, row: csv_rows.Row) -> StatementHeader:
        self.sections += 1
        found = [*row.fields, "", "", ""]
        account = found[3].strip() or self.options.account
        self.section = Section(statement_id=str(self.sections), account=account)
        self.totals = Totals(self.section.statement_id)
        self.balances = {}
        self.counted = False
        try:
            begin, end = (dates.day(text.strip()[:10], _DAY) for text in found[1:3])
        except Unreadable as error:
            raise StatementRefused(line_number=row.line_number, reason=str(error)) from error
        return StatementHeader(
            line_number=row.line_number,
            statement_id=self.section.statement_id,
            account=account,
            from_date=begin,
            to_date=end,
        )

    def _close(self, line_number: int) -> Iterator[ControlTotals]:
        """End the open section, if there is one: every currency it moved must have had its footer."""
        if self.section is None:
            return
        missing = sorted(set(self.section.sums) - set(self.balances))
        if missing or not (self.balances or self.counted):
            what = ", ".join(missing) or "any currency"
            raise StatementRefused(
                line_number=line_number, reason=f"The section has no footer (SF) for {what}; was the file cut short?"
            )
        for currency in sorted(self.balances) or [""]:
            opening, closing, unexplained = self.balances.get(currency, (None, None, 0))
            yield self.totals.finish(
                currency,
                line_number=line_number,
                opening_minor=opening,
                closing_minor=closing,
                unexplained_minor=unexplained,
            )
        self.section = None

    def _body(self, row: csv_rows.Row) -> StatementLine | Reject:
        section = self._inside(row)
        if not section.at:
            raise StatementRefused(line_number=row.line_number, reason="A row (SB) stands before its headings (CH).")
        if self.balances or self.counted:
            raise StatementRefused(line_number=row.line_number, reason="A row (SB) stands behind its section's footer.")
        fitted = csv_rows.fitted(row, section.width)
        if fitted.problem:
            return self._rejected(row, fitted.problem)
        try:
            moved = movement(fitted.fields, section.at, self.options)
        except Unreadable as problem:
            return self._rejected(row, str(problem))
        self._count(section, moved)
        try:
            event: StatementLine | Reject = line(self.number + 1, fitted, section, moved, self.options)
        except Unreadable as problem:
            return self._rejected(row, str(problem), moved)
        self.number += 1
        self.totals.add(event)
        return event

    def _count(self, section: Section, moved: Movement) -> None:
        section.sums.setdefault(moved.currency, Sums()).add(moved)
        self.report.setdefault(moved.currency, Sums()).add(moved)

    def _rejected(self, row: csv_rows.Row, reason: str, moved: Movement | None = None) -> Reject:
        self.number += 1
        amount = Money(moved.gross_minor - moved.fee_minor, moved.currency) if moved else None
        event = reject(
            row=self.number,
            line_number=row.line_number,
            reason=reason,
            excerpt=row.raw,
            statement_id=self.totals.statement_id,
            amount=amount,
        )
        self.unknown += amount is None
        self.totals.add(event)
        return event

    def _section_footer(self, row: csv_rows.Row) -> None:
        section = self._inside(row)
        currency, stated = self._footer(row)
        if currency in self.balances:
            raise StatementRefused(line_number=row.line_number, reason=f"There is a second footer for {currency}.")
        self._compare_sums("section", currency, stated, section.sums.get(currency, Sums()), row.line_number)
        opening, closing = (self._balance(row, at, currency) for at in (6, 8))
        unexplained = self.totals.compare_closing(
            opening=opening, closing=closing, currency=currency, line_number=row.line_number
        )
        self.balances[currency] = (opening, closing, unexplained)

    def _compare_sums(self, where: str, currency: str, stated: list[int], found: Sums, line_number: int) -> None:
        """Compare gross credits, gross debits and fees; fees are stated credits first, but not by every sender."""
        names = (f"{where}'s gross credits {currency}", f"{where}'s gross debits {currency}")
        for name, said, read_ in zip(names, stated, (found.gross_credit, found.gross_debit), strict=False):
            self._compare(name, said, read_, line_number)
        fees = (found.fee_credit, found.fee_debit)
        swapped = (stated[3], stated[2]) == fees
        for name, said, read_ in zip(
            (f"{where}'s fee credits {currency}", f"{where}'s fee debits {currency}"),
            fees if swapped else stated[2:4],
            fees,
            strict=True,
        ):
            self._compare(name, said, read_, line_number)

    def _compare(self, name: str, stated: int, found: int, line_number: int) -> None:
        if stated != found and self.unknown:
            self.totals.unproven.append(name)
        else:
            self.totals.compare_count(name, stated=stated, found=found, line_number=line_number)

    def _footer(self, row: csv_rows.Row) -> tuple[str, list[int]]:
        """Return currency, gross credits and debits, fee credits and debits of a footer."""
        if len(row.fields) < 6:
            raise StatementRefused(line_number=row.line_number, reason="The footer is too short.")
        try:
            currency = amounts.currency(row.fields[1])
            return currency, [minor(text, currency, self.options) for text in row.fields[2:6]]
        except Unreadable as error:
            raise StatementRefused(line_number=row.line_number, reason=f"The footer cannot be read: {error}") from error

    def _balance(self, row: csv_rows.Row, at: int, currency: str) -> int:
        if len(row.fields) < at + 2:
            raise StatementRefused(line_number=row.line_number, reason="The footer lacks its balances.")
        try:
            return signed(row.fields[at], minor(row.fields[at + 1], currency, self.options))
        except Unreadable as error:
            raise StatementRefused(line_number=row.line_number, reason=f"The footer cannot be read: {error}") from error

    def _whole(self, row: csv_rows.Row, at: int) -> int:
        try:
            return amounts.minor(row.fields[at])
        except (IndexError, Unreadable) as error:
            raise StatementRefused(
                line_number=row.line_number, reason=f"The record {row.fields[0][:2]} carries no number."
            ) from error

    def _inside(self, row: csv_rows.Row) -> Section:
        if self.section is None:
            raise StatementRefused(
                line_number=row.line_number, reason=f"The record {row.fields[0][:2]} stands outside a section (SH)."
            )
        return self.section
