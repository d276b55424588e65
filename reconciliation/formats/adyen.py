"""Adyen: settlement detail report.

Amounts are unsigned, in major units; the direction is the column they stand in (debit or credit). Gross is in the
payer's currency, net and costs in the settlement's. Each row is checked against itself: net plus costs must be the
gross, exactly in one currency, and of the same direction across two. The report states no totals of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from reconciliation.formats import amounts, csv_rows, dates
from reconciliation.formats.contract import Event, Source, StatementHeader, StatementLine, Unreadable, split
from reconciliation.formats.line_types import LineType
from reconciliation.formats.options import Options
from reconciliation.formats.totals import Totals

STATEMENT: Final = "1"
# docs.adyen.com/reporting/settlement-reconciliation/transaction-level/settlement-details-report
_TYPES: Final = {
    "settled": LineType.CHARGE,
    "settledbulk": LineType.CHARGE,
    "settledinstallment": LineType.CHARGE,
    "settledexternallywithinfo": LineType.NOTICE,
    "settledreversed": LineType.CHARGE_REVERSAL,
    "refunded": LineType.REFUND,
    "refundedbulk": LineType.REFUND,
    "refundedinstallment": LineType.REFUND,
    "refundedreversed": LineType.REFUND_REVERSAL,
    "chargeback": LineType.CHARGEBACK,
    "secondchargeback": LineType.CHARGEBACK,
    "chargebackreversed": LineType.CHARGEBACK_REVERSAL,
    "fee": LineType.FEE,
    "invoicededuction": LineType.FEE,
    "paymentcost": LineType.FEE,
    "merchantpayout": LineType.PAYOUT,
    "internalcompanypayout": LineType.PAYOUT,
    "merchantpayoutreversed": LineType.PAYOUT_REVERSAL,
    "merchantpayin": LineType.TRANSFER,
    "balancetransfer": LineType.TRANSFER,
    "reserveadjustment": LineType.RESERVE,
    "depositcorrection": LineType.RESERVE,
    "advancement": LineType.ADJUSTMENT,
    "advancementcommission": LineType.FEE,
    "manualcorrected": LineType.ADJUSTMENT,
    "misccosts": LineType.FEE,
}
# Types of the balance, not of a payment: what stands under "Modification Reference" is a text.
_OF_THE_BALANCE: Final = frozenset(
    {LineType.FEE, LineType.PAYOUT, LineType.PAYOUT_REVERSAL, LineType.TRANSFER, LineType.RESERVE}
)
_COSTS: Final = (
    ("commission", "Commission (NC)"),
    ("markup", "Markup (NC)"),
    ("scheme_fees", "Scheme Fees (NC)"),
    ("interchange", "Interchange (NC)"),
    ("processing", "Processing Fee (NC)"),
)
_REFERENCES: Final = (
    "Psp Reference",
    "Modification Reference",
    "Modification Merchant Reference",
    "Payment Method Variant",
)
# Abbreviations are no zones of the IANA database; hours from UTC.
_ABBREVIATIONS: Final = {
    "GMT": 0.0, "UTC": 0.0, "WET": 0.0, "WEST": 1.0, "BST": 1.0, "CET": 1.0, "CEST": 2.0, "EET": 2.0, "EEST": 3.0,
    "MSK": 3.0, "GST": 4.0, "IST": 5.5, "SGT": 8.0, "HKT": 8.0, "JST": 9.0, "AEST": 10.0, "AEDT": 11.0, "NZST": 12.0,
    "NZDT": 13.0, "BRT": -3.0, "BRST": -2.0, "ART": -3.0, "EST": -5.0, "EDT": -4.0, "CST": -6.0, "CDT": -5.0,
    "MST": -7.0, "MDT": -6.0, "PST": -8.0, "PDT": -7.0,
}  # fmt: skip


def read(stream: Source, options: Options) -> Iterator[Event]:
    """Read a report.

    Raises:
        StatementRefused: a column without which nothing can be read is missing.
    """
    table = csv_rows.table(stream, encoding=options.encoding)
    parser = _RowParser(options, _Columns(table))
    totals = Totals(STATEMENT)
    yield StatementHeader(line_number=table.line_number, statement_id=STATEMENT, account=options.account)
    yield from csv_rows.events(table, parser.line, totals)
    yield from totals.finish_all(line_number=table.line_number)


class _Columns:
    """Where this report's columns stand."""

    def __init__(self, table: csv_rows.Table) -> None:
        self.account = table.required("Merchant Account")
        self.psp_reference = table.required("Psp Reference")
        self.our_reference = table.required("Merchant Reference")
        self.modification = table.required("Modification Reference", "Modification Psp Reference")
        self.created = table.required("Creation Date")
        self.zone = table.required("TimeZone", "Time Zone")
        self.type = table.required("Type")
        self.gross_currency = table.required("Gross Currency")
        self.gross_debit = table.required("Gross Debit (GC)")
        self.gross_credit = table.required("Gross Credit (GC)")
        self.rate = table.required("Exchange Rate")
        self.net_currency = table.required("Net Currency")
        self.net_debit = table.required("Net Debit (NC)")
        self.net_credit = table.required("Net Credit (NC)")
        self.batch = table.required("Batch Number")
        self.costs = [(name, at) for name, heading in _COSTS if (at := table.position(heading)) is not None]
        self.method = table.position("Payment Method")
        self.references = {heading: at for heading in _REFERENCES if (at := table.position(heading)) is not None}


@dataclass(slots=True)
class _RowParser:
    options: Options
    at: _Columns

    def line(self, number: int, row: csv_rows.Row) -> StatementLine:
        fields, at = row.fields, self.at
        word = fields[at.type].strip()
        kind = _TYPES.get(word.replace(" ", "").casefold(), LineType.OTHER)
        currency = amounts.currency(fields[at.net_currency])
        net = _of_two(fields, at.net_credit, at.net_debit, currency)
        if net is None:
            raise Unreadable("Both net columns are empty.")
        costs = tuple((name, found) for name, column in at.costs if (found := _cost(fields[column], currency)))
        fee = sum(found for _, found in costs)
        gross, fee, net = split(gross_minor=net + fee, fee_minor=fee, net_minor=net)
        original_minor, original_currency = self._original(fields, currency, gross)
        modification = fields[at.modification].strip()
        of_balance = kind in _OF_THE_BALANCE
        psp_reference = fields[at.psp_reference].strip()
        return StatementLine(
            row=number,
            line_number=row.line_number,
            statement_id=STATEMENT,
            type=kind,
            currency=currency,
            gross_minor=gross,
            fee_minor=fee,
            net_minor=net,
            moved_at=self._moment(fields),
            provider_reference=psp_reference if of_balance else modification or psp_reference,
            related_reference=psp_reference,
            our_reference=fields[at.our_reference].strip(),
            batch_id=fields[at.batch].strip(),
            account=fields[at.account].strip() or self.options.account,
            original_minor=original_minor,
            original_currency=original_currency,
            exchange_rate=amounts.rate(fields[at.rate]),
            fee_parts=costs,
            references=csv_rows.named(fields, at.references),
            method=fields[at.method].strip() if at.method is not None else "",
            provider_type=word,
            description=modification if of_balance else "",
        )

    def _original(self, fields: list[str], currency: str, gross: int) -> tuple[int | None, str]:
        """Return the payer's amount, after checking it against what was settled.

        Raises:
            Unreadable: it does not agree with net and costs.
        """
        at = self.at
        if not (fields[at.gross_debit].strip() or fields[at.gross_credit].strip()):
            return None, ""
        code = amounts.currency(fields[at.gross_currency])
        found = _of_two(fields, at.gross_credit, at.gross_debit, code) or 0
        if code == currency and found != gross:
            raise Unreadable(f"The gross is {found}, but net and costs come to {gross} (minor units of {currency}).")
        if found * gross < 0:
            raise Unreadable("Gross and net are in opposite directions.")
        return found, code

    def _moment(self, fields: list[str]) -> datetime:
        text = fields[self.at.created].strip()
        naive = dates.iso_moment(text, ZoneInfo("UTC"))
        named = fields[self.at.zone].strip()
        if not named:
            return dates.iso_moment(text, self.options.zone)
        return dates.in_utc(naive.replace(tzinfo=None), _zone(named))


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo | timezone:
    """Return the zone of an abbreviation or an IANA name."""
    hours = _ABBREVIATIONS.get(name.upper())
    if hours is not None:
        return timezone(timedelta(hours=hours))
    if name in available_timezones():
        return ZoneInfo(name)
    raise Unreadable(f"{name[:40]!r} is not a time zone.")


def _of_two(fields: list[str], credit_at: int, debit_at: int, currency: str) -> int | None:
    """Return the amount of a pair of columns, or ``None`` where both are empty.

    Raises:
        Unreadable: both hold something other than zero, or an amount carries a sign.
    """
    found = [_unsigned(fields[at], currency) for at in (credit_at, debit_at)]
    credit, debit = found
    if credit and debit:
        raise Unreadable("The row has a debit and a credit.")
    return None if credit is None and debit is None else (credit or 0) - (debit or 0)


def _unsigned(text: str, currency: str) -> int | None:
    if not text.strip():
        return None
    found = amounts.major(text, currency)
    if found < 0:
        raise Unreadable("An amount under debit or credit has a sign; its column says the direction.")
    return found


def _cost(text: str, currency: str) -> int:
    return amounts.major(text, currency) if text.strip() else 0
