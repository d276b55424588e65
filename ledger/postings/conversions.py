"""Settlement in another currency: balanced per currency through 1190, and proved by its rate.

1190 is a trading position. It is not expected to come to zero in any one currency; what proves a conversion is that
the rate it implies is the rate the provider reported.
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from ledger.postings.entries import Posting, Source, UnbalancedPosting, pair, posted, provider, shared
from paymentops.core import currencies
from paymentops.core.money import CurrencyMismatch, Money

_HALF: Final = Fraction(1, 2)


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a provider gave in one currency for what it took in another; both amounts are positive.

    Raises:
        UnbalancedPosting: an amount is not positive, or both are in one currency.
    """

    sold: Money
    bought: Money

    def __post_init__(self) -> None:
        if min(self.sold.minor, self.bought.minor) <= 0:
            raise UnbalancedPosting(f"A conversion of {self.sold} into {self.bought} needs two positive amounts.")
        if self.sold.currency == self.bought.currency:
            raise UnbalancedPosting(f"{self.sold} and {self.bought} are in one currency; nothing is converted.")

    @property
    def implied_rate(self) -> Fraction:
        """Units of the bought currency for one unit of the sold one, exactly; units, not minor units."""
        return _units(self.bought) / _units(self.sold)

    def agrees_with(self, reported: Decimal) -> bool:
        """Tell whether the implied rate is the reported one.

        A report rounds twice: the rate to the digits it prints, the amount to the minor unit, in either direction. So
        the amount bought must lie within one minor unit of what a rate that rounds to ``reported`` gives.
        """
        digits = reported.as_tuple().exponent
        if not isinstance(digits, int):  # not a number, or infinite
            return False
        half_digit = _HALF * Fraction(10) ** digits
        minor_unit = Fraction(1, 10 ** currencies.exponent(self.bought.currency))
        off_by = abs(_units(self.bought) - _units(self.sold) * Fraction(reported))
        return off_by <= _units(self.sold) * half_digit + minor_unit


def converted(*, source: Source, provider_account: str, conversion: Conversion) -> Posting:
    """The provider converted what it owes us: 1190 / 1110 in the currency sold, 1110 / 1190 in the one bought.

    Fees and the announced batch follow in the currency bought, like those of any settlement.
    """
    sold, bought = conversion.sold, conversion.bought
    given = pair(shared("1190", sold), provider("1110", provider_account, sold), sold)
    got = pair(provider("1110", provider_account, bought), shared("1190", bought), bought)
    return posted(source, given + got, f"Converted {sold} into {bought}")


def exchange_result(
    *, source: Source, base_currency: str, sold_worth: Money, bought_worth: Money
) -> tuple[Posting, ...]:
    """What a conversion won or lost against our own rates: 1190 / 4050, or 5050 / 1190, in the base currency.

    Args:
        source: the conversion's event, of a kind of its own.
        base_currency: the currency we report in; empty where none is configured, and then nothing is posted.
        sold_worth: what was sold, at our rate, in the base currency.
        bought_worth: what was bought, at our rate, in the base currency.

    Raises:
        CurrencyMismatch: a worth is not in the base currency.
    """
    if not base_currency:
        return ()
    difference = bought_worth - sold_worth
    if difference.currency != base_currency:
        raise CurrencyMismatch(f"Exchange results are kept in {base_currency}, not in {difference.currency}.")
    if difference.minor > 0:
        return (posted(source, pair(shared("1190", difference), shared("4050", difference), difference), "FX gain"),)
    if difference.minor < 0:
        return (posted(source, pair(shared("5050", difference), shared("1190", difference), -difference), "FX loss"),)
    return ()


def _units(amount: Money) -> Fraction:
    return Fraction(amount.minor, 10 ** currencies.exponent(amount.currency))
