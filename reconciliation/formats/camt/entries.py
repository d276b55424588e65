"""One entry of a statement -> its lines.

An entry without transactions, or with one, is one line of the entry's own amount. A batch becomes a line for each of
its transactions, in the entry's currency, which must add up to the entry (charges of the entry apart, which become a
fee line). A batch whose transactions are told in another currency only stays one line, with their references.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from paymentops.core.money import Money
from reconciliation.formats import amounts
from reconciliation.formats.camt import values
from reconciliation.formats.camt.values import Amount
from reconciliation.formats.camt.xml import Node
from reconciliation.formats.contract import LARGEST_MINOR, Reject, StatementLine, StatementRefused, Unreadable, reject
from reconciliation.formats.line_types import LineType

# References of transactions that are kept on a line that stands for all of them.
_MOST_REFERENCES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """To which statement an entry belongs."""

    statement_id: str
    account: str


@dataclass(slots=True)
class Entry:
    """An entry while it is read: transactions come one by one, and the first waits for a second."""

    place: Place
    head: Node
    amount: Amount | None = None
    problem: str = ""
    first: Node | None = None
    transactions: int = 0
    batches: list[Node] = field(default_factory=list)
    in_batch: int = 0
    sum_minor: int = 0
    unknown: int = 0
    whole: bool = False
    references: list[tuple[str, str]] = field(default_factory=list)

    def begin(self) -> None:
        """Read the entry's own amount; without it none of its transactions can be read."""
        try:
            self.amount = values.signed(self.head)
            _dates(self.head)
        except Unreadable as error:
            self.problem = str(error)

    def transaction(self, node: Node, number: int) -> list[StatementLine | Reject]:
        """Take one transaction; return what is known to be a line of its own now.

        Args:
            node: the transaction.
            number: the number of the next data row.
        """
        self.transactions += 1
        self.in_batch += 1
        if self.problem or self.amount is None:
            return []
        if self.transactions == 1:
            self.first = node
            return []
        found: list[StatementLine | Reject] = []
        if self.first is not None:
            self.whole = not _tells(self.first, self.amount.currency)
            if not self.whole:
                found.append(self._part(self.first, number))
            else:
                self._remember(self.first)
            self.first = None
        if self.whole:
            self._remember(node)
        else:
            found.append(self._part(node, number + len(found)))
        return found

    def batch(self, node: Node) -> None:
        """Take a batch's own account of itself; transactions counted from here are its."""
        self._finish_batch()
        self.batches.append(node)
        self.in_batch = 0

    def end(self, number: int) -> list[StatementLine | Reject]:
        """Return the line of an entry that is one, or of what a batch leaves; the entry is complete.

        Raises:
            StatementRefused: a batch does not hold what it, or its entry, says.
        """
        self._finish_batch()
        if self.problem or self.amount is None:
            return [self._rejected(number, self.head, self.problem, None)]
        if self.whole or self.transactions < 2:
            return [self._one(number, self.amount)]
        missing = self.amount.minor - self.sum_minor
        if not missing or self.unknown:
            return []
        if _charged(self.head, self.amount.currency) != -missing:
            raise StatementRefused(
                line_number=self.head.line_number,
                reason=f"The entry of {self.amount.minor} holds transactions of {self.sum_minor} "
                f"(minor units of {self.amount.currency}).",
            )
        return [self._line(number, self.head, self.head, missing, LineType.FEE)]

    def _one(self, number: int, amount: Amount) -> StatementLine | Reject:
        try:
            line = self._line(number, self.first or self.head, self.head, amount.minor, None)
        except Unreadable as error:
            return self._rejected(number, self.head, str(error), amount)
        if not self.whole:
            return line
        return line._replace(references=(*line.references, *self.references))

    def _part(self, node: Node, number: int) -> StatementLine | Reject:
        """Return the line of one transaction of several."""
        currency = self.amount.currency if self.amount else ""
        try:
            found = _in_currency(node, self.head, currency)
        except Unreadable as error:
            return self._unknown(number, node, str(error))
        if found is None:
            return self._unknown(number, node, f"The transaction has no amount in {currency}.")
        self.sum_minor += found.minor
        try:
            return self._line(number, node, self.head, found.minor, None)
        except Unreadable as error:
            return self._rejected(number, node, str(error), found)

    def _line(self, number: int, node: Node, head: Node, minor: int, kind: LineType | None) -> StatementLine:
        """Return a line; ``node`` is the transaction, or the entry itself where it has none."""
        currency = self.amount.currency if self.amount else ""
        booking, value = _dates(head)
        fee, parts = _charges(node, currency) if self.transactions < 2 else (0, ())
        if abs(minor) + abs(fee) > LARGEST_MINOR:
            raise Unreadable("The amount is beyond what can be stored.")
        text, structured = values.remittance(node.find("RmtInf"))
        own = values.references(node.find("Refs")) if node is not head else ()
        reference = dict(own)
        end_to_end = reference.get("EndToEndId", "")
        original = _original(node, currency, negative=minor < 0)
        name = values.counterparty(node.find("RltdPties"), credit=minor >= 0)
        entry_reference = head.value("AcctSvcrRef", "NtryRef")
        return StatementLine(
            row=number,
            line_number=node.line_number,
            statement_id=self.place.statement_id,
            type=kind or _type(head, minor),
            currency=currency,
            gross_minor=minor + fee,
            fee_minor=fee,
            net_minor=minor,
            booked=_booked(head),
            reversal=head.value("RvslInd") in {"true", "1"},
            booking_date=booking,
            value_date=value,
            provider_reference=reference.get("AcctSvcrRef") or reference.get("TxId") or entry_reference,
            related_reference=reference.get("TxId", ""),
            our_reference=end_to_end or next(iter(structured), ""),
            batch_id=self._batch_id(),
            account=self.place.account,
            original_minor=original.minor if original else None,
            original_currency=original.currency if original else "",
            exchange_rate=_rate(node),
            fee_parts=parts,
            references=(
                *own,
                *(("RmtInf", found) for found in structured),
                *((("Ntry", entry_reference),) if entry_reference else ()),
                *((("Party", name),) if name else ()),
            ),
            provider_type=values.code(node.find("BkTxCd")) or values.code(head.find("BkTxCd")),
            description=(text or node.value("AddtlTxInf") or head.value("AddtlNtryInf"))[:2000],
        )

    def _batch_id(self) -> str:
        return self.batches[-1].value("PmtInfId", "MsgId") if self.batches else ""

    def _remember(self, node: Node) -> None:
        if len(self.references) < _MOST_REFERENCES:
            self.references += values.references(node.find("Refs"))

    def _unknown(self, number: int, node: Node, reason: str) -> Reject:
        self.unknown += 1
        return self._rejected(number, node, reason, None)

    def _rejected(self, number: int, node: Node, reason: str, amount: Amount | None) -> Reject:
        counts = amount is not None and _booked(self.head)
        return reject(
            row=number,
            line_number=node.line_number,
            reason=reason,
            excerpt=node.shown(),
            statement_id=self.place.statement_id,
            amount=Money(amount.minor, amount.currency) if amount is not None and counts else None,
        )

    def _finish_batch(self) -> None:
        """Compare a batch's number of transactions with those it holds; a batch may be told without any."""
        if not self.batches or not self.in_batch:
            return
        stated = self.batches[-1].value("NbOfTxs")
        if stated and stated != str(self.in_batch):
            raise StatementRefused(
                line_number=self.batches[-1].line_number,
                reason=f"The batch says {stated[:20]} transactions, but holds {self.in_batch}.",
            )


def _dates(head: Node) -> tuple[date | None, date | None]:
    return values.day(head.find("BookgDt")), values.day(head.find("ValDt"))


def _booked(head: Node) -> bool:
    """Tell whether the entry moved the account: PDNG, INFO and FUTR did not."""
    return head.value("Sts", "Sts/Cd", "Sts/Prtry") in {"BOOK", ""}


def _type(head: Node, minor: int) -> LineType:
    if head.value("Sts", "Sts/Cd") == "INFO":
        return LineType.NOTICE
    return LineType.CREDIT if minor >= 0 else LineType.DEBIT


def _in_currency(node: Node, head: Node, currency: str) -> Amount | None:
    """Return a transaction's amount in the entry's currency, signed, or ``None`` if it is only told in another.

    Raises:
        Unreadable: it is there and cannot be read.
    """
    found = _told(node, currency)
    if found is None:
        return None
    unsigned = values.amount(found)
    credit = values.is_credit(node if node.value("CdtDbtInd") else head)
    return unsigned if credit else Amount(-unsigned.minor, currency)


def _told(node: Node, currency: str) -> Node | None:
    """Return the first of a transaction's amounts that is in this currency."""
    paths = ("Amt", "AmtDtls/TxAmt/Amt", "AmtDtls/CntrValAmt/Amt", "AmtDtls/InstdAmt/Amt")
    found = [node.find(path) for path in paths]
    return next((one for one in found if one is not None and one.attributes.get("Ccy") == currency), None)


def _tells(node: Node, currency: str) -> bool:
    return _told(node, currency) is not None


def _original(node: Node, currency: str, *, negative: bool) -> Amount | None:
    """Return the amount in another currency that the transaction tells, if it tells one that can be read."""
    for path in ("AmtDtls/InstdAmt/Amt", "AmtDtls/TxAmt/Amt", "Amt"):
        found = node.find(path)
        if found is None or found.attributes.get("Ccy", currency) == currency:
            continue
        unsigned = values.amount(found)
        return Amount(-unsigned.minor, unsigned.currency) if negative else unsigned
    return None


def _rate(node: Node) -> Decimal | None:
    """Return the rate at which the bank exchanged, where it says one; it may quote it in either direction."""
    found = next(node.under("XchgRate"), None)
    return amounts.rate(found.text) if found is not None else None


def _charged(head: Node, currency: str) -> int | None:
    """Return the charges of an entry, or ``None`` if they cannot be read and so explain nothing."""
    try:
        charges, _ = _charges(head, currency)
    except Unreadable:
        return None
    return charges


def _charges(node: Node, currency: str) -> tuple[int, tuple[tuple[str, int], ...]]:
    """Return the charges that were taken out of the amount (``ChrgInclInd``), and their kinds.

    Raises:
        Unreadable: a charge cannot be read.
    """
    parts = []
    for charges in node.all("Chrgs"):
        for record in charges.all("Rcrd") or [charges]:
            amount = record.find("Amt")
            if amount is None or record.value("ChrgInclInd") not in {"true", "1"}:
                continue
            if amount.attributes.get("Ccy") != currency:
                continue
            found = values.amount(amount).minor
            kind = record.value("Tp/Cd", "Tp/Prtry/Id", "Tp/Prtry", "Br") or "charge"
            parts.append((kind, -found if record.value("CdtDbtInd") == "CRDT" else found))
    return sum(found for _, found in parts), tuple(parts)
