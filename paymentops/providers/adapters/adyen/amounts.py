"""Amounts in Adyen's minor units, which differ from ISO 4217 in four currencies.

Source: https://docs.adyen.com/development-resources/currency-codes, read in 2026.
"""

from types import MappingProxyType
from typing import Final

from paymentops.core import currencies
from paymentops.core.money import Money
from paymentops.providers.units import from_units, to_units

_DIFFERENT: Final = MappingProxyType({"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2})


def to_adyen(money: Money) -> int:
    """Write an amount in Adyen's units.

    Raises:
        Inexpressible: it has decimals that Adyen does not take in this currency.
    """
    return to_units(money, exponent=_exponent(money.currency))


def from_adyen(units: int, currency: str) -> Money:
    """Read an amount in Adyen's units.

    Raises:
        Inexpressible: it is no amount of this currency.
        UnknownCurrency: the currency is not an active one.
    """
    zero = Money(0, currency)
    return from_units(units, currency=zero.currency, exponent=_exponent(zero.currency))


def _exponent(currency: str) -> int:
    return _DIFFERENT.get(currency, currencies.exponent(currency))
