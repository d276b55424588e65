"""camt.052, camt.053 and camt.054 of every version: statements, their balances and sums as control totals.

Versions differ in namespace, in wrappers (a status or a party has an element of its own since version 8) and, in
version 1, in where transactions stand; elements are therefore found by local name, and the version is reported.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from reconciliation.formats import amounts, dates
from reconciliation.formats.camt import values, xml
from reconciliation.formats.camt.balances import Balances, Summary
from reconciliation.formats.camt.entries import Entry, Place
from reconciliation.formats.camt.xml import Node
from reconciliation.formats.contract import (
    Event,
    Reject,
    Source,
    StatementHeader,
    StatementLine,
    StatementRefused,
    Unreadable,
)
from reconciliation.formats.options import Options
from reconciliation.formats.totals import Totals

_KINDS: Final = {
    "BkToCstmrAcctRpt": "camt.052",
    "BkToCstmrStmt": "camt.053",
    "BkToCstmrDbtCdtNtfctn": "camt.054",
}


def read_report(stream: Source, options: Options) -> Iterator[Event]:
    """Read account reports (camt.052).

    Raises:
        StatementRefused: it is no such message, or a balance, batch or sum does not agree.
    """
    return _Reader("camt.052", options).read(stream)


def read_statement(stream: Source, options: Options) -> Iterator[Event]:
    """Read account statements (camt.053).

    Raises:
        StatementRefused: it is no such message, or a balance, batch or sum does not agree.
    """
    return _Reader("camt.053", options).read(stream)


def read_notification(stream: Source, options: Options) -> Iterator[Event]:
    """Read debit and credit notifications (camt.054); they have no balances.

    Raises:
        StatementRefused: it is no such message, or a batch or sum does not agree.
    """
    return _Reader("camt.054", options).read(stream)


@dataclass(slots=True)
class _Statement:
    """A statement while it is read; its header goes out before its first entry."""

    header: StatementHeader
    totals: Totals
    balances: Balances = field(default_factory=Balances)
    summary: Summary = field(default_factory=Summary)
    told: bool = False
    entry: Entry | None = None


class _Reader:
    def __init__(self, kind: str, options: Options) -> None:
        self._kind = kind
        self._options = options
        self._version = ""
        self._messages = 0
        self._statements = 0
        self._number = 0
        self._statement: _Statement | None = None

    def read(self, stream: Source) -> Iterator[Event]:
        for kind, node in xml.pieces(stream):
            if kind == "message":
                self._message(node)
            elif kind == "start":
                self._start(node)
            elif self._statement is not None:
                yield from self._piece(self._statement, kind, node)
        if not self._messages:
            raise StatementRefused(line_number=1, reason=f"The file holds no {self._kind} message.")

    def _message(self, node: Node) -> None:
        found = _KINDS[node.name.partition("V")[0]]
        if found != self._kind:
            raise StatementRefused(
                line_number=node.line_number, reason=f"This is a {found} message, but {self._kind} was expected."
            )
        self._messages += 1
        self._version = node.text or found

    def _start(self, node: Node) -> None:
        self._statements += 1
        number = str(self._statements)
        header = StatementHeader(
            line_number=node.line_number,
            statement_id=number,
            account=self._options.account,
            version=self._version,
        )
        self._statement = _Statement(header, Totals(number))

    def _piece(self, statement: _Statement, kind: str, node: Node) -> Iterator[Event]:
        if kind == "part":
            self._part(statement, node)
        elif kind == "entry":
            yield from self._header(statement)
            self._entry(statement, node)
        elif kind == "batch":
            yield from self._header(statement)
            self._entry(statement, node, known=False).batch(node)
        elif kind == "detail" and statement.entry is not None:
            yield from self._counted(statement, statement.entry.transaction(node, self._number + 1))
        elif kind == "entry_end":
            yield from self._header(statement)
            entry = self._entry(statement, node)
            statement.summary.count(entry.amount, booked=_is_booked(node))
            yield from self._counted(statement, entry.end(self._number + 1))
            statement.entry = None
        elif kind == "end":
            yield from self._header(statement)
            yield from self._end(statement, node)

    def _entry(self, statement: _Statement, node: Node, *, known: bool = True) -> Entry:
        """Return the open entry, beginning it if this is the first that is told of it."""
        if statement.entry is None:
            place = Place(statement_id=statement.header.statement_id, account=statement.header.account)
            statement.entry = Entry(place, node)
        entry = statement.entry
        if known and entry.amount is None and not entry.problem:
            entry.head = node
            entry.begin()
        return entry

    def _counted(self, statement: _Statement, events: list[StatementLine | Reject]) -> Iterator[Event]:
        for event in events:
            self._number += 1
            statement.totals.add(event)
            yield event

    def _part(self, statement: _Statement, node: Node) -> None:
        """Read a part of a statement that is no entry."""
        header = statement.header
        if node.name == "Id":
            statement.header = replace(header, reference=node.text.strip()[:70])
        elif node.name in {"ElctrncSeqNb", "LglSeqNb"}:
            statement.header = replace(header, sequence=header.sequence or node.text.strip()[:70])
        elif node.name in {"StmtPgntn", "RptPgntn", "NtfctnPgntn"}:
            statement.header = replace(header, page=_page(node), last_page=node.value("LastPgInd") in {"true", "1"})
        elif node.name == "CreDtTm":
            statement.header = replace(header, created_at=values.moment(node.text.strip(), self._options.zone))
        elif node.name == "FrToDt":
            statement.header = replace(header, from_date=_from(node, "Fr"), to_date=_from(node, "To"))
        elif node.name == "Acct":
            account = node.value("Id/IBAN", "Id/Othr/Id", "Id/BBAN", "Id/PrtryAcct/Id", "Id/UPIC")
            currency = node.value("Ccy")
            statement.header = replace(header, account=account or header.account, currency=currency)
        elif node.name == "Bal":
            _add_balance(statement.balances, node)
        elif node.name == "TxsSummry":
            statement.summary.node = node

    def _header(self, statement: _Statement) -> Iterator[Event]:
        if not statement.told:
            statement.told = True
            yield replace(statement.header, opening=statement.balances.opening_money())

    def _end(self, statement: _Statement, node: Node) -> Iterator[Event]:
        totals, line_number = statement.totals, node.line_number
        statement.summary.compare(totals, statement.header.currency)
        checked = statement.balances.compare(totals, line_number=line_number)
        for currency in sorted({*totals.by_currency, *checked}) or [statement.header.currency]:
            opening, closing, unexplained = checked.get(currency, (None, None, 0))
            yield totals.finish(
                currency,
                line_number=line_number,
                opening_minor=opening,
                closing_minor=closing,
                unexplained_minor=unexplained,
            )
        self._statement = None


def _add_balance(balances: Balances, node: Node) -> None:
    try:
        balances.add(node)
    except Unreadable as error:
        raise StatementRefused(line_number=node.line_number, reason=f"The balance cannot be read: {error}") from error


def _is_booked(node: Node) -> bool:
    return node.value("Sts", "Sts/Cd", "Sts/Prtry") in {"BOOK", ""}


def _page(node: Node) -> int | None:
    try:
        return amounts.minor(node.value("PgNb"))
    except Unreadable:
        return None


def _from(node: Node, side: str) -> date | None:
    text = node.value(f"{side}DtTm", f"{side}Dt")
    try:
        return dates.iso_day(text) if text else None
    except Unreadable:
        return None
