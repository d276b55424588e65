"""Routing: which provider takes a payment, by method, currency and whether it is to be held."""

import json
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from paymentops.payments import routing
from paymentops.payments.routing import NoRoute, Route, Wish
from paymentops.providers.contract import Capabilities, Method
from tests.payments.conftest import Api, payment_body

ALL = Capabilities(
    methods=frozenset(Method),
    key_length=64,
    key_window=timedelta(hours=24),
    visibility_horizon=timedelta(minutes=15),
    not_found_gap=timedelta(minutes=1),
    inquiry_schedule=(timedelta(seconds=5),),
    call_timeout=timedelta(seconds=3),
    partial_capture=True,
    multiple_captures=True,
)
PIX = replace(ALL, methods=frozenset({Method.PIX}), currencies=frozenset({"BRL"}), can_hold=False)
CARDS = replace(ALL, methods=frozenset({Method.CARD}), currencies=frozenset({"EUR", "USD"}))
PROVIDERS = {"pix": PIX, "cards": CARDS}


def wish(method: Method = Method.CARD, currency: str = "EUR", *, hold: bool = False) -> Wish:
    return Wish(method=method, currency=currency, hold=hold)


def choose(one: Wish, *, wanted: str = "", preferred: str = "", providers: Any = PROVIDERS) -> Route:
    return routing.choose(wanted=wanted, wish=one, preferred=preferred, providers=providers)


@pytest.mark.parametrize(
    ("one", "provider"),
    [
        (wish(), "cards"),
        (wish(hold=True), "cards"),
        (wish(Method.PIX, "BRL"), "pix"),
    ],
)
def test_a_payment_goes_to_a_provider_that_can_take_it(one: Wish, provider: str) -> None:
    assert choose(one).provider == provider


@pytest.mark.parametrize(
    "one", [wish(currency="BRL"), wish(Method.PIX, "EUR"), wish(Method.PIX, "BRL", hold=True), wish(Method.WALLET)]
)
def test_what_nobody_takes_is_refused_with_what_is_possible(one: Wish) -> None:
    with pytest.raises(NoRoute) as refusal:
        choose(one)
    assert str(one) in refusal.value.detail
    assert refusal.value.extra["possible"] == [
        {"provider": "cards", "methods": ["card"], "currencies": ["EUR", "USD"], "capture": ["automatic", "manual"]},
        {"provider": "pix", "methods": ["pix"], "currencies": ["BRL"], "capture": ["automatic"]},
    ]


def test_the_preferred_provider_is_passed_over_when_it_cannot_take_it() -> None:
    providers = {"all": ALL, "pix": PIX}
    assert choose(wish(Method.PIX, "BRL"), preferred="pix", providers=providers) == Route("pix", "preferred")
    assert choose(wish(Method.PIX, "BRL", hold=True), preferred="pix", providers=providers).provider == "all"
    assert choose(wish(Method.PIX, "EUR"), preferred="pix", providers=providers).provider == "all"


def test_a_provider_that_was_asked_for_is_taken_or_refused_and_never_replaced() -> None:
    providers = {"all": ALL, "pix": PIX}
    assert choose(wish(Method.PIX, "BRL"), wanted="pix", providers=providers) == Route("pix", "asked for")
    with pytest.raises(NoRoute, match="pix does not take pix in BRL, held and captured later; all would") as refusal:
        choose(wish(Method.PIX, "BRL", hold=True), wanted="pix", providers=providers)
    assert [entry["provider"] for entry in refusal.value.extra["possible"]] == ["pix"]
    with pytest.raises(NoRoute, match="There is no provider 'nobody'"):
        choose(wish(), wanted="nobody", providers=providers)


def test_the_order_in_which_providers_are_known_does_not_count() -> None:
    known = {"zeta": ALL, "alpha": ALL, "pix": PIX}
    chosen = {choose(wish(), providers=dict(order)).provider for order in permutations(known.items())}
    assert chosen == {"alpha"}


@pytest.mark.django_db
def test_a_hold_by_pix_is_refused_before_anything_is_accepted(api: Api, settings: Any) -> None:
    settings.PIX_API_BASE = "http://127.0.0.1:1/api/v2"
    settings.PIX_TOKEN_URL = "http://127.0.0.1:1/oauth/token"
    settings.PIX_CLIENT_ID = "client"
    settings.PIX_KEY = "7d9f0335-8dcc-4054-9bf9-0dbd61d36906"
    body = payment_body(method="pix", currency="BRL", provider="pix", capture="manual")
    refused = api.post("payments", body, key="order-10293-attempt-1")
    problem = json.loads(refused.content)
    assert (refused.status_code, problem["code"]) == (422, "payment.no_route")
    assert problem["possible"][0]["capture"] == ["automatic"]
    accepted = api.post("payments", body | {"capture": "automatic"}, key="order-10293-attempt-1")
    assert accepted.status_code == 201
