"""Whole stories at the sandbox: every token, from the HTTP door through worker and provider into the books.

The clock is passed in and moved on by hand; only the sandbox's network faults cost real time, and little of it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from paymentops.core import clock
from paymentops.payments.models import Attempt
from paymentops.payments.operations import working
from paymentops.providers.sandbox.tokens import ASKS_THE_PAYER, TOKENS, Decision, Kind
from tests.payments.conftest import Api, stored
from tests.plugins.sandbox import SandboxServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("verified")]

KEY = "order-10293-attempt-1"


class Clock:
    """A clock that the test moves on."""

    def __init__(self) -> None:
        self.now = clock.now()

    def __call__(self) -> datetime:
        self.now = max(self.now, clock.now())
        return self.now

    def wait(self, seconds: float) -> None:
        self.now = self() + timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def short(settings: Any, provider: SandboxServer) -> SandboxServer:
    """Keep what a fault costs in real time small."""
    settings.SANDBOX_TIMEOUT_SECONDS = 0.4
    provider.set_faults(slow_seconds=0.05, late_effect_seconds=0.5, pending_seconds=0.0, webhook_late_seconds=0.0)
    return provider


@pytest.fixture
def work() -> Callable[[], None]:
    """Work off what is due, and what becomes due within a simulated quarter of an hour."""
    simulated = Clock()

    def run() -> None:
        for _ in range(40):
            working.work_off(limit=20, clock=simulated)
            due = Attempt.objects.open().order_by("next_action_at").values_list("next_action_at", flat=True).first()
            if due is None or due > simulated() + timedelta(minutes=15):
                return
            simulated.wait(max(0.0, (due - simulated()).total_seconds()))

    return run


CHARGED = [
    name
    for name, token in TOKENS.items()
    if token.decision not in ASKS_THE_PAYER
    and (token.decision in (Decision.APPROVE, Decision.PENDING) or token.strikes is not Kind.CHARGE)
]
DECLINED = [name for name, token in TOKENS.items() if token.decision in (Decision.DECLINE, Decision.INVALID)]


@pytest.mark.parametrize("token", CHARGED)
def test_a_payment_that_the_provider_takes_is_captured_once(api: Api, provider: SandboxServer, work, token) -> None:
    created = api.pay(key=KEY, payment_token=token)
    work()
    payment = api.payment(created["id"])
    assert (payment["state"], payment["amounts"]["captured"]) == ("CAPTURED", 12990)
    charges = [charge for charge in provider.truth() if charge["captured"]]
    assert [charge["captured"] for charge in charges] == [12990]
    assert set(charges[0]["effects"].values()) == {1}


@pytest.mark.parametrize("token", [name for name in DECLINED if TOKENS[name].strikes is Kind.CHARGE])
def test_a_payment_that_the_provider_refuses_fails_without_a_charge(api: Api, provider, work, token) -> None:
    created = api.pay(key=KEY, payment_token=token)
    work()
    payment = api.payment(created["id"])
    assert payment["state"] == "FAILED"
    assert payment["failure"]["code"] == TOKENS[token].code
    assert not any(charge["authorized"] for charge in provider.truth())


def test_half_of_the_amount_is_approved(api: Api, provider: SandboxServer, work) -> None:
    created = api.pay(key=KEY, payment_token="tok_partial_approval")
    work()
    assert api.payment(created["id"])["amounts"]["captured"] == 6495
    assert provider.truth()[0]["captured"] == 6495


@pytest.mark.parametrize(("result", "state"), [("approve", "CAPTURED"), ("decline", "FAILED")])
def test_the_payer_decides_on_the_page_of_the_bank(api: Api, work, result, state) -> None:
    created = api.pay(key=KEY, payment_token="tok_requires_action")
    work()
    waiting = api.payment(created["id"])
    assert waiting["state"] == "REQUIRES_ACTION"
    httpx.post(f"{waiting['next_action']['url']}?result={result}", trust_env=False)
    Attempt.objects.update(next_action_at=clock.now())
    work()
    assert api.payment(created["id"])["state"] == state


@pytest.mark.parametrize(
    ("token", "captured"),
    [("tok_approved", 5000), ("tok_capture_timeout_after_effect", 5000), ("tok_capture_declined", 0)],
)
def test_a_capture_of_a_part_agrees_with_the_provider(api: Api, provider, work, token, captured) -> None:
    created = api.pay(key=KEY, payment_token=token, capture="manual")
    work()
    assert api.post(f"payments/{created['id']}/captures", {"amount": 5000}, key="capture-one-10293").status_code == 201
    work()
    assert api.payment(created["id"])["amounts"]["captured"] == captured
    assert [charge["captured"] for charge in provider.truth()] == [captured]


@pytest.mark.parametrize("token", ["tok_approved", "tok_void_timeout_after_effect"])
def test_a_cancelled_hold_is_released_at_the_provider(api: Api, provider: SandboxServer, work, token) -> None:
    created = api.pay(key=KEY, payment_token=token, capture="manual")
    work()
    assert api.post(f"payments/{created['id']}/cancel", key="cancel-one-10293").json()["mode"] == "VOID"
    work()
    assert api.payment(created["id"])["state"] == "VOIDED"
    assert [charge["voided"] for charge in provider.truth()] == [12990]


@pytest.mark.parametrize(
    ("token", "refunded"),
    [
        ("tok_approved", 2990),
        ("tok_refund_timeout_before_effect", 2990),
        ("tok_refund_timeout_after_effect", 2990),
        ("tok_refund_pending", 2990),
        ("tok_refund_declined", 0),
    ],
)
def test_a_refund_agrees_with_the_provider(api: Api, provider, work, token, refunded) -> None:
    created = api.pay(key=KEY, payment_token=token)
    work()
    made = api.post(f"payments/{created['id']}/refunds", {"amount": 2990}, key="refund-one-10293").json()
    work()
    assert api.get(f"refunds/{made['id']}").json()["state"] == ("SUCCEEDED" if refunded else "FAILED")
    assert api.payment(created["id"])["amounts"]["refunded"] == refunded
    assert [charge["refunded"] for charge in provider.truth()] == [refunded]
    assert stored(created["id"]).refundable == 12990 - refunded


def test_a_provider_that_cannot_be_reached_is_tried_again_under_the_same_key(
    api: Api, provider, work, settings
) -> None:
    url, settings.SANDBOX_URL = settings.SANDBOX_URL, "http://127.0.0.1:1"
    created = api.pay(key=KEY)
    working.work_off(limit=5, clock=clock.now)
    attempt = Attempt.objects.get()
    assert (attempt.state, attempt.was_unknown) == ("PREPARED", False)
    settings.SANDBOX_URL = url
    work()
    assert api.payment(created["id"])["state"] == "CAPTURED"
    assert [operation["key"] for operation in provider.truth()[0]["operations"]] == [attempt.provider_key]


def test_a_failed_attempt_never_gets_a_second_key(api: Api, provider: SandboxServer, work) -> None:
    """medusa#16293: the failed row was deleted and a new id used as provider key: a second charge."""
    api.pay(key=KEY, payment_token="tok_timeout_before_effect")
    work()
    keys = {operation["key"] for charge in provider.truth() for operation in charge["operations"]}
    assert keys == {Attempt.objects.get().provider_key}
