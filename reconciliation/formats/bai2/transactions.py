"""A BAI2 transaction record (16) -> a line."""

from dataclasses import dataclass
from typing import Final

from reconciliation.formats import amounts, dates
from reconciliation.formats.bai2.records import Record, text, value, width
from reconciliation.formats.contract import StatementHeader, StatementLine, Unreadable
from reconciliation.formats.line_types import LineType

_NO_MONEY: Final = "890"


@dataclass(slots=True)
class Transaction:
    """A transaction record (16), read up to its text."""

    code: str
    minor: int
    funds: str
    value_date: str
    bank_reference: str
    customer_reference: str
    text: str

    @classmethod
    def parse(cls, record: Record) -> "Transaction":
        """Read the fields; the number of those about availability depends on the kind of funds.

        Raises:
            Unreadable: it is no transaction record, or its amount cannot be read.
        """
        if record.code != "16":
            raise Unreadable("The line is no BAI2 record.")
        fields = record.fields()
        code = value(fields, 0)
        if len(code) != 3 or not (code.isascii() and code.isdigit()):
            raise Unreadable(f"{code[:20]!r} is not a type code.")
        # The specification allows no amount where no money moved.
        minor = 0 if code == _NO_MONEY and not value(fields, 1) else amounts.minor(value(fields, 1))
        funds = value(fields, 2).upper()
        behind = 3 + width(funds, fields, 3)
        return cls(
            code=code,
            minor=minor,
            funds=funds,
            value_date=value(fields, 3) if funds == "V" else "",
            bank_reference=value(fields, behind),
            customer_reference=value(fields, behind + 1),
            text=text(record, behind + 2),
        )

    def line(self, row: int, record: Record, header: StatementHeader) -> StatementLine:
        """Return the line.

        Raises:
            Unreadable: the direction or the value date is unknown.
        """
        sign = _sign(self.code)
        signed = sign * self.minor
        return StatementLine(
            row=row,
            line_number=record.line_number,
            statement_id=header.statement_id,
            type=LineType.NOTICE if not sign else LineType.CREDIT if sign > 0 else LineType.DEBIT,
            currency=header.currency,
            gross_minor=signed,
            fee_minor=0,
            net_minor=signed,
            booked=bool(sign),
            booking_date=header.from_date,
            value_date=dates.short_day(self.value_date) if self.value_date else None,
            provider_reference=self.bank_reference,
            our_reference=self.customer_reference,
            account=header.account,
            references=tuple(
                (name, found)
                for name, found in (
                    ("BankReference", self.bank_reference),
                    ("CustomerReference", self.customer_reference),
                )
                if found
            ),
            provider_type=self.code,
            description=self.text[:2000],
        )


def _sign(code: str) -> int:
    """Return 1 for a credit, -1 for a debit, 0 where no money moved.

    Raises:
        Unreadable: the code is a status or summary, or belongs to a loan, whose direction is the bank's own.
    """
    number = int(code)
    if code == _NO_MONEY:
        return 0
    if 100 <= number <= 399 or 920 <= number <= 959:
        return 1
    if 400 <= number <= 699 or 960 <= number <= 999:
        return -1
    raise Unreadable(f"The type code {code} is neither a credit nor a debit.")
