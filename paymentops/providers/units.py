"""Amounts in the minor units of a provider, which are not everywhere those of ISO 4217."""

from paymentops.core import currencies
from paymentops.core.errors import ApplicationError
from paymentops.core.money import LARGEST_MINOR, Money


class Inexpressible(ApplicationError):
    """The amount cannot be written in the provider's units of its currency."""

    code = "provider.amount_inexpressible"
    status = 422
    title = "The provider cannot take exactly this amount"


def to_units(money: Money, *, exponent: int) -> int:
    """Write an amount in units of which ``10 ** exponent`` make one of the currency.

    Raises:
        Inexpressible: it has more decimals than that.
    """
    shift = exponent - currencies.exponent(money.currency)
    if shift >= 0:
        return money.minor * int(10**shift)
    whole, rest = divmod(money.minor, int(10**-shift))
    if rest:
        raise Inexpressible(f"{money} has more decimals than the provider takes in {money.currency}.")
    return whole


def from_units(units: int, *, currency: str, exponent: int) -> Money:
    """Read an amount given in units of which ``10 ** exponent`` make one of the currency.

    Raises:
        Inexpressible: it is no amount of this currency.
        UnknownCurrency: the currency is not an active one.
    """
    zero = Money(0, currency)
    shift = exponent - currencies.exponent(currency)
    minor, rest = divmod(units, int(10**shift)) if shift >= 0 else (units * int(10**-shift), 0)
    if rest or not 0 <= minor <= LARGEST_MINOR:
        raise Inexpressible(f"{units} is not an amount of {zero.currency}.")
    return Money(minor, currency)
