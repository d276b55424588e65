"""A payment's story: complete, in order, and as many queries for a long one as for a short one."""

import json

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.core import clock
from paymentops.payments import timeline
from paymentops.payments.models import PaymentTransition
from paymentops.payments.timeline import Lane
from tests.payments.conftest import make_api, payment_body, stored

pytestmark = pytest.mark.django_db(transaction=True)


def told(api, public_id: str) -> list[dict]:
    answer = api.get(f"payments/{public_id}/timeline")
    assert answer.status_code == 200, answer.content
    return answer.json()["moments"]


def eventful(api, work) -> str:
    """A hold captured in two parts and refunded twice, with a replay and a refused reuse."""
    created = api.pay(key="order-10293-attempt-1", capture="manual", customer_reference="cust-77")
    api.pay(key="order-10293-attempt-1", capture="manual", customer_reference="cust-77")
    api.post("payments", payment_body(amount=1), key="order-10293-attempt-1")
    work()
    for number, amount in enumerate((5000, 7990), start=1):
        answer = api.post(f"payments/{created['id']}/captures", {"amount": amount}, key=f"capture-{number}-of-10293")
        assert answer.status_code == 201, answer.content
        work()
    for number, amount in enumerate((1000, 500), start=1):
        answer = api.post(f"payments/{created['id']}/refunds", {"amount": amount}, key=f"refund-{number}-of-10293")
        assert answer.status_code == 201, answer.content
        work()
    return created["id"]


def test_a_sale_is_told_from_the_request_to_the_events(api, provider, work):
    created = api.pay(key="order-10293-attempt-1")
    work()
    moments = told(api, created["id"])

    assert [(moment["lane"], moment["title"]) for moment in moments if moment["lane"] != "event"] == [
        ("request", "Payment requested"),
        ("attempt", "Authorisation: prepared"),
        ("state", "Payment: created"),
        ("attempt", "Authorisation: dispatched"),
        ("state", "Payment: processing"),
        ("provider", "Authorisation sent to sandbox: approved"),
        ("attempt", "Authorisation: succeeded"),
        ("state", "Payment: captured"),
        ("ledger", "Posted to the ledger"),
    ]
    assert [moment["title"] for moment in moments if moment["lane"] == "event"] == [
        "Event payment.created",
        "Event payment.processing",
        "Event payment.captured",
    ]
    request = moments[0]["facts"]
    assert (request["amount"], request["idempotency_key"]) == (
        {"minor": 12990, "currency": "EUR"},
        "order-10293-attempt-1",
    )
    assert moments == sorted(moments, key=lambda moment: moment["received_at"])
    lines = next(moment for moment in moments if moment["lane"] == "ledger")["facts"]["lines"]
    assert sorted(line["minor"] for line in lines) == [-12990, 12990]


def test_every_lane_of_an_eventful_payment_is_told(api, provider, work):
    titles = [moment["title"] for moment in told(api, eventful(api, work))]
    for title in (
        "Key used again: first answer replayed",
        "Key used again: refused, other command",
        "Held in the ledger",
        "Hold taken out of the ledger",
        "Capture requested",
        "Refund requested",
        "Refund: succeeded",
        "Refund sent to sandbox: approved",
    ):
        assert title in titles
    assert titles.count("Capture requested") == titles.count("Refund requested") == 2


def test_a_long_story_takes_as_many_queries_as_a_short_one(api, provider, work):
    short = api.pay(key="order-10294-attempt-1")["id"]
    work()
    long = eventful(api, work)

    def queries(public_id: str) -> int:
        payment = stored(public_id)
        with CaptureQueriesContext(connection) as captured:
            assert timeline.story(payment)
        return len(captured)

    assert queries(long) == queries(short) <= 17


def test_what_people_did_stays_among_people(api, provider, work):
    created = api.pay(key="order-10293-attempt-1")
    work()
    person = User.objects.create_user("somebody")
    with transaction.atomic():
        access.audit(
            action="payment.look", actor=Actor.person(person), object_type="payment", object_id=created["id"],
            reason="asked by the shop", now=clock.now(),
        )  # fmt: skip
    moments = timeline.story(stored(created["id"]))
    last = moments[-1]
    assert (last.lane, last.actor) == (Lane.PERSON, "somebody")

    text = json.dumps(told(api, created["id"]))
    assert "somebody" not in text
    assert "asked by the shop" not in text


def test_the_name_behind_a_move_is_not_told(api, provider, work):
    created = api.pay(key="order-10293-attempt-1")
    move = PaymentTransition(
        id=stored(created["id"]).id, payment=stored(created["id"]), sequence=9, from_state="CREATED",
        to_state="CANCELED", cause="person:1", actor="somebody", reason="a private word",
        occurred_at=clock.now(), recorded_at=clock.now(),
    )  # fmt: skip
    move.save(force_insert=True)
    cancelled = told(api, created["id"])[-1]
    assert (cancelled["title"], cancelled["actor"], cancelled["facts"]) == (
        "Payment: cancelled",
        "operator",
        {"from": "CREATED", "to": "CANCELED"},
    )


def test_neither_the_token_nor_the_customer_is_told(api, provider, work):
    public_id = eventful(api, work)
    everything = "".join(str((moment.facts, moment.raw)) for moment in timeline.story(stored(public_id)))
    for hidden in ("tok_approved", "cust-77"):
        assert hidden not in json.dumps(told(api, public_id))
        assert hidden not in everything


def test_another_client_finds_no_story(api):
    created = api.pay(key="order-10293-attempt-1")
    assert make_api("other").get(f"payments/{created['id']}/timeline").status_code == 404
    assert api.get("payments/nonsense/timeline").status_code == 404
    unscoped = make_api("writer", scopes=["payments:write"])
    assert unscoped.get(f"payments/{created['id']}/timeline").status_code == 403
