"""Settlement in another currency: balanced in each, proved by its rate, worth something only in a base currency."""

from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import postings
from ledger.postings import Conversion, Source, UnbalancedPosting
from paymentops.core.money import CurrencyMismatch, Money
from tests.ledger.books import eur

SOURCE = Source("settlement", UUID(int=1), "converted")


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def test_a_conversion_goes_through_the_trading_position_in_both_currencies() -> None:
    conversion = Conversion(sold=usd(10_000), bought=eur(9_200))
    posting = postings.converted(source=SOURCE, provider_account="sandbox", conversion=conversion)
    assert [(line.account.code, line.account.currency, line.amount) for line in posting.lines] == [
        ("1190", "USD", 10_000),
        ("1110:sandbox", "USD", -10_000),
        ("1110:sandbox", "EUR", 9_200),
        ("1190", "EUR", -9_200),
    ]
    assert posting.description == "Converted 100.00 USD into 92.00 EUR"


def test_the_implied_rate_is_in_units_whatever_the_decimals() -> None:
    assert Conversion(sold=usd(10_000), bought=Money(15_000, "JPY")).implied_rate == 150
    assert Conversion(sold=Money(15_000, "JPY"), bought=usd(10_000)).implied_rate == Fraction(1, 150)
    assert Conversion(sold=Money(1_000, "KWD"), bought=usd(325)).implied_rate == Fraction(13, 4)


@pytest.mark.parametrize(
    ("sold", "bought", "reported", "agrees"),
    [
        (usd(10_000), eur(9_200), "0.92", True),
        (usd(10_000), eur(9_201), "0.92", True),  # 0.92009 rounds to 0.92
        (usd(10_000), eur(9_300), "0.92", False),
        (usd(10_000), eur(9_200), "0.9200000", True),
        (usd(10_000), eur(9_202), "0.9200000", False),
        (usd(333), eur(306), "0.9200000", True),  # 3.0636, rounded down
        (usd(333), eur(307), "0.9200000", True),  # rounded up
        (usd(333), eur(308), "0.9200000", False),
        (usd(10_000), Money(15_001, "JPY"), "150.0000", True),
        (usd(10_000), Money(15_002, "JPY"), "150.0000", False),
        (usd(10_000), eur(9_200), "NaN", False),
        (usd(10_000), eur(9_200), "Infinity", False),
    ],
)
def test_a_conversion_agrees_with_the_reported_rate_to_the_digits_it_prints(sold, bought, reported, agrees) -> None:
    assert Conversion(sold=sold, bought=bought).agrees_with(Decimal(reported)) is agrees


@given(
    sold=st.integers(min_value=1, max_value=2**53),
    rate=st.decimals(min_value="0.0001", max_value="10000", places=8),
    digits=st.integers(min_value=2, max_value=8),
)
def test_what_a_provider_computes_by_a_rate_agrees_with_the_rate_it_prints(sold, rate, digits) -> None:
    bought = int(sold * Fraction(rate))
    if bought > 0:
        printed = round(rate, digits)
        assert Conversion(sold=usd(sold), bought=eur(bought)).agrees_with(printed)


@pytest.mark.parametrize(("sold", "bought"), [(0, 1), (1, 0), (-1, 1), (1, -1)])
def test_a_conversion_has_two_positive_amounts(sold: int, bought: int) -> None:
    with pytest.raises(UnbalancedPosting, match="two positive amounts"):
        Conversion(sold=usd(sold), bought=eur(bought))


def test_a_conversion_has_two_currencies() -> None:
    with pytest.raises(UnbalancedPosting, match="in one currency"):
        Conversion(sold=eur(1), bought=eur(1))


@pytest.mark.parametrize(
    ("sold_worth", "bought_worth", "lines"),
    [(9_200, 9_300, [("1190", 100), ("4050", -100)]), (9_200, 9_150, [("5050", 50), ("1190", -50)])],
)
def test_what_a_conversion_won_or_lost_is_posted_in_the_base_currency(sold_worth, bought_worth, lines) -> None:
    (posting,) = postings.exchange_result(
        source=SOURCE, base_currency="EUR", sold_worth=eur(sold_worth), bought_worth=eur(bought_worth)
    )
    assert [(line.account.code, line.amount) for line in posting.lines] == lines


def test_without_a_base_currency_nothing_is_won_or_lost() -> None:
    worth = {"sold_worth": eur(1), "bought_worth": eur(2)}
    assert postings.exchange_result(source=SOURCE, base_currency="", **worth) == ()


def test_at_our_own_rate_nothing_is_won_or_lost() -> None:
    worth = {"sold_worth": eur(2), "bought_worth": eur(2)}
    assert postings.exchange_result(source=SOURCE, base_currency="EUR", **worth) == ()


def test_worth_is_told_in_the_base_currency() -> None:
    with pytest.raises(CurrencyMismatch, match="kept in EUR"):
        postings.exchange_result(source=SOURCE, base_currency="EUR", sold_worth=usd(1), bought_worth=usd(2))
