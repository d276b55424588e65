"""PayPal's transaction event codes -> our line types (developer.paypal.com/docs/reports/reference/tcodes)."""

from typing import Final

from reconciliation.formats.line_types import LineType

_EXACT: Final = {
    "T0004": LineType.ADJUSTMENT,
    "T0019": LineType.FEE,
    "T1100": LineType.ADJUSTMENT,
    "T1101": LineType.ADJUSTMENT,
    "T1102": LineType.ADJUSTMENT,
    "T1103": LineType.ADJUSTMENT,
    "T1104": LineType.FEE,
    "T1105": LineType.RESERVE,
    "T1106": LineType.CHARGE_REVERSAL,
    "T1107": LineType.REFUND,
    "T1108": LineType.FEE,
    "T1109": LineType.FEE,
    "T1110": LineType.RESERVE,
    "T1111": LineType.RESERVE,
    "T1112": LineType.REFUND,
    "T1113": LineType.REFUND,
    "T1114": LineType.CHARGE_REVERSAL,
    "T1115": LineType.CHARGEBACK,
    "T1116": LineType.CHARGEBACK,
    "T1117": LineType.REFUND,
    "T1118": LineType.RESERVE,
    "T1119": LineType.FEE,
    "T1120": LineType.CHARGE_REVERSAL,
    "T1201": LineType.CHARGEBACK,
    "T1202": LineType.CHARGEBACK_REVERSAL,
    "T1207": LineType.CHARGEBACK,
    "T1208": LineType.CHARGEBACK,
}
# By the code's first three characters: the groups of the reference.
_GROUPS: Final = {
    "T00": LineType.CHARGE,
    "T01": LineType.FEE,
    "T02": LineType.CONVERSION,
    "T03": LineType.TRANSFER,
    "T04": LineType.PAYOUT,
    "T05": LineType.DEBIT,
    "T06": LineType.CREDIT,
    "T07": LineType.CREDIT,
    "T08": LineType.ADJUSTMENT,
    "T09": LineType.ADJUSTMENT,
    "T10": LineType.ADJUSTMENT,
    "T12": LineType.ADJUSTMENT,
    "T13": LineType.NOTICE,
    "T14": LineType.ADJUSTMENT,
    "T15": LineType.RESERVE,
    "T16": LineType.ADJUSTMENT,
    "T17": LineType.TRANSFER,
    "T18": LineType.TRANSFER,
    "T19": LineType.ADJUSTMENT,
    "T20": LineType.TRANSFER,
    "T21": LineType.RESERVE,
    "T22": LineType.TRANSFER,
}


def line_type(code: str, *, gross_minor: int) -> LineType:
    """Return the type of an event code; a payment that leaves us is a debit, money that comes back a reversal."""
    found = _EXACT.get(code) or _GROUPS.get(code[:3], LineType.OTHER)
    if gross_minor < 0 and found is LineType.CHARGE:
        return LineType.DEBIT
    if gross_minor > 0 and found is LineType.PAYOUT:
        return LineType.PAYOUT_REVERSAL
    if gross_minor > 0 and found is LineType.REFUND:
        return LineType.REFUND_REVERSAL
    if gross_minor > 0 and found is LineType.CHARGE_REVERSAL:
        return LineType.ADJUSTMENT
    return found
