"""A body row (SB) of a PayPal report -> a line, and the sums its section's footer is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from paymentops.core import currencies
from reconciliation.formats import amounts, csv_rows, dates
from reconciliation.formats.contract import StatementLine, Unreadable, split
from reconciliation.formats.options import Options
from reconciliation.formats.paypal import event_codes

_MOMENT: Final = "%Y/%m/%d %H:%M:%S %z"
# Currencies that PayPal keeps without decimals though ISO 4217 has two (developer.paypal.com, currency codes).
_EXPONENTS: Final = {"HUF": 0, "TWD": 0}
_REFERENCES: Final = (
    "PayPal Reference ID",
    "PayPal Reference ID Type",
    "Invoice ID",
    "Custom Field",
    "Payment Tracking ID",
    "Bank Reference ID",
    "Store ID",
)


class Movement(NamedTuple):
    """What one row moves, in minor units; both are signed, a fee that we pay is positive."""

    currency: str
    gross_minor: int
    fee_minor: int


@dataclass(slots=True)
class Sums:
    """Sums of one currency as a footer states them: all positive, credits and debits apart."""

    gross_credit: int = 0
    gross_debit: int = 0
    fee_credit: int = 0
    fee_debit: int = 0

    def add(self, movement: Movement) -> None:
        """Count one row."""
        if movement.gross_minor >= 0:
            self.gross_credit += movement.gross_minor
        else:
            self.gross_debit -= movement.gross_minor
        if movement.fee_minor >= 0:
            self.fee_debit += movement.fee_minor
        else:
            self.fee_credit -= movement.fee_minor

    @property
    def net(self) -> int:
        """What these movements change the balance by."""
        return self.gross_credit - self.gross_debit + self.fee_credit - self.fee_debit


@dataclass(slots=True)
class Section:
    """One section of a report: its columns and the sums so far."""

    statement_id: str
    account: str
    at: Mapping[str, int | None] = field(default_factory=dict)
    width: int = 0
    sums: dict[str, Sums] = field(default_factory=dict)


def columns(table: csv_rows.Table) -> dict[str, int | None]:
    """Return where the columns of a section stand.

    Raises:
        StatementRefused: one without which nothing can be read is missing.
    """
    return {
        "id": table.required("Transaction ID"),
        "code": table.required("Transaction Event Code"),
        "sign": table.required("Transaction Debit or Credit", "Transaction  Debit or Credit"),
        "gross": table.required("Gross Transaction Amount"),
        "currency": table.required("Gross Transaction Currency"),
        "fee_sign": table.required("Fee Debit or Credit"),
        "fee": table.required("Fee Amount"),
        "fee_currency": table.required("Fee Currency"),
        "begun": table.position("Transaction Initiation Date"),
        "completed": table.position("Transaction Completion Date"),
        "invoice": table.position("Invoice ID"),
        "related": table.position("PayPal Reference ID"),
        "custom": table.position("Custom Field"),
        "bank": table.position("Bank Reference ID"),
        "status": table.position("Transactional Status"),
        "source": table.position("Payment Source"),
        **{name: table.position(name) for name in _REFERENCES},
    }


def text(fields: list[str], at: Mapping[str, int | None], name: str) -> str:
    """Return a field, or an empty string where the report has no such column."""
    position = at.get(name)
    return "" if position is None else fields[position].strip()


def minor(written: str, currency: str, options: Options) -> int:
    """Return an unsigned amount without decimals in minor units.

    Raises:
        Unreadable: it is empty, signed or no whole number.
    """
    found = amounts.minor(written)
    if found < 0 or written.strip()[:1] in {"+", "-"}:
        raise Unreadable("The amount has a sign; the column beside it says the direction.")
    exponent = options.exponents.get(currency, _EXPONENTS.get(currency, currencies.exponent(currency)))
    return amounts.rescaled(found, exponent, currencies.exponent(currency))


def signed(direction: str, value: int) -> int:
    """Return the amount, negative for a debit.

    Raises:
        Unreadable: the direction is neither CR nor DR.
    """
    word = direction.strip().upper()
    if word not in {"CR", "DR"}:
        raise Unreadable(f"{direction[:20]!r} is neither CR nor DR.")
    return value if word == "CR" else -value


def movement(fields: list[str], at: Mapping[str, int | None], options: Options) -> Movement:
    """Return what a row moves.

    Raises:
        Unreadable: an amount, a direction or a currency cannot be read.
    """
    currency = amounts.currency(text(fields, at, "currency"))
    gross = signed(text(fields, at, "sign"), minor(text(fields, at, "gross"), currency, options))
    written = text(fields, at, "fee")
    if not written:
        return Movement(currency, gross, 0)
    if amounts.currency(text(fields, at, "fee_currency") or currency) != currency:
        raise Unreadable("The fee is in another currency than the amount.")
    fee = minor(written, currency, options)
    return Movement(currency, gross, -signed(text(fields, at, "fee_sign"), fee) if fee else 0)


def line(number: int, row: csv_rows.Row, section: Section, moved: Movement, options: Options) -> StatementLine:
    """Return the line of a row whose movement was read.

    Raises:
        Unreadable: something else of it cannot be read.
    """
    fields, at = row.fields, section.at
    gross, fee, net = split(
        gross_minor=moved.gross_minor, fee_minor=moved.fee_minor, net_minor=moved.gross_minor - moved.fee_minor
    )
    code = text(fields, at, "code").upper()
    if not text(fields, at, "id"):
        raise Unreadable("The transaction id is missing.")
    at_moment = text(fields, at, "completed") or text(fields, at, "begun")
    if not at_moment:
        raise Unreadable("Both dates are missing.")
    kind = event_codes.line_type(code, gross_minor=gross)
    return StatementLine(
        row=number,
        line_number=row.line_number,
        statement_id=section.statement_id,
        type=kind,
        currency=moved.currency,
        gross_minor=gross,
        fee_minor=fee,
        net_minor=net,
        moved_at=dates.moment(at_moment, _MOMENT, options.zone),
        provider_reference=text(fields, at, "id"),
        related_reference=text(fields, at, "related"),
        our_reference=text(fields, at, "invoice") or text(fields, at, "custom"),
        batch_id=text(fields, at, "bank"),
        account=section.account,
        references=tuple((name, found) for name in _REFERENCES if (found := text(fields, at, name))),
        method=text(fields, at, "source"),
        provider_type=code,
    )
