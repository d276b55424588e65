"""CSV files for people and spreadsheets, written as a stream: constant memory, proof of wholeness at the end.

The form is RFC 4180 in UTF-8: every row has as many fields as the table is wide. Rows of facts stand first (what was
asked for, as of when, by whom), then the names of the columns, then the data, then what is known at the end only: the
number of rows, control totals per column and currency, and the SHA-256 of every byte before that last row. A file that
was cut short has no such end.

A cell's type decides how it is written. Text is always quoted, and made inert by an apostrophe where a spreadsheet
would take it for a formula. Numbers are written by us from ``int`` and ``Money`` alone, never quoted and never from
text, so ``-12.90`` stays a number: digits behind a minus cannot be a formula. Floats are refused.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from enum import Enum, auto
from hashlib import sha256
from typing import Final

from paymentops.core.money import Money

CONTENT_TYPE: Final = "text/csv; charset=utf-8; header=absent"
SHA_LABEL: Final = "SHA-256 of all bytes above"

# What begins a formula or a command in a spreadsheet, also full-width (OWASP, "CSV Injection").
_FORMULA_STARTS: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
# Spreadsheets drop these in front of a formula.
_SKIPPED_IN_FRONT: Final = " \u00a0\u200b\u200c\u200d\u2060\u3000\ufeff\0"
_BYTE_ORDER_MARK: Final = "\ufeff"
_CHUNK_BYTES: Final = 64 * 1024
_NARROWEST: Final = 4

type Cell = str | int | Money | datetime | None
type _Written = str | int | Decimal


class Kind(Enum):
    """What stands in a column. An amount takes three: decimal, currency and minor units."""

    TEXT = auto()
    NUMBER = auto()
    MOMENT = auto()
    AMOUNT = auto()


_TYPES: Final[Mapping[Kind, type]] = {Kind.TEXT: str, Kind.NUMBER: int, Kind.MOMENT: datetime, Kind.AMOUNT: Money}


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``totalled`` gives its amounts a control total per currency at the end."""

    name: str
    kind: Kind = Kind.TEXT
    totalled: bool = False

    def header(self) -> list[str]:
        """Return the names of the fields it takes."""
        if self.kind is not Kind.AMOUNT:
            return [self.name]
        return [self.name, f"{self.name} currency", f"{self.name} minor units"]


@dataclass(frozen=True, slots=True)
class Table:
    """What to write.

    Args:
        facts: what stands first, label and value; of this the reader learns what was asked for and as of when.
        columns: the columns; every row has one cell for each.
        rows: the data, read once and in order; ``None`` leaves a cell empty.
        zone: the time zone in which moments are written, ISO 8601 with offset.
    """

    facts: Mapping[str, str]
    columns: Sequence[Column]
    rows: Iterable[Sequence[Cell]]
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is made while it is read: its name, its media type and its bytes, which can be read once.

    Hand ``chunks`` to Django's ``StreamingHttpResponse``; closing the iterator early frees what it reads from.
    """

    file_name: str
    content_type: str
    chunks: Iterator[bytes]


class MixedCell(TypeError):
    """A cell is not of its column's kind, or a row is not as wide as the table: a programming mistake."""


def stream(table: Table, *, byte_order_mark: bool = False) -> Iterator[bytes]:
    """Write a table in chunks of about 64 KiB.

    Args:
        table: what to write; its rows are read while the chunks are.
        byte_order_mark: begin with U+FEFF, by which older spreadsheets recognise UTF-8.

    Raises:
        MixedCell: see the class.
    """
    sheet = _Sheet(table)
    if byte_order_mark:
        sheet.buffer.write(_BYTE_ORDER_MARK)
    sheet.begin()
    for row in table.rows:
        sheet.add(row)
        if sheet.buffer.tell() >= _CHUNK_BYTES:
            yield sheet.take()
    sheet.end()
    yield sheet.take()
    sheet.seal()
    yield sheet.take()


def inert(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula; other text stays as it is."""
    seen = text.lstrip(_SKIPPED_IN_FRONT)
    return f"'{text}" if seen and seen[0] in _FORMULA_STARTS else text


class _Sheet:
    """A table on its way: what was written and not yet taken, and what must be known at the end."""

    def __init__(self, table: Table) -> None:
        self.buffer = io.StringIO(newline="")
        self._table = table
        self._header = [name for column in table.columns for name in column.header()]
        self._width = max(len(self._header), _NARROWEST)
        self._write = csv.writer(self.buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n").writerow
        self._digest = sha256()
        self._rows = 0
        self._totals: dict[tuple[int, str], int] = {}

    def begin(self) -> None:
        for label, value in self._table.facts.items():
            self._row(inert(label), inert(value))
        self._row(*self._header)

    def add(self, row: Sequence[Cell]) -> None:
        if len(row) != len(self._table.columns):
            raise MixedCell(f"A row has {len(row)} cells for {len(self._table.columns)} columns.")
        written: list[_Written] = []
        for number, (column, cell) in enumerate(zip(self._table.columns, row, strict=True)):
            written += self._fields(column, cell)
            if column.totalled and isinstance(cell, Money):
                key = (number, cell.currency)
                self._totals[key] = self._totals.get(key, 0) + cell.minor
        self._row(*written)
        self._rows += 1

    def end(self) -> None:
        """Write what can only be known now."""
        self._row("Rows", self._rows)
        for (number, currency), minor in sorted(self._totals.items()):
            label = f"Control total of {self._table.columns[number].name}"
            self._row(inert(label), *_amount(Money(minor, currency)))

    def seal(self) -> None:
        """Write the digest of everything taken so far; take first what waits."""
        self._row(SHA_LABEL, self._digest.hexdigest())

    def take(self) -> bytes:
        """Return what was written since the last time."""
        waiting = self.buffer.getvalue().encode()
        self._digest.update(waiting)
        self.buffer.seek(0)
        self.buffer.truncate()
        return waiting

    def _row(self, *fields: _Written) -> None:
        self._write([*fields, *[""] * (self._width - len(fields))])

    def _fields(self, column: Column, cell: Cell) -> list[_Written]:
        if cell is None:
            return [""] * len(column.header())
        if not isinstance(cell, _TYPES[column.kind]):
            raise MixedCell(f"{cell!r} cannot stand in the {column.kind.name} column {column.name!r}.")
        if isinstance(cell, Money):
            return _amount(cell)
        if isinstance(cell, datetime):
            return [cell.astimezone(self._table.zone).isoformat()]
        return [inert(cell)] if isinstance(cell, str) else [int(cell)]


def _amount(money: Money) -> list[_Written]:
    return [Decimal(money.decimal()), money.currency, money.minor]
