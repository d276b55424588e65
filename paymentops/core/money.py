"""Money: whole minor units and a currency. There is no float anywhere."""

from dataclasses import dataclass
from typing import Final, Self

from paymentops.core import currencies
from paymentops.core.errors import ApplicationError

# The largest whole number that every JSON reader keeps exactly (RFC 8259, section 6).
LARGEST_MINOR: Final = 2**53 - 1


class CurrencyMismatch(ApplicationError):
    """Two amounts of different currencies were combined."""

    code = "money.currency_mismatch"
    status = 422
    title = "Amounts of different currencies cannot be combined"


class UnknownCurrency(ApplicationError):
    """A code is not an active ISO 4217 currency."""

    code = "money.unknown_currency"
    title = "This is not a currency that can be charged"


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in minor units (cents for EUR, whole yen for JPY), signed.

    Raises:
        UnknownCurrency: the currency is not an active ISO 4217 code.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if not currencies.is_known(self.currency):
            raise UnknownCurrency(f"{self.currency!r} is not an active ISO 4217 currency code.")

    def __add__(self, other: Self) -> "Money":
        self._require_same_currency(other)
        return Money(self.minor + other.minor, self.currency)

    def __sub__(self, other: Self) -> "Money":
        self._require_same_currency(other)
        return Money(self.minor - other.minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: Self) -> bool:
        self._require_same_currency(other)
        return self.minor < other.minor

    def __le__(self, other: Self) -> bool:
        self._require_same_currency(other)
        return self.minor <= other.minor

    def __str__(self) -> str:
        return f"{self.decimal()} {self.currency}"

    def decimal(self) -> str:
        """Write the amount with the decimals of its currency and no grouping: ``-12.90``, ``500``, ``1.250``."""
        exponent = currencies.exponent(self.currency)
        if exponent == 0:
            return str(self.minor)
        digits = f"{abs(self.minor):0{exponent + 1}d}"
        sign = "-" if self.minor < 0 else ""
        return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"

    def split(self, parts: int) -> "list[Money]":
        """Divide into ``parts`` amounts that add up to this one; the odd units go to the first parts."""
        share, odd = divmod(self.minor, parts)
        return [Money(share + (1 if n < odd else 0), self.currency) for n in range(parts)]

    def _require_same_currency(self, other: Self) -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be combined; convert one first.")
