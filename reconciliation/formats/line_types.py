"""The types of statement lines."""

from enum import StrEnum


class LineType(StrEnum):
    """What a line moved, in the field's terms. ``NOTICE`` moved nothing; ``OTHER`` is a word we do not know."""

    CHARGE = "charge"
    CHARGE_REVERSAL = "charge_reversal"
    REFUND = "refund"
    REFUND_REVERSAL = "refund_reversal"
    CHARGEBACK = "chargeback"
    CHARGEBACK_REVERSAL = "chargeback_reversal"
    FEE = "fee"
    PAYOUT = "payout"
    PAYOUT_REVERSAL = "payout_reversal"
    RESERVE = "reserve"
    TRANSFER = "transfer"
    CONVERSION = "conversion"
    ADJUSTMENT = "adjustment"
    CREDIT = "credit"
    DEBIT = "debit"
    NOTICE = "notice"
    OTHER = "other"


# What leaves our balance, where a file writes amounts without a sign.
OUTGOING = frozenset(
    {
        LineType.CHARGE_REVERSAL,
        LineType.REFUND,
        LineType.CHARGEBACK,
        LineType.FEE,
        LineType.PAYOUT,
        LineType.DEBIT,
    }
)
