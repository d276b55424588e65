"""Amounts in Stripe's minor units, which are not everywhere those of ISO 4217.

Source: https://docs.stripe.com/currencies (zero-decimal, three-decimal and special cases).
"""

from typing import Final

from paymentops.core import currencies
from paymentops.core.errors import ApplicationError
from paymentops.core.money import LARGEST_MINOR, Money

_ZERO_DECIMAL: Final = frozenset(
    {"BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"}
)
_THREE_DECIMAL: Final = frozenset({"BHD", "JOD", "KWD", "OMR", "TND"})


class Inexpressible(ApplicationError):
    """The amount cannot be written in Stripe's units of its currency."""

    code = "provider.amount_inexpressible"
    status = 422
    title = "The provider cannot take exactly this amount"


def to_stripe(money: Money) -> int:
    """Write an amount in Stripe's units.

    Raises:
        Inexpressible: it has decimals that Stripe does not take in this currency.
    """
    shift = _stripe_exponent(money.currency) - currencies.exponent(money.currency)
    if shift >= 0:
        return money.minor * int(10**shift)
    whole, rest = divmod(money.minor, int(10**-shift))
    if rest:
        raise Inexpressible(f"{money} has more decimals than Stripe takes in {money.currency}.")
    return whole


def from_stripe(units: int, currency: str) -> Money:
    """Read an amount in Stripe's units.

    Raises:
        Inexpressible: it is no amount of this currency.
        UnknownCurrency: the currency is not an active one.
    """
    zero = Money(0, currency.upper())
    shift = _stripe_exponent(zero.currency) - currencies.exponent(zero.currency)
    minor, rest = divmod(units, int(10**shift)) if shift >= 0 else (units * int(10**-shift), 0)
    if rest or not 0 <= minor <= LARGEST_MINOR:
        raise Inexpressible(f"{units} is not an amount of {zero.currency}.")
    return Money(minor, zero.currency)


def _stripe_exponent(currency: str) -> int:
    if currency in _ZERO_DECIMAL:
        return 0
    return 3 if currency in _THREE_DECIMAL else 2
