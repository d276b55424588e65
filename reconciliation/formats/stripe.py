"""Stripe: itemized balance changes and payout reconciliation reports, and the balance history of the dashboard.

Amounts are in major units and signed as our balance sees them. Columns are found by their headings, so reports with
chosen columns and metadata read as well (docs.stripe.com/reports, "Balance change from activity" and "Payout
reconciliation", itemized). The reports state no totals of their own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciliation.formats import amounts, csv_rows, dates
from reconciliation.formats.contract import Event, Source, StatementHeader, StatementLine, Unreadable, split
from reconciliation.formats.line_types import LineType
from reconciliation.formats.options import Options
from reconciliation.formats.totals import Totals

STATEMENT: Final = "1"
# docs.stripe.com/reports/reporting-categories; the dashboard's export writes the older ``type`` instead.
_TYPES: Final = {
    "charge": LineType.CHARGE,
    "payment": LineType.CHARGE,
    "charge_failure": LineType.CHARGE_REVERSAL,
    "payment_failure_refund": LineType.CHARGE_REVERSAL,
    "payment_reversal": LineType.CHARGE_REVERSAL,
    "partial_capture_reversal": LineType.CHARGE_REVERSAL,
    "refund": LineType.REFUND,
    "payment_refund": LineType.REFUND,
    "refund_failure": LineType.REFUND_REVERSAL,
    "dispute": LineType.CHARGEBACK,
    "dispute_reversal": LineType.CHARGEBACK_REVERSAL,
    "fee": LineType.FEE,
    "stripe_fee": LineType.FEE,
    "network_cost": LineType.FEE,
    "tax": LineType.FEE,
    "tax_fee": LineType.FEE,
    "application_fee": LineType.FEE,
    "payout": LineType.PAYOUT,
    "payout_minimum_balance_hold": LineType.RESERVE,
    "payout_minimum_balance_release": LineType.RESERVE,
    "payout_cancel": LineType.PAYOUT_REVERSAL,
    "payout_failure": LineType.PAYOUT_REVERSAL,
    "payout_reversal": LineType.PAYOUT_REVERSAL,
    "risk_reserved_funds": LineType.RESERVE,
    "reserve_transaction": LineType.RESERVE,
    "reserved_funds": LineType.RESERVE,
    "transfer": LineType.TRANSFER,
    "transfer_reversal": LineType.TRANSFER,
    "topup": LineType.TRANSFER,
    "topup_reversal": LineType.TRANSFER,
    "currency_conversion": LineType.CONVERSION,
    "adjustment": LineType.ADJUSTMENT,
    "other_adjustment": LineType.ADJUSTMENT,
}
# Ids that are not worth a name of their own are kept under the heading they have in the file.
_REFERENCES: Final = (
    "balance_transaction_id", "source_id", "charge_id", "payment_intent_id", "refund_id", "dispute_id", "invoice_id",
    "trace_id", "automatic_payout_id",
)  # fmt: skip

_OUR_REFERENCE: Final = (
    "payment_metadata[reference]", "refund_metadata[reference]", "metadata[reference]", "reference (metadata)",
)  # fmt: skip


def read(stream: Source, options: Options) -> Iterator[Event]:
    """Read a report; our reference comes from ``options.reference_column``, or from metadata named ``reference``.

    Raises:
        StatementRefused: a column without which nothing can be read is missing.
    """
    table = csv_rows.table(stream, encoding=options.encoding)
    parser = _RowParser(options, _Columns(table, options))
    totals = Totals(STATEMENT)
    yield StatementHeader(line_number=table.line_number, statement_id=STATEMENT, account=options.account)
    yield from csv_rows.events(table, parser.line, totals)
    yield from totals.finish_all(line_number=table.line_number)


class _Columns:
    """Where this report's columns stand; ``-1`` is a column that it does not have."""

    def __init__(self, table: csv_rows.Table, options: Options) -> None:
        self.id = table.required("balance_transaction_id", "id")
        self.currency = table.required("currency")
        self.gross = table.required("gross", "amount")
        self.fee = table.required("fee", "fees", "fee_amount")
        self.net = table.required("net")
        self.type = table.required("reporting_category", "type")
        self.created = table.required("created", "created_utc", "created (utc)", "created_date")
        self.available = _or_none(table.position("available_on", "available_on_utc", "available on (utc)"))
        self.source = _or_none(table.position("source_id", "source"))
        self.intent = _or_none(table.position("payment_intent_id"))
        self.charge = _or_none(table.position("charge_id"))
        self.payout = _or_none(table.position("automatic_payout_id", "payout_id", "transfer", "payout"))
        self.description = _or_none(table.position("description"))
        self.method = _or_none(table.position("payment_method_type"))
        self.original = _or_none(table.position("customer_facing_amount"))
        self.original_currency = _or_none(table.position("customer_facing_currency"))
        ours = (options.reference_column,) if options.reference_column else ()
        self.ours = table.required(*ours) if ours else _or_none(table.position(*_OUR_REFERENCE))
        self.references = {
            heading.strip(): at
            for at, heading in enumerate(table.headings)
            if heading.strip().casefold() in _REFERENCES or "metadata" in heading.casefold()
        }


@dataclass(slots=True)
class _RowParser:
    options: Options
    at: _Columns

    def line(self, number: int, row: csv_rows.Row) -> StatementLine:
        fields, at = row.fields, self.at
        currency = amounts.currency(fields[at.currency])
        gross, fee, net = split(
            gross_minor=amounts.major(fields[at.gross], currency),
            fee_minor=amounts.major(fields[at.fee], currency),
            net_minor=amounts.major(fields[at.net], currency),
        )
        word = fields[at.type].strip()
        kind = _TYPES.get(word.casefold(), LineType.OTHER)
        original_minor, original_currency = self._original(fields)
        provider_reference = _text(fields, at.source) or fields[at.id].strip()
        if not provider_reference:
            raise Unreadable("The row has no balance transaction and no source.")
        return StatementLine(
            row=number,
            line_number=row.line_number,
            statement_id=STATEMENT,
            type=kind,
            currency=currency,
            gross_minor=gross,
            fee_minor=fee,
            net_minor=net,
            moved_at=dates.iso_moment(fields[at.created], self.options.zone),
            value_date=dates.iso_day(_text(fields, at.available)) if _text(fields, at.available) else None,
            provider_reference=provider_reference,
            related_reference=_text(fields, at.intent) or _text(fields, at.charge),
            our_reference=_text(fields, at.ours),
            batch_id=_text(fields, at.payout),
            account=self.options.account,
            original_minor=original_minor,
            original_currency=original_currency,
            references=csv_rows.named(fields, at.references),
            method=_text(fields, at.method),
            provider_type=word,
            description=_text(fields, at.description),
        )

    def _original(self, fields: list[str]) -> tuple[int | None, str]:
        text, code = _text(fields, self.at.original), _text(fields, self.at.original_currency)
        if not (text and code):
            return None, ""
        currency = amounts.currency(code)
        return amounts.major(text, currency), currency


def _or_none(position: int | None) -> int:
    return -1 if position is None else position


def _text(fields: list[str], at: int) -> str:
    return fields[at].strip() if at >= 0 else ""
