"""Routing: which provider takes a payment, in which order others would, and why not."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured

from paymentops.core import ids
from paymentops.core.money import Money
from paymentops.payments import routes, routing
from paymentops.payments.apps import PaymentsConfig
from paymentops.payments.routes import BadRoutes, RouteTable
from paymentops.payments.routing import NoRoute, Options, Route, Wish
from paymentops.providers.contract import Capabilities, Method
from tests.payments.conftest import Api, payment_body, stored

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
PAYMENT = UUID("0190a5c0-0000-7000-8000-000000000001")
KNOWN = ["adyen", "pix", "sandbox", "stripe"]

TABLE = """
version = "2026-11-01"

[[routes]]
provider = "adyen"
methods = ["card"]
currencies = ["EUR"]
weight = 70

[[routes]]
provider = "stripe"
methods = ["card"]
weight = 30

[[routes]]
provider = "sandbox"
priority = 2

[[limits]]
provider = "adyen"
currency = "EUR"
least = 100
most = 500000
"""
ACQUIRERS = {"adyen": ALL, "stripe": ALL, "sandbox": ALL}


def wish(method: Method = Method.CARD, currency: str = "EUR", *, minor: int = 10000, hold: bool = False) -> Wish:
    return Wish(method=method, amount=Money(minor, currency), hold=hold)


def choose(one: Wish, *, wanted: str = "", preferred: str = "", providers: Any = PROVIDERS) -> Route:
    table = routes.built_in(preferred=preferred, names=list(providers))
    options = Options(table=table, providers=providers)
    return routing.choose(wanted=wanted, wish=one, payment_id=PAYMENT, options=options)


def table(text: str = TABLE) -> RouteTable:
    return routes.parse(text=text, known=KNOWN)


def order(one: Wish, payment_id: UUID = PAYMENT, **changes: Any) -> list[str]:
    options = Options(**{"table": table(), "providers": ACQUIRERS, **changes})
    found = routing.candidates(wish=one, payment_id=payment_id, options=options)
    return [candidate.provider for candidate in found if not candidate.excluded]


@pytest.mark.parametrize(
    ("one", "provider"),
    [
        (wish(), "cards"),
        (wish(hold=True), "cards"),
        (wish(Method.PIX, "BRL"), "pix"),
    ],
)
def test_a_payment_goes_to_a_provider_that_can_take_it(one: Wish, provider: str) -> None:
    assert choose(one) == Route(provider, "the only one that can take it")


@pytest.mark.parametrize(
    ("one", "of_cards", "of_pix"),
    [
        (wish(currency="BRL"), "takes no BRL", "takes no card"),
        (wish(Method.PIX, "EUR"), "takes no pix", "takes no EUR"),
        (wish(Method.PIX, "BRL", hold=True), "takes no pix", "cannot hold an amount and capture it later"),
        (wish(Method.WALLET), "takes no wallet", "takes no wallet"),
    ],
)
def test_what_nobody_takes_is_refused_with_each_reason_and_what_is_possible(
    one: Wish, of_cards: str, of_pix: str
) -> None:
    with pytest.raises(NoRoute) as refusal:
        choose(one)
    assert str(one) in refusal.value.detail
    assert refusal.value.extra["excluded"] == [
        {"provider": "cards", "reason": of_cards},
        {"provider": "pix", "reason": of_pix},
    ]
    assert refusal.value.extra["possible"] == [
        {"provider": "cards", "methods": ["card"], "currencies": ["EUR", "USD"], "capture": ["automatic", "manual"]},
        {"provider": "pix", "methods": ["pix"], "currencies": ["BRL"], "capture": ["automatic"]},
    ]


def test_the_preferred_provider_is_passed_over_when_it_cannot_take_it() -> None:
    providers = {"all": ALL, "pix": PIX}
    assert choose(wish(Method.PIX, "BRL"), preferred="pix", providers=providers) == Route("pix", "priority 1")
    assert choose(wish(Method.PIX, "BRL", hold=True), preferred="pix", providers=providers).provider == "all"
    assert choose(wish(Method.PIX, "EUR"), preferred="pix", providers=providers).provider == "all"


def test_a_provider_that_was_asked_for_is_taken_or_refused_and_never_replaced() -> None:
    providers = {"all": ALL, "pix": PIX}
    assert choose(wish(Method.PIX, "BRL"), wanted="pix", providers=providers) == Route("pix", "asked for")
    with pytest.raises(NoRoute, match=r"pix cannot hold an amount and capture it later, .*; all would") as refusal:
        choose(wish(Method.PIX, "BRL", hold=True), wanted="pix", providers=providers)
    assert [entry["provider"] for entry in refusal.value.extra["possible"]] == ["pix"]
    with pytest.raises(NoRoute, match="There is no provider 'nobody'"):
        choose(wish(), wanted="nobody", providers=providers)


def test_without_a_table_the_order_in_which_providers_are_known_does_not_count() -> None:
    known = {"zeta": ALL, "alpha": ALL, "pix": PIX}
    chosen = {choose(wish(), providers=dict(one)).provider for one in permutations(known.items())}
    assert chosen == {"alpha"}


def test_priority_goes_before_weight_and_a_rule_counts_for_its_methods_and_currencies_only() -> None:
    assert set(order(wish())[:2]) == {"adyen", "stripe"}
    assert order(wish())[2:] == ["sandbox"]
    assert order(wish(currency="USD")) == ["stripe", "sandbox"]
    assert order(wish(Method.WALLET)) == ["sandbox"]


def test_amounts_outside_a_limit_go_elsewhere_also_when_the_provider_was_asked_for() -> None:
    assert order(wish(minor=99)) == order(wish(minor=500001)) == ["stripe", "sandbox"]
    assert "adyen" in order(wish(minor=100))
    assert "adyen" in order(wish(minor=500000))
    options = Options(table=table(), providers=ACQUIRERS)
    with pytest.raises(NoRoute, match=r"adyen takes 1\.00 EUR at least, so not 0\.99 EUR by card; "):
        routing.choose(wanted="adyen", wish=wish(minor=99), payment_id=PAYMENT, options=options)


def test_the_weights_share_payments_by_their_ids_and_the_same_payment_always_goes_the_same_way() -> None:
    payments = [ids.new(datetime(2026, 11, 1, tzinfo=UTC)) for _ in range(2000)]
    first = [order(wish(), payment)[0] for payment in payments]
    assert 0.65 < first.count("adyen") / len(first) < 0.75
    assert [order(wish(), payment)[0] for payment in payments] == first
    # Half the share for Stripe: nobody who went to Adyen before moves.
    less = table(TABLE.replace("weight = 30", "weight = 15"))
    moved = [order(wish(), payment, table=less)[0] for payment in payments]
    assert {(before, after) for before, after in zip(first, moved, strict=True) if before != after} == {
        ("stripe", "adyen")
    }


def test_the_draw_is_the_same_on_every_machine() -> None:
    assert order(wish(), PAYMENT) == ["adyen", "stripe", "sandbox"]
    assert routing.draw(PAYMENT, "adyen", 70) == pytest.approx(0.008583738380740743, rel=1e-12)


def test_a_provider_that_is_held_back_goes_last_but_stays_possible() -> None:
    back = {"adyen": "breaker open", "stripe": "breaker open"}
    assert order(wish(), held_back=back) == ["sandbox", *order(wish())[:2]]
    options = Options(table=table(), providers=ACQUIRERS, held_back=back)
    route = routing.choose(wanted="", wish=wish(), payment_id=PAYMENT, options=options)
    assert route == Route("sandbox", "priority 2; adyen held back: breaker open; stripe held back: breaker open")
    alone = Options(table=table(), providers={"adyen": ALL}, held_back=back)
    route = routing.choose(wanted="", wish=wish(), payment_id=PAYMENT, options=alone)
    assert route == Route("adyen", "the only one that can take it; held back too: breaker open")


def test_a_provider_that_is_passed_over_is_not_chosen_again() -> None:
    passed = {"adyen": "tried already", "stripe": "tried already"}
    assert order(wish(), passed_over=passed) == ["sandbox"]
    options = Options(table=table(), providers=ACQUIRERS, passed_over=passed)
    found = routing.candidates(wish=wish(), payment_id=PAYMENT, options=options)
    assert {one.provider: one.excluded for one in found[1:]} == passed


def test_a_provider_of_the_table_without_credentials_here_is_named_as_such() -> None:
    options = Options(table=table(), providers={"sandbox": ALL})
    found = routing.candidates(wish=wish(), payment_id=PAYMENT, options=options)
    assert {one.provider: one.excluded for one in found} == {
        "sandbox": "",
        "adyen": "has no credentials here",
        "stripe": "has no credentials here",
    }


def test_a_provider_without_a_rule_gets_a_payment_only_when_it_is_asked_for() -> None:
    options = Options(table=table(), providers={"pix": ALL})
    with pytest.raises(NoRoute) as refusal:
        routing.choose(wanted="", wish=wish(), payment_id=PAYMENT, options=options)
    assert {
        "provider": "pix",
        "reason": "is given no card in EUR by the route table 2026-11-01",
    } in refusal.value.extra["excluded"]
    assert routing.choose(wanted="pix", wish=wish(), payment_id=PAYMENT, options=options).provider == "pix"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("version = ", "it is not TOML"),
        ('version = "1"', r"it has no \[\[routes\]\]"),
        ("version = 1", "version must be a text"),
        (TABLE.replace('version = "2026-11-01"', 'version = "built-in"'), "version must be a text"),
        (TABLE.replace('provider = "stripe"', 'provider = "strype"'), "route 2: there is no provider 'strype'; known"),
        (TABLE.replace('["card"]', '["cash"]', 1), "route 1: there is no method 'cash'; use card"),
        (TABLE.replace('["card"]', "[]", 1), "route 1: methods must be a list of texts"),
        (TABLE.replace('["EUR"]', '["XXX"]'), "route 1: 'XXX' is not an ISO 4217 code"),
        (TABLE.replace("weight = 30", "weight = 0"), "route 2: weight must be a whole number from 1, not 0"),
        (TABLE.replace("priority = 2", "priority = true"), "route 3: priority must be a whole number from 1, not True"),
        (TABLE.replace("weight = 30", "wieght = 30"), "route 2: 'wieght' means nothing there; use currencies"),
        (TABLE.replace("least = 100", "least = 600000"), "limit 1: least 600000 is more than most 500000"),
        (TABLE.replace('currency = "EUR"', 'currency = "euro"'), "limit 1: currency must be an ISO 4217 code"),
        (TABLE.replace("least = 100\nmost = 500000", ""), "limit 1: say least or most, in minor units"),
        (TABLE + TABLE[TABLE.index("[[limits]]") :], "limit 2: adyen has a limit in EUR already"),
        (TABLE.replace("[[limits]]", "[limits]"), r"write limits as \[\[limits\]\] tables"),
    ],
)
def test_a_table_that_cannot_be_used_says_where_and_why(text: str, sentence: str) -> None:
    with pytest.raises(BadRoutes, match=sentence):
        table(text)


def test_no_process_starts_with_a_bad_table(settings: Any, tmp_path: Path) -> None:
    config = PaymentsConfig.create("paymentops.payments")
    settings.ROUTES_FILE = str(tmp_path / "absent.toml")
    with pytest.raises(ImproperlyConfigured, match=r"PAYMENTOPS_ROUTES_FILE names .* cannot be read"):
        config.ready()
    path = tmp_path / "routes.toml"
    path.write_text('version = "1"')
    settings.ROUTES_FILE = str(path)
    with pytest.raises(ImproperlyConfigured, match=r"routes.toml cannot be used: it has no \[\[routes\]\]"):
        config.ready()


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
    assert problem["excluded"] == [{"provider": "pix", "reason": "cannot hold an amount and capture it later"}]
    accepted = api.post("payments", body | {"capture": "automatic"}, key="order-10293-attempt-1")
    assert accepted.status_code == 201


@pytest.mark.django_db
def test_a_payment_keeps_the_table_and_the_reason_it_was_routed_by(api: Api, settings: Any, tmp_path: Path) -> None:
    path = tmp_path / "routes.toml"
    path.write_text(TABLE + '\n[[limits]]\nprovider = "sandbox"\ncurrency = "EUR"\nmost = 20000\n')
    settings.ROUTES_FILE = str(path)
    body = {name: value for name, value in payment_body().items() if name != "provider"}
    made = json.loads(api.post("payments", body, key="order-10293-attempt-1").content)
    assert made["provider"] == "sandbox"
    assert stored(made["id"]).route == {"table": "2026-11-01", "reason": "the only one that can take it"}
    refused = api.post("payments", body | {"amount": 20001}, key="order-10293-attempt-2")
    problem = json.loads(refused.content)
    assert (refused.status_code, problem["code"]) == (422, "payment.no_route")
    assert {"provider": "sandbox", "reason": "takes 200.00 EUR at most"} in problem["excluded"]
