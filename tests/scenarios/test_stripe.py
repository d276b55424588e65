"""A payment through the official Stripe library, against a server that ignores keys and accepts over-refunds."""

from collections.abc import Callable

import pytest
from django.core.management import call_command

from paymentops.core import clock
from paymentops.payments.models import Attempt
from tests.payments.conftest import Api, api, work
from tests.plugins.localstripe import StripeServer, stripe_server
from tests.plugins.processes import free_port

__all__ = ["api", "stripe_server", "work"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stripe(stripe_server: StripeServer, settings) -> StripeServer:
    settings.STRIPE_API_BASE = stripe_server.url
    settings.STRIPE_API_KEY = stripe_server.api_key
    return stripe_server


def pay(api: Api, *, card: str = "pm_card_visa", **changes) -> dict:
    return api.pay(key="order-10293-attempt-1", provider="stripe", payment_token=card, **changes)


def charged_by_stripe(stripe: StripeServer, payment: str) -> list[dict]:
    intents = stripe.get("/v1/payment_intents", limit=100)["data"]
    return [intent for intent in intents if intent["metadata"].get("paymentops_reference") == payment]


def verify() -> None:
    call_command("verify", "--json")


def test_a_sale_is_charged_once_however_often_it_is_sent(api: Api, stripe: StripeServer, work: Callable[[], int]):
    created = pay(api)
    work()
    again = pay(api)
    work()
    assert again["id"] == created["id"]

    assert api.payment(created["id"])["state"] == "CAPTURED"
    [intent] = charged_by_stripe(stripe, created["id"])
    assert (intent["status"], intent["amount"]) == ("succeeded", 12990)
    verify()


def test_a_decline_fails_the_payment(api: Api, stripe: StripeServer, work: Callable[[], int]):
    created = pay(api, card="pm_card_chargeCustomerFail")
    work()
    for _ in range(5):
        # A soft decline may be tried again later, by the policy; the days until then are over.
        Attempt.objects.open().update(next_action_at=clock.now())
        work()
    failed = api.payment(created["id"])
    assert failed["state"] == "FAILED"
    assert failed["failure"]["class"] == "ISSUER_DECLINE"
    verify()


def test_a_part_of_a_hold_is_captured_and_the_rest_is_released(api: Api, stripe: StripeServer, work: Callable[[], int]):
    created = pay(api, capture="manual")
    work()
    assert api.payment(created["id"])["state"] == "AUTHORIZED"
    taken = api.post(f"payments/{created['id']}/captures", {"amount": 9000}, key="capture-10293-part")
    assert taken.status_code == 201, taken.content
    work()

    done = api.payment(created["id"])
    assert done["state"] == "CAPTURED"
    assert done["amounts"] == {
        "authorized": 12990,
        "captured": 9000,
        "voided": 3990,
        "refunded": 0,
        "disputed": 0,
        "reversed": 0,
    }
    verify()


def test_a_hold_is_cancelled(api: Api, stripe: StripeServer, work: Callable[[], int]):
    created = pay(api, capture="manual")
    work()
    assert api.post(f"payments/{created['id']}/cancel", key="cancel-10293-now").status_code == 201
    work()
    assert api.payment(created["id"])["state"] == "VOIDED"
    [intent] = charged_by_stripe(stripe, created["id"])
    assert intent["status"] == "canceled"
    verify()


def test_refunds_stop_at_what_was_captured_although_the_provider_would_go_on(
    api: Api, stripe: StripeServer, work: Callable[[], int]
):
    created = pay(api)
    work()
    path = f"payments/{created['id']}/refunds"
    first = api.post(path, {"amount": 10000}, key="refund-10293-first")
    over = api.post(path, {"amount": 10000}, key="refund-10293-second")
    work()

    assert (first.status_code, over.status_code) == (201, 409)
    assert api.get(f"refunds/{first.json()['id']}").json()["state"] == "SUCCEEDED"
    assert api.payment(created["id"])["amounts"]["refunded"] == 10000
    verify()


def test_an_attempt_that_could_not_leave_is_put_off_and_charges_nothing(
    api: Api, stripe: StripeServer, work: Callable[[], int], settings
):
    created = pay(api)
    settings.STRIPE_API_BASE = f"http://127.0.0.1:{free_port()}"
    work()
    assert api.payment(created["id"])["state"] == "PROCESSING"
    assert charged_by_stripe(stripe, created["id"]) == []
    verify()


def test_a_payer_who_passed_at_stripe_has_paid_when_asked(api: Api, stripe: StripeServer, work: Callable[[], int]):
    created = pay(api, card=stripe.card("4000002500003155"))
    work()
    assert api.payment(created["id"])["state"] == "REQUIRES_ACTION"
    [intent] = charged_by_stripe(stripe, created["id"])
    passed = {"client_secret": intent["client_secret"], "success": "true"}
    stripe.post(f"/v1/payment_intents/{intent['id']}/_authenticate", passed)
    resumed = api.post(f"payments/{created['id']}/resume", key="order-10293-resume-1")
    assert resumed.json()["mode"] == "INQUIRY"
    work()
    assert api.payment(created["id"])["state"] == "CAPTURED"
    verify()


@pytest.mark.parametrize(("passes", "ends"), [(False, ("CANCELED", "canceled")), (True, ("CAPTURED", "succeeded"))])
def test_a_payment_that_waits_is_cancelled_at_stripe_unless_it_was_paid(
    api: Api, stripe: StripeServer, work: Callable[[], int], passes: bool, ends: tuple[str, str]
):
    created = pay(api, card=stripe.card("4000002500003155"))
    work()
    [intent] = charged_by_stripe(stripe, created["id"])
    if passes:
        passed = {"client_secret": intent["client_secret"], "success": "true"}
        stripe.post(f"/v1/payment_intents/{intent['id']}/_authenticate", passed)
    assert api.post(f"payments/{created['id']}/cancel", key="cancel-10293-now").status_code == 202
    work()
    [intent] = charged_by_stripe(stripe, created["id"])
    assert (api.payment(created["id"])["state"], intent["status"]) == ends
    verify()
