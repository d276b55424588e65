"""Amounts, states and durations as people read them."""

from datetime import timedelta

import pytest
from django.utils import translation

from paymentops.console import formats
from paymentops.payments.states import AttemptState, PaymentState, RefundState


@pytest.mark.parametrize(
    ("language", "minor", "currency", "text"),
    [
        ("en", 12990, "EUR", "129.90"),
        ("en", -123456789, "USD", "-1,234,567.89"),
        ("en", 500, "JPY", "500"),
        ("en", 1250, "KWD", "1.250"),
        ("en", 12345678, "CLF", "1,234.5678"),
        ("de", 123456789, "EUR", "1.234.567,89"),
        ("fr", 123456, "EUR", "1\u202f234,56"),
        ("en-in", 12345678900, "INR", "12,34,56,789.00"),
        ("en", 2**53 - 1, "EUR", "90,071,992,547,409.91"),
        ("en", 0, "EUR", "0.00"),
        # CLDR knows two decimals for this one; ISO 4217 and our table none.
        ("en", 1500, "UGX", "1,500"),
    ],
)
def test_amounts_follow_the_language_and_our_own_table_of_decimals(language, minor, currency, text):
    with translation.override(language):
        assert formats.amount(minor, currency) == text
        assert formats.money(minor, currency) == f"{text}\u00a0{currency}"


@pytest.mark.parametrize("state", [*PaymentState, *AttemptState, *RefundState])
def test_every_state_has_a_name_and_a_sign_beside_its_colour(state):
    assert formats.state_label(state.value) == state.label
    assert formats.tone_symbol(formats.state_tone(state.value))


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=0), "0 s"),
        (timedelta(seconds=75), "1 min 15 s"),
        (timedelta(hours=1), "1 h"),
        (timedelta(days=2, hours=3, minutes=9), "2 d 3 h"),
    ],
)
def test_durations_are_told_in_their_two_largest_units(passed, text):
    assert formats.duration(passed) == text


def test_personal_data_is_hidden_but_for_its_end():
    assert formats.masked("cust-77001") == "••••01"
    assert formats.masked("abc") == "••••"
