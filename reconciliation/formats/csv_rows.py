"""CSV bytes -> rows with their line numbers; shared by every format that comes as CSV."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from reconciliation.formats.contract import Event, Reject, Source, StatementLine, StatementRefused, Unreadable, reject
from reconciliation.formats.text import TextLines
from reconciliation.formats.totals import Totals

# A field may hold line breaks; more of them than this is a quotation mark that was never closed.
_MOST_LINES_OF_A_ROW: Final = 100
_HEADINGS_SHOWN: Final = 600


class Row(NamedTuple):
    """The fields of one row; ``problem`` says why they cannot be trusted, and is empty if they can."""

    line_number: int
    fields: list[str]
    raw: str
    problem: str = ""


def rows(stream: Source, *, encoding: str, delimiter: str, skip: int = 0) -> Iterator[Row]:
    """Yield every row that is not blank, after ``skip`` lines.

    Raises:
        StatementRefused: while iterating: wrong encoding, or a quotation mark that is not closed on its line, so that
            nobody can tell which rows it swallowed.
    """
    lines = TextLines(stream, encoding=encoding)
    source = iter(lines)
    for _ in range(skip):
        next(source, None)
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    while True:
        before = lines.line_number
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if lines.line_number - before != 1 or "unexpected end" in str(error):
                raise _unclosed(before + 1, lines.line_number) from error
            yield Row(before + 1, [], lines.raw, f"The row is not valid CSV: {error}.")
            continue
        if fields is None:
            return
        if lines.line_number - before > _MOST_LINES_OF_A_ROW:
            raise _unclosed(before + 1, lines.line_number)
        if any(field and not field.isspace() for field in fields):
            several = lines.line_number - before > 1
            yield Row(before + 1, fields, delimiter.join(fields) if several else lines.raw)


@dataclass(slots=True)
class Table:
    """Rows under a line of headings, each as long as the headings."""

    line_number: int
    headings: list[str]
    rows: Iterator[Row]

    def position(self, *names: str) -> int | None:
        """Return where the first of these headings stands, capitals and blanks around it aside, or ``None``.

        Raises:
            StatementRefused: it stands there twice.
        """
        folded = [heading.strip().casefold() for heading in self.headings]
        for name in names:
            found = folded.count(name.casefold())
            if found > 1:
                raise StatementRefused(line_number=self.line_number, reason=f"The column {name!r} is there twice.")
            if found:
                return folded.index(name.casefold())
        return None

    def required(self, *names: str) -> int:
        """Return where one of these headings stands.

        Raises:
            StatementRefused: none is there, or one twice.
        """
        found = self.position(*names)
        if found is None:
            there = ", ".join(self.headings)[:_HEADINGS_SHOWN]
            wanted = " or ".join(repr(name) for name in names)
            raise StatementRefused(
                line_number=self.line_number, reason=f"There is no column {wanted}. The file has: {there}."
            )
        return found

    def __iter__(self) -> Iterator[Row]:
        width = len(self.headings)
        for row in self.rows:
            yield row if row.problem else fitted(row, width)


def table(stream: Source, *, encoding: str, delimiter: str = ",", skip: int = 0) -> Table:
    """Return the rows of a file that begins with headings.

    Raises:
        StatementRefused: the file is empty, or its first row cannot be read.
    """
    found = rows(stream, encoding=encoding, delimiter=delimiter, skip=skip)
    headings = next(found, None)
    if headings is None:
        raise StatementRefused(line_number=0, reason="The file is empty.")
    if headings.problem:
        raise StatementRefused(line_number=headings.line_number, reason=headings.problem)
    return Table(headings.line_number, headings.fields, found)


def fitted(row: Row, width: int) -> Row:
    """Return the row with exactly ``width`` fields; blank ones at the end may be missing or too many.

    Raises:
        StatementRefused: a row of several lines has the wrong number of fields: a quotation mark swallowed rows.
    """
    fields = row.fields
    if len(fields) == width:
        return row
    if len(fields) > width and any(field.strip() for field in fields[width:]):
        if "\n" in row.raw.rstrip("\n"):
            raise _unclosed(row.line_number, row.line_number + row.raw.count("\n"))
        return row._replace(problem=f"The row has {len(fields)} fields, the headings are {width}.")
    if len(fields) < width and "\n" in row.raw.rstrip("\n"):
        raise _unclosed(row.line_number, row.line_number + row.raw.count("\n"))
    return row._replace(fields=(fields + [""] * width)[:width])


def readable(row: Row) -> list[str]:
    """Return the fields of a row that can be trusted.

    Raises:
        Unreadable: it cannot, and why.
    """
    if row.problem:
        raise Unreadable(row.problem)
    return row.fields


def events(found: Iterable[Row], parse: Callable[[int, Row], StatementLine], totals: Totals) -> Iterator[Event]:
    """Yield a line or a reject for every row, counting it in ``totals``.

    Args:
        found: the data rows.
        parse: makes a line of (number of the data row, row), or raises ``Unreadable``.
        totals: counts every event.
    """
    for number, row in enumerate(found, 1):
        event: StatementLine | Reject
        try:
            readable(row)
            event = parse(number, row)
        except Unreadable as problem:
            event = reject(
                row=number,
                line_number=row.line_number,
                reason=problem,
                excerpt=row.raw,
                statement_id=totals.statement_id,
            )
        totals.add(event)
        yield event


def named(fields: list[str], positions: Mapping[str, int]) -> tuple[tuple[str, str], ...]:
    """Return the filled ones of the named fields, as references of a line."""
    return tuple((name, fields[at].strip()) for name, at in positions.items() if fields[at].strip())


def _unclosed(first: int, last: int) -> StatementRefused:
    return StatementRefused(
        line_number=first,
        reason=f"A quotation mark that opens here is not closed before line {last}; rows in between would be lost.",
    )
