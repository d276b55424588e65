"""Amounts in Stripe's minor units, which are not everywhere those of ISO 4217.

Source: https://docs.stripe.com/currencies (zero-decimal, three-decimal and special cases).
"""

from typing import Final

from paymentops.core.money import Money
from paymentops.providers.units import from_units, to_units

_ZERO_DECIMAL: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE_DECIMAL: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


def to_stripe(money: Money) -> int:
    """Write an amount in Stripe's units.

    Raises:
        Inexpressible: it has decimals that Stripe does not take in this currency.
    """
    return to_units(money, exponent=_exponent(money.currency))


def from_stripe(units: int, currency: str) -> Money:
    """Read an amount in Stripe's units; Stripe writes currencies in small letters.

    Raises:
        Inexpressible: it is no amount of this currency.
        UnknownCurrency: the currency is not an active one.
    """
    code = currency.upper()
    return from_units(units, currency=code, exponent=_exponent(code))


def _exponent(currency: str) -> int:
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2
