"""A payment request, from the HTTP door over the worker and the provider into the ledger."""

import json

import pytest

from paymentops.events.models import OutboxEvent
from paymentops.payments.models import Attempt
from tests.payments.conftest import payment_body, stored

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_sale_is_accepted_sent_posted_and_told(api, provider, work):
    created = api.pay(key="order-10293-attempt-1")
    assert created["state"] == "CREATED"
    assert created["amounts"] == {"authorized": 0, "captured": 0, "voided": 0, "refunded": 0, "disputed": 0}

    assert work() == 1

    paid = api.payment(created["id"])
    assert paid["state"] == "CAPTURED"
    assert paid["amounts"]["captured"] == 12990
    [charge] = provider.truth()
    assert charge["captured"] == 12990
    types = list(OutboxEvent.objects.order_by("sequence").values_list("type", flat=True))
    assert types == ["payment.created", "payment.processing", "payment.captured"]


def test_a_retry_is_answered_byte_for_byte_and_charges_once(api, provider, work):
    first = api.post("payments", payment_body(), key="order-10293-attempt-1")
    work()
    again = api.post("payments", payment_body(), key='"order-10293-attempt-1"')

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    work()
    assert len(provider.truth()) == 1


def test_a_key_used_for_another_command_is_refused_naming_the_fields(api):
    first = api.pay(key="order-10293-attempt-1")
    refused = api.post("payments", payment_body(amount=1, reference="x"), key="order-10293-attempt-1")

    problem = json.loads(refused.content)
    assert refused.status_code == 422
    assert problem["code"] == "idempotency.key_reused"
    assert problem["fields"] == ["amount", "reference"]
    assert problem["resource"] == first["id"]
    assert "12990" not in refused.content.decode()


@pytest.mark.parametrize(
    ("token", "state"),
    [
        ("tok_declined_lost_card", "FAILED"),
        ("tok_requires_action", "REQUIRES_ACTION"),
        ("tok_partial_approval", "CAPTURED"),
        ("tok_error_after_effect", "UNKNOWN_OUTCOME"),
        ("tok_pending", "PROCESSING"),
    ],
)
def test_a_token_leads_to_its_state(api, provider, work, token, state):
    created = api.pay(key="order-10293-attempt-1", payment_token=token)
    work()
    assert api.payment(created["id"])["state"] == state


def test_an_unknown_outcome_is_asked_about_and_found(api, provider, work, settings):
    settings.SANDBOX_INQUIRY_SECONDS = [0]
    created = api.pay(key="order-10293-attempt-1", payment_token="tok_error_after_effect")
    work()
    assert api.payment(created["id"])["state"] == "CAPTURED"
    [charge] = provider.truth()
    assert charge["captured"] == 12990
    assert Attempt.objects.get().dispatches == 1


def test_a_hold_is_captured_in_parts_and_the_rest_released(api, provider, work):
    created = api.pay(key="order-10293-attempt-1", capture="manual")
    work()
    assert api.payment(created["id"])["state"] == "AUTHORIZED"

    part = api.post(f"payments/{created['id']}/captures", {"amount": 5000}, key="capture-one-10293")
    assert part.status_code == 201, part.content
    work()
    assert api.payment(created["id"])["state"] == "PARTIALLY_CAPTURED"

    cancel = api.post(f"payments/{created['id']}/cancel", key="cancel-rest-10293")
    assert cancel.status_code == 201, cancel.content
    work()
    done = api.payment(created["id"])
    assert done["state"] == "CAPTURED"
    assert done["amounts"] == {
        "authorized": 12990,
        "captured": 5000,
        "voided": 7990,
        "refunded": 0,
        "disputed": 0,
        "reversed": 0,
    }


def test_a_hold_is_captured_in_as_many_parts_as_fit(api, provider, work):
    created = api.pay(key="order-10293-attempt-1", capture="manual")
    work()
    path = f"payments/{created['id']}/captures"
    for number, amount in enumerate((5000, 4000, 3990)):
        assert api.post(path, {"amount": amount}, key=f"capture-10293-part-{number}").status_code == 201
        work()
    done = api.payment(created["id"])
    assert (done["state"], done["amounts"]["captured"]) == ("CAPTURED", 12990)
    assert api.post(path, {"amount": 1}, key="capture-over-10293").json()["code"] == "payment.not_capturable"
    captures = api.get(f"payments/{created['id']}").json()["captures"]
    assert [(one["amount"], one["state"]) for one in captures] == [(n, "SUCCEEDED") for n in (5000, 4000, 3990)]
    [charge] = provider.truth()
    assert (charge["captured"], charge["voided"]) == (12990, 0)


def test_a_refund_gives_money_back_and_more_than_was_captured_is_refused(api, provider, work):
    created = api.pay(key="order-10293-attempt-1")
    work()
    refund = api.post(
        f"payments/{created['id']}/refunds", {"amount": 2990, "reason": "damaged"}, key="refund-one-10293"
    )
    assert refund.status_code == 201, refund.content
    over = api.post(f"payments/{created['id']}/refunds", {"amount": 10001}, key="refund-two-10293")
    assert (over.status_code, over.json()["code"]) == (409, "payment.not_refundable")
    work()
    assert api.get(f"refunds/{refund.json()['id']}").json()["state"] == "SUCCEEDED"
    assert api.payment(created["id"])["amounts"]["refunded"] == 2990
    assert stored(created["id"]).refundable == 10000
