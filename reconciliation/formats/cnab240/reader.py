"""CNAB 240 return files: a file of lots of records of 240 characters, each level closed by a trailer with counts.

Positions are those of ``layouts``, chosen by the bank's code or by the source. Amounts are unsigned reais with two
decimals and no separator. A title is two records (segments T and U); other segments of a title (Y, Q, …) add nothing
that moves money and are counted only.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from paymentops.core.money import Money
from reconciliation.formats import dates
from reconciliation.formats.cnab240 import layouts, segments
from reconciliation.formats.cnab240.layouts import FEBRABAN, FILE_HEADER, FILE_TRAILER, LOT_HEADER, LOT_TRAILER, Layout
from reconciliation.formats.cnab240.segments import CURRENCY, Detail, Place
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
from reconciliation.formats.text import TextLines
from reconciliation.formats.totals import Totals

_LENGTH: Final = 240
_DAY: Final = "%d%m%Y"
# Records that begin or end a lot, and segments that only add to the one before them.
_COUNTED_ONLY: Final = frozenset("24")
_ATTACHED: Final = frozenset("BCWYZ5")
_SENT_BY_US: Final = "1"
_STATEMENT_SERVICES: Final = frozenset({"04"})


def read(stream: Source, options: Options) -> Iterator[Event]:
    """Read a return file.

    Raises:
        StatementRefused: it is no return file, the layout is unknown, records are not nested, or a count, balance or
            total does not agree.
    """
    reader = _Reader(options)
    lines = TextLines(stream, encoding=options.encoding)
    for raw in lines:
        text = raw.rstrip("\n").rstrip()
        if text:
            yield from reader.record(Detail(lines.line_number, text.ljust(_LENGTH)))
    reader.end(lines.line_number)


@dataclass(slots=True)
class _Lot:
    statement_id: str
    line_number: int
    number: str
    service: str
    totals: Totals
    opening: int | None = None
    records: int = 1
    details: int = 0
    titles: int = 0
    face_minor: int = 0
    doubtful: bool = False
    title: Detail | None = None
    last: str = ""
    # Which kinds of segments it held, for the trailer says other things for each.
    kinds: set[str] = field(default_factory=set)


class _Reader:
    def __init__(self, options: Options) -> None:
        self._options = options
        self._layout: Layout = FEBRABAN
        self._account = options.account
        self._version = ""
        self._sequence = ""
        self._records = 0
        self._lots = 0
        self._row = 0
        self._lot: _Lot | None = None
        self._ended = False

    def record(self, record: Detail) -> Iterator[Event]:
        """Read one record of any kind."""
        self._records += 1
        kind = record.text[7]
        if self._ended:
            raise StatementRefused(line_number=record.line_number, reason="A record stands behind the file's trailer.")
        if (self._records == 1) != (kind == "0"):
            raise StatementRefused(
                line_number=record.line_number,
                reason="A CNAB 240 file begins with one file header (type 0), and only it.",
            )
        if kind == "0":
            self._begin(record)
        elif kind == "1":
            yield self._begin_lot(record)
        elif kind == "5":
            yield from self._end_lot(record)
        elif kind == "9":
            self._end_file(record)
        else:
            yield from self._detail(record)

    def end(self, line_number: int) -> None:
        """Read the end of the file: its trailer must have been there."""
        if not self._ended:
            reason = "The file has no trailer (type 9); was it cut short?" if self._records else "The file is empty."
            raise StatementRefused(line_number=line_number, reason=reason)

    def _begin(self, record: Detail) -> None:
        if record.field(FILE_HEADER, "direction") == _SENT_BY_US:
            raise StatementRefused(
                line_number=record.line_number, reason="This is a file sent to the bank, not its return."
            )
        name = self._options.layout
        if name and name not in layouts.LAYOUTS:
            known = ", ".join(sorted(layouts.LAYOUTS))
            raise StatementRefused(
                line_number=record.line_number, reason=f"There is no layout {name!r}; known: {known}."
            )
        self._layout = layouts.LAYOUTS[name] if name else layouts.of_bank(record.text[:3])
        self._account = self._account or " ".join(record.field(FILE_HEADER, "account").split())
        self._version = record.field(FILE_HEADER, "version")
        self._sequence = record.field(FILE_HEADER, "sequence")

    def _begin_lot(self, record: Detail) -> StatementHeader:
        if self._lot is not None:
            raise StatementRefused(line_number=record.line_number, reason="A lot begins before the last one has ended.")
        self._lots += 1
        service = record.field(LOT_HEADER, "service")
        statement_id = str(self._lots)
        self._lot = _Lot(statement_id, record.line_number, record.text[3:7], service, Totals(statement_id))
        day = None
        if service in _STATEMENT_SERVICES:
            try:
                self._lot.opening = segments.signed(
                    record.money(LOT_HEADER, "opening"), record.field(LOT_HEADER, "opening_sign")
                )
                day = dates.optional_day(record.field(LOT_HEADER, "opening_day"), _DAY)
            except Unreadable as error:
                raise StatementRefused(
                    line_number=record.line_number, reason=f"The opening balance cannot be read: {error}"
                ) from error
        opening = self._lot.opening
        return StatementHeader(
            line_number=record.line_number,
            statement_id=statement_id,
            account=self._account,
            currency=CURRENCY,
            version=f"CNAB240 {self._layout.name} {self._version}".strip(),
            sequence=self._sequence,
            from_date=day,
            opening=None if opening is None else Money(opening, CURRENCY),
        )

    def _detail(self, record: Detail) -> Iterator[Event]:
        lot = self._lot
        if lot is None:
            raise StatementRefused(line_number=record.line_number, reason="A detail stands outside a lot.")
        lot.records += 1
        lot.details += 1
        kind, segment = record.text[7], record.text[13].upper()
        if kind in _COUNTED_ONLY or (kind == "3" and _is_attached(lot, record, segment)):
            return
        lot.last = segment
        if segment != "U" or kind != "3":
            yield from self._unpaired(lot)
        if kind == "3" and segment == "T":
            lot.title = record
            return
        self._row += 1
        yield self._counted(lot, record, segment if kind == "3" else "")

    def _counted(self, lot: _Lot, record: Detail, segment: str) -> StatementLine | Reject:
        title, lot.title = lot.title, None
        first = title if title is not None and segment == "U" else record
        lot.kinds.add(segment)
        try:
            _require_length(record)
            event: StatementLine | Reject = self._line(lot, record, title, segment)
            if segment == "U" and title is not None:
                lot.titles += 1
                lot.face_minor += title.optional_money(self._layout.title, "face")
        except Unreadable as problem:
            lot.doubtful = True
            event = reject(
                row=self._row,
                line_number=first.line_number,
                reason=problem,
                excerpt=first.text.rstrip(),
                statement_id=lot.statement_id,
            )
        lot.totals.add(event)
        return event

    def _line(self, lot: _Lot, record: Detail, title: Detail | None, segment: str) -> StatementLine:
        place = Place(self._row, lot.statement_id, self._account)
        if segment == "U":
            if title is None:
                raise Unreadable("Segment U stands without the segment T before it.")
            _require_length(title)
            return segments.collection(place, title, record, self._layout)
        if segment == "E":
            return segments.statement(place, record, self._layout)
        if segment == "A":
            return segments.payment(place, record, self._layout.transfer)
        if segment == "J":
            return segments.payment(place, record, self._layout.bill)
        raise Unreadable(f"The record is of type {record.text[7]!r}, segment {record.text[13]!r}, which is not known.")

    def _unpaired(self, lot: _Lot) -> Iterator[Reject]:
        """Reject a segment T that was not followed by its U."""
        if lot.title is None:
            return
        self._row += 1
        lot.doubtful = True
        event = reject(
            row=self._row,
            line_number=lot.title.line_number,
            reason="Segment T is not followed by its segment U.",
            excerpt=lot.title.text.rstrip(),
            statement_id=lot.statement_id,
        )
        lot.title = None
        lot.totals.add(event)
        yield event

    def _end_lot(self, record: Detail) -> Iterator[Event]:
        lot = self._lot
        if lot is None:
            raise StatementRefused(line_number=record.line_number, reason="A lot ends that has not begun.")
        yield from self._unpaired(lot)
        lot.records += 1
        try:
            closing, unexplained = self._compare(lot, record)
        except Unreadable as error:
            raise StatementRefused(
                line_number=record.line_number, reason=f"The lot's trailer cannot be read: {error}"
            ) from error
        yield lot.totals.finish(
            CURRENCY,
            line_number=record.line_number,
            opening_minor=lot.opening,
            closing_minor=closing,
            unexplained_minor=unexplained,
        )
        self._lot = None

    def _compare(self, lot: _Lot, record: Detail) -> tuple[int | None, int]:
        """Compare the lot's trailer; return closing balance and what remains unexplained."""
        line_number = record.line_number
        stated = record.money(LOT_TRAILER, "records")
        # Header and trailer count in the standard; some banks count details only.
        found = lot.details if stated == lot.details else lot.records
        lot.totals.compare_count("number of records of the lot", stated=stated, found=found, line_number=line_number)
        if lot.opening is not None:
            closing = segments.signed(record.money(LOT_TRAILER, "closing"), record.field(LOT_TRAILER, "closing_sign"))
            return closing, lot.totals.compare_closing(
                opening=lot.opening, closing=closing, currency=CURRENCY, line_number=line_number
            )
        if lot.kinds == {"U"} and self._layout.titles_are_totals:
            _compare_titles(lot, record)
        return None, 0

    def _end_file(self, record: Detail) -> None:
        if self._lot is not None:
            raise StatementRefused(line_number=record.line_number, reason="The file ends inside a lot.")
        totals = Totals("")
        try:
            lots, records = (record.money(FILE_TRAILER, name) for name in ("lots", "records"))
        except Unreadable as error:
            raise StatementRefused(
                line_number=record.line_number, reason=f"The file's trailer cannot be read: {error}"
            ) from error
        totals.compare_count("number of lots", stated=lots, found=self._lots, line_number=record.line_number)
        totals.compare_count("number of records", stated=records, found=self._records, line_number=record.line_number)
        self._ended = True


def _is_attached(lot: _Lot, record: Detail, segment: str) -> bool:
    """Tell whether a segment only adds to the one before it; J-52 says whose the bill of the segment J was."""
    return segment in _ATTACHED or (segment == "J" and lot.last == "J" and record.text[17:19] == "52")


def _compare_titles(lot: _Lot, record: Detail) -> None:
    """Compare number and face value of the titles, over all portfolios, where the bank states them."""
    spans = {f"{at}.{part}": span for at, pair in enumerate(layouts.TITLES) for part, span in enumerate(pair)}
    number = sum(record.optional_money(spans, f"{at}.0") for at in range(len(layouts.TITLES)))
    minor = sum(record.optional_money(spans, f"{at}.1") for at in range(len(layouts.TITLES)))
    if not number and not minor:
        return
    if lot.doubtful:
        lot.totals.unproven.append("titles")
        return
    lot.totals.compare_count("number of titles", stated=number, found=lot.titles, line_number=record.line_number)
    lot.totals.compare_count("value of titles", stated=minor, found=lot.face_minor, line_number=record.line_number)


def _require_length(record: Detail) -> None:
    if len(record.text) > _LENGTH:
        raise Unreadable(f"The record has {len(record.text)} characters, not {_LENGTH}.")
