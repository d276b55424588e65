"""BAI2 balance reports: nested records with continuations, each level ending in a control total and record count.

Read here and not by the library ``bai2`` (MIT): it holds a whole file in memory, refuses a number that is continued on
the next record and records that end with the line, and knows no line numbers. Amounts are whole minor units without
sign; the type code says the direction (Cash Management Balance Reporting Specifications, version 2).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from paymentops.core.money import Money
from reconciliation.formats import amounts, dates
from reconciliation.formats.bai2.records import Record, records, summaries, value
from reconciliation.formats.bai2.transactions import Transaction
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
from reconciliation.formats.options import Options
from reconciliation.formats.totals import Totals

# A report without a currency is in that of its sender; the specification is American.
_CURRENCY: Final = "USD"
_OPENING: Final = "010"
_CLOSING: Final = "015"
_STATUS: Final = {"1": "update", "2": "deletion", "3": "correction", "4": "test"}


@dataclass(slots=True)
class _Level:
    """What one level has counted and summed so far; ``records`` are lines of the file, continuations too."""

    line_number: int
    total: int = 0
    records: int = 0
    children: int = 0
    unknown: int = 0


def read(stream: Source, options: Options) -> Iterator[Event]:
    """Read a file.

    Raises:
        StatementRefused: records are not nested as they must be, an account cannot be read, or a control total or
            count does not agree.
    """
    reader = _Reader(options)
    last = 1
    for record in records(stream, options):
        last = record.line_number
        yield from reader.record(record)
    reader.end(last)


class _Reader:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._file: _Level | None = None
        self._group: _Level | None = None
        self._account: _Level | None = None
        self._ended = False
        self._row = 0
        self._accounts = 0
        self._version = ""
        self._group_fields: list[str] = []
        self._header: StatementHeader | None = None
        self._totals = Totals("")
        self._closing: int | None = None

    def record(self, record: Record) -> Iterator[Event]:
        """Read one record."""
        if self._ended:
            raise StatementRefused(
                line_number=record.line_number, reason="A record stands behind the end of the file (99)."
            )
        self._count(record)
        match record.code:
            case "01":
                self._begin_file(record)
            case "02":
                self._begin_group(record)
            case "03":
                yield self._begin_account(record)
            case "49":
                yield from self._end_account(record)
            case "98":
                self._end_group(record)
            case "99":
                self._end_file(record)
            case _:
                yield self._transaction(record)

    def end(self, line_number: int) -> None:
        """Read the end of the file: it must have been closed by its own trailer."""
        if self._file is None:
            raise StatementRefused(line_number=1, reason="The file does not begin with a BAI2 file header (01).")
        if not self._ended:
            raise StatementRefused(line_number=line_number, reason="The file has no trailer (99); was it cut short?")

    def _count(self, record: Record) -> None:
        for level in (self._file, self._group, self._account):
            if level is not None:
                level.records += len(record.parts)

    def _begin_file(self, record: Record) -> None:
        if self._file is not None:
            raise StatementRefused(line_number=record.line_number, reason="The file has two headers (01).")
        self._file = _Level(record.line_number, records=len(record.parts))
        version = value(record.fields(), 7)
        self._version = f"BAI{version}" if version else "BAI"
        if version not in {"2", ""}:
            raise StatementRefused(line_number=record.line_number, reason=f"Version {version[:10]!r} is not BAI2.")

    def _begin_group(self, record: Record) -> None:
        if self._file is None or self._group is not None:
            raise _misplaced(record, "a group (02) begins inside a file and outside a group")
        self._group = _Level(record.line_number, records=len(record.parts))
        self._group_fields = record.fields()

    def _begin_account(self, record: Record) -> StatementHeader:
        if self._group is None or self._account is not None:
            raise _misplaced(record, "an account (03) begins inside a group and outside an account")
        self._account = _Level(record.line_number, records=len(record.parts))
        self._accounts += 1
        fields = record.fields()
        try:
            currency = amounts.currency(
                value(fields, 1) or value(self._group_fields, 5) or self._options.currency or _CURRENCY
            )
            balances = summaries(fields[2:])
            day = dates.short_day(value(self._group_fields, 3)) if value(self._group_fields, 3) else None
        except Unreadable as error:
            raise StatementRefused(
                line_number=record.line_number, reason=f"The account cannot be read: {error}"
            ) from error
        self._account.total = sum(found for _, found in balances)
        by_code = dict(balances)
        opening = by_code.get(_OPENING)
        self._closing = by_code.get(_CLOSING)
        self._totals = Totals(str(self._accounts))
        self._header = StatementHeader(
            line_number=record.line_number,
            statement_id=str(self._accounts),
            account=value(fields, 0) or self._options.account,
            currency=currency,
            version=self._version,
            reference=_STATUS.get(value(self._group_fields, 2), ""),
            from_date=day,
            to_date=day,
            opening=None if opening is None else Money(opening, currency),
        )
        return self._header

    def _transaction(self, record: Record) -> StatementLine | Reject:
        account, header = self._account, self._header
        if account is None or header is None:
            raise _misplaced(record, "a transaction (16) belongs inside an account (03)")
        self._row += 1
        minor: int | None = None
        try:
            parsed = Transaction.parse(record)
            minor = parsed.minor
            account.total += minor
            event: StatementLine | Reject = parsed.line(self._row, record, header)
        except Unreadable as problem:
            if minor is None:
                account.unknown += 1
            event = reject(
                row=self._row,
                line_number=record.line_number,
                reason=problem,
                excerpt=record.shown(),
                statement_id=header.statement_id,
            )
        self._totals.add(event)
        return event

    def _end_account(self, record: Record) -> Iterator[Event]:
        account, group, header = self._account, self._group, self._header
        if account is None or group is None or header is None:
            raise _misplaced(record, "an account trailer (49) ends an account")
        self._compare(record, account, count=None, records=1)
        group.total += account.total
        group.unknown += account.unknown
        group.children += 1
        self._account = None
        yield self._totals.finish(
            header.currency,
            line_number=record.line_number,
            opening_minor=header.opening.minor if header.opening else None,
            closing_minor=self._closing,
        )

    def _end_group(self, record: Record) -> None:
        group, file = self._group, self._file
        if group is None or file is None or self._account is not None:
            raise _misplaced(record, "a group trailer (98) ends a group whose accounts have ended")
        self._compare(record, group, count=1, records=2)
        file.total += group.total
        file.unknown += group.unknown
        file.children += 1
        self._group = None

    def _end_file(self, record: Record) -> None:
        if self._file is None or self._group is not None:
            raise _misplaced(record, "the file trailer (99) ends a file whose groups have ended")
        self._compare(record, self._file, count=1, records=2)
        self._ended = True

    def _compare(self, record: Record, level: _Level, *, count: int | None, records: int) -> None:
        """Compare a trailer's total, number of parts and number of records with what was read.

        Args:
            record: the trailer: its total stands first.
            level: what was read.
            count: where the trailer says how many parts the level has, if it does.
            records: where it says how many lines of the file.
        """
        fields, line_number = record.fields(), record.line_number
        try:
            total = amounts.minor(value(fields, 0))
            children = None if count is None else amounts.minor(value(fields, count))
            lines = amounts.minor(value(fields, records))
        except Unreadable as error:
            raise StatementRefused(line_number=line_number, reason=f"The trailer cannot be read: {error}") from error
        name = f"control total ({record.code})"
        if total != level.total and level.unknown:
            self._totals.unproven.append(name)
        else:
            self._totals.compare_count(name, stated=total, found=level.total, line_number=line_number)
        if children is not None:
            self._totals.compare_count(
                f"number of parts ({record.code})", stated=children, found=level.children, line_number=line_number
            )
        self._totals.compare_count(
            f"number of records ({record.code})", stated=lines, found=level.records, line_number=line_number
        )


def _misplaced(record: Record, rule: str) -> StatementRefused:
    return StatementRefused(line_number=record.line_number, reason=f"The record stands where it cannot: {rule}.")
