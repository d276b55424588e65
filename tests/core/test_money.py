"""Money is whole minor units of one currency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentops.core import currencies
from paymentops.core.money import LARGEST_MINOR, CurrencyMismatch, Money, UnknownCurrency

MINOR = st.integers(-LARGEST_MINOR, LARGEST_MINOR)


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1290, "EUR", "12.90 EUR"),
        (-1290, "EUR", "-12.90 EUR"),
        (-5, "EUR", "-0.05 EUR"),
        (0, "EUR", "0.00 EUR"),
        (500, "JPY", "500 JPY"),
        (-500, "JPY", "-500 JPY"),
        (1250, "BHD", "1.250 BHD"),
        (7, "CLF", "0.0007 CLF"),
    ],
)
def test_an_amount_is_written_with_the_decimals_of_its_currency(minor, currency, text) -> None:
    assert str(Money(minor, currency)) == text


@given(MINOR, MINOR)
def test_adding_and_taking_away_meet_again(a, b) -> None:
    assert Money(a, "EUR") + Money(b, "EUR") - Money(b, "EUR") == Money(a, "EUR")
    assert -Money(a, "EUR") == Money(-a, "EUR")


@given(MINOR, st.integers(1, 50))
def test_splitting_loses_no_unit_and_gives_the_odd_ones_first(minor, parts) -> None:
    shares = Money(minor, "EUR").split(parts)
    assert sum(share.minor for share in shares) == minor
    assert sorted(shares, key=lambda share: -share.minor) == shares
    assert shares[0].minor - shares[-1].minor in (0, 1)


@pytest.mark.parametrize("combine", [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a < b, lambda a, b: a <= b])
def test_two_currencies_never_meet(combine) -> None:
    with pytest.raises(CurrencyMismatch, match="EUR and USD"):
        combine(Money(1, "EUR"), Money(1, "USD"))


def test_amounts_of_one_currency_are_ordered() -> None:
    assert Money(1, "EUR") < Money(2, "EUR") <= Money(2, "EUR")
    assert not Money(2, "EUR") < Money(2, "EUR")


@pytest.mark.parametrize("code", ["", "eur", "XXX", "XTS", "XAU", "EURO", "HRK", "BGN", "\0"])
def test_only_currencies_that_can_be_charged_exist(code) -> None:
    assert not currencies.is_known(code)
    with pytest.raises(UnknownCurrency):
        Money(1, code)


def test_every_currency_has_a_code_of_three_capitals() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in currencies.EXPONENTS)
    assert set(currencies.EXPONENTS.values()) == {0, 2, 3, 4}
    with pytest.raises(KeyError):
        currencies.exponent("XXX")
