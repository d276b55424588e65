"""Charges that may be one and the same under different keys: seen, told, refused or let pass, as a client wants it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.access.models import ApiClient, AuditEntry, DuplicatePolicy
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError, InvalidInput
from paymentops.core.money import Money
from paymentops.events.models import OutboxEvent
from paymentops.idempotency.models import IdempotencyKey
from paymentops.incidents import rules
from paymentops.payments.commands import CreatePayment
from paymentops.payments.likeness import Watch
from paymentops.payments.models import DuplicateGroup, Payment
from paymentops.payments.operations import accepting, duplicates
from paymentops.payments.operations.accepting import Accepted, Keyed
from paymentops.payments.states import CaptureMode
from paymentops.providers.contract import Method, RetryClass
from tests.payments.conftest import Api, make_api, payment_body
from tests.payments.hands import Hands, fresh

pytestmark = pytest.mark.django_db
BY = Actor.command("test")


def policy(client_id: Any, wanted: str, window: int | None = None) -> None:
    access.set_duplicate_policy(
        client_id=client_id, policy=wanted, window_seconds=window, reason="agreed", by=BY, now=clock.now()
    )


def groups(cause: str = "SUSPECTED") -> list[DuplicateGroup]:
    duplicates.find(now=clock.now() + timedelta(seconds=1))
    return list(DuplicateGroup.objects.filter(cause=cause).with_risk())


@pytest.fixture
def refusing(api: Api) -> Api:
    policy(api.client_id, "refuse")
    return api


# --- refuse ------------------------------------------------------------------------------------------------------


def test_a_second_key_for_the_same_order_is_refused_and_leaves_no_key_behind(refusing: Api) -> None:
    first = refusing.pay(key="order-10293-first-key")
    response = refusing.post("payments", payment_body(), key="order-10293-second-key")
    assert response.status_code == 409
    told = response.json()
    assert (told["code"], told["payment"]) == ("payment.possible_duplicate", first["id"])
    assert "distinct_from" in told["detail"]
    assert not IdempotencyKey.objects.filter(key="order-10293-second-key").exists()
    assert Payment.objects.count() == 1
    # The key is free for a corrected request.
    assert refusing.post("payments", payment_body(reference="order-2"), key="order-10293-second-key").status_code == 201


def test_two_equal_payments_that_are_both_wanted_go_through_once_the_earlier_is_named(refusing: Api) -> None:
    """midaz#709, #1436: two legitimate equal requests blocked each other."""
    first = refusing.pay(key="order-10293-first-key")
    second = refusing.pay(key="order-10293-second-key", distinct_from=first["id"])
    assert second["id"] != first["id"]
    # Each further one names the newest; two at once cannot both name the same.
    refused = refusing.post("payments", payment_body(distinct_from=first["id"]), key="order-10293-third-key")
    assert refused.json()["payment"] == second["id"]
    replay = refusing.post("payments", payment_body(), key="order-10293-second-key")
    assert (replay.status_code, replay.headers["Idempotent-Replayed"]) == (201, "true")
    [group] = groups()
    assert (group.count, group.refused, group.at_risk) == (3, 1, 0)


def test_a_retry_under_its_own_key_is_a_replay_and_never_a_duplicate_of_itself(refusing: Api) -> None:
    first = refusing.pay(key="order-10293-first-key")
    assert refusing.pay(key="order-10293-first-key") == first
    other = refusing.post("payments", payment_body(amount=1), key="order-10293-first-key")
    assert other.json()["code"] == "idempotency.key_reused"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"reference": "order-2"}, 409),  # the same payer
        ({"customer_reference": "cust-2"}, 409),  # the same order
        ({"reference": "order-2", "customer_reference": "cust-2"}, 201),
        ({"reference": "order-2", "customer_reference": None}, 201),
        ({"amount": 12991}, 201),
        ({"currency": "USD"}, 201),
        ({"metadata": {"basket": "B-2"}, "payment_token": "tok_declined_fraud"}, 409),
    ],
)
def test_alike_are_payments_of_one_payer_or_order_with_one_amount(refusing: Api, change: Any, status: int) -> None:
    refusing.pay(key="order-10293-first-key", customer_reference="cust-77")
    body = payment_body(**{"customer_reference": "cust-77", **change})
    assert refusing.post("payments", body, key="order-10293-second-key").status_code == status


def test_what_another_client_did_does_not_count(refusing: Api) -> None:
    refusing.pay(key="order-10293-first-key")
    other = make_api("other shop")
    policy(other.client_id, "refuse")
    other.pay(key="order-10293-second-key")


def test_what_moved_no_money_may_be_tried_again_at_once(refusing: Api) -> None:
    hands = Hands(requester=accepting.Requester(client_id=refusing.client_id, api_key_prefix="test"))
    payment = hands.pay(amount=12990)
    hands.send(hands.declined(RetryClass.HARD_DECLINE, "stolen_card"))
    assert fresh(payment).state == "FAILED"
    refusing.pay(key="order-10293-second-key")


def test_the_window_ends_the_likeness(hands: Hands) -> None:
    watch = Watch(DuplicatePolicy.REFUSE, timedelta(seconds=60))
    hands.requester = replace(hands.requester, watch=watch)
    hands.pay()
    hands.wait(59)
    with pytest.raises(duplicates.PossibleDuplicate):
        hands.pay()
    hands.wait(2)
    hands.pay()


def test_a_batch_counts_among_itself_and_a_bad_item_fails_no_other(refusing: Api) -> None:
    items = [
        {"idempotency_key": "batch-order-key-000001", **payment_body()},
        {"idempotency_key": "batch-order-key-000002", **payment_body()},
        {"idempotency_key": "batch-order-key-000002", **payment_body()},
        {"idempotency_key": "batch-order-key-000001", **payment_body()},
        {"idempotency_key": "batch-order-key-000003", **payment_body(reference="order-3")},
        {"idempotency_key": "batch-order-key-000004", **payment_body(distinct_from="pay_nonsense")},
    ]
    results = refusing.post("payments/batch", {"payments": items}).json()["results"]
    assert [result["status"] for result in results] == [201, 409, 409, 201, 201, 400]
    assert results[1]["body"]["payment"] == results[0]["body"]["id"] == results[3]["body"]["id"]


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_exactly_one_is_accepted() -> None:
    api = make_api("shop")
    policy(api.client_id, "refuse")
    requester = accepting.Requester(
        client_id=api.client_id, api_key_prefix="test", watch=Watch(DuplicatePolicy.REFUSE, timedelta(minutes=10))
    )
    command = CreatePayment(
        amount=Money(12990, "EUR"), method=Method.CARD, payment_token="tok_approved", reference="order-1",
        customer_reference="cust-1", capture=CaptureMode.AUTOMATIC, provider="sandbox", metadata={},
    )  # fmt: skip

    def ask(number: int) -> Accepted | ApplicationError:
        try:
            item = Keyed(key=f"one-of-many-{number:08d}", command=command)
            return accepting.create_payment(requester=requester, item=item, now=clock.now())
        except ApplicationError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    [accepted] = [answer for answer in answers if isinstance(answer, Accepted)]
    assert {answer.code for answer in answers if isinstance(answer, ApplicationError)} == {"payment.possible_duplicate"}
    assert Payment.objects.get().pk == accepted.resource_id
    assert IdempotencyKey.objects.count() == 1
    assert DuplicateGroup.objects.get().refused == 7


# --- observe and flag --------------------------------------------------------------------------------------------


def test_observed_duplicates_are_accepted_silently_and_found_afterwards(api: Api) -> None:
    """midaz#709, #1436: nothing is blocked, and no request pays for looking."""
    first = api.pay(key="order-10293-first-key")
    response = api.post("payments", payment_body(), key="order-10293-second-key")
    assert response.status_code == 201
    assert "PaymentOps-Possible-Duplicate" not in response.headers
    [group] = groups()
    assert (group.count, group.refused, group.amount, group.currency, group.at_risk) == (2, 0, 12990, "EUR", 12990)
    assert first["id"] in {member.payment.public_id for member in group.members.all()}
    # Looking again finds the same.
    assert [(again.pk, again.count) for again in groups()] == [(group.pk, 2)]


def test_observing_costs_acceptance_no_query(api: Api, django_assert_num_queries: Any) -> None:
    api.pay(key="order-10293-first-key")
    # What accepts a payment are prepared statements of its own connection; looking for others would be counted.
    with django_assert_num_queries(0):
        api.pay(key="order-10293-second-key")


def test_a_flagged_duplicate_is_accepted_with_a_warning_and_found_afterwards(api: Api) -> None:
    policy(api.client_id, "flag")
    first = api.post("payments", payment_body(), key="order-10293-first-key")
    assert "PaymentOps-Possible-Duplicate" not in first.headers
    second = api.post("payments", payment_body(), key="order-10293-second-key")
    assert (second.status_code, second.headers["PaymentOps-Possible-Duplicate"]) == (201, first.json()["id"])
    batch = {"payments": [{"idempotency_key": "batch-order-key-000001", **payment_body()}]}
    [result] = api.post("payments/batch", batch).json()["results"]
    assert result["possible_duplicate"] == second.json()["id"]
    [group] = groups()
    assert (group.count, group.at_risk) == (3, 2 * 12990)


def test_later_ones_join_the_group_and_a_failed_one_is_no_risk(hands: Hands) -> None:
    one, two = hands.sale(), hands.pay()
    hands.send(hands.declined())
    hands.wait(1)
    three = hands.pay()
    duplicates.find(now=hands.now + timedelta(seconds=1))
    [group] = DuplicateGroup.objects.with_risk()
    assert {member.payment_id for member in group.members.all()} == {one.pk, two.pk, three.pk}
    assert group.at_risk == 10000


def test_each_client_has_a_window_of_its_own(hands: Hands, settings: Any) -> None:
    settings.DUPLICATE_WINDOW_SECONDS = 60
    hands.pay()
    hands.wait(90)
    hands.pay()
    duplicates.find(now=hands.now + timedelta(seconds=1))
    assert not DuplicateGroup.objects.exists()
    policy(hands.requester.client_id, "observe", window=120)
    hands.wait(1)
    duplicates.find(now=hands.now)
    assert DuplicateGroup.objects.count() == 1


# --- by key, and at the provider ---------------------------------------------------------------------------------


def test_uses_of_a_key_are_grouped_by_what_became_of_them(api: Api) -> None:
    payment = api.pay(key="order-10293-first-key")
    for _ in range(3):
        api.pay(key="order-10293-first-key")
    for amount in (1, 2):
        api.post("payments", payment_body(amount=amount, metadata={"a": "b"}), key="order-10293-first-key")
    [replayed] = groups("KEY_REPLAYED")
    assert (replayed.count, replayed.refused, replayed.at_risk, replayed.key) == (3, 0, 0, "order-10293-first-key")
    [reused] = groups("KEY_REUSED")
    assert (reused.count, reused.refused, reused.fields) == (2, 2, ["amount", "metadata"])
    assert reused.members.get().payment.public_id == payment["id"]


def test_a_second_charge_at_the_provider_is_grouped_and_told_once(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    twice = replace(hands.sold(), detail={"duplicates": ["ch_2"]})
    hands.ask(twice)
    assert fresh(payment).captured == 10000
    for event in ("evt_1", "evt_2"):
        attempt = payment.attempts.get()
        hands.notify(attempt, replace(hands.sold(), provider_reference="ch_2"), event=event)
    [group] = DuplicateGroup.objects.filter(cause="PROVIDER").with_risk()
    assert (group.count, group.at_risk) == (2, 10000)
    assert {member.provider_reference for member in group.members.all()} == {"ch_1", "ch_2"}
    [told] = OutboxEvent.objects.filter(type="payment.duplicate_at_provider")
    assert told.data["provider_reference"] == "ch_2"
    assert rules.DUPLICATE_AT_PROVIDER.severity == "SEV1"


# --- the API -----------------------------------------------------------------------------------------------------


def test_a_service_reads_its_own_groups_and_nobody_elses(api: Api) -> None:
    made = [api.pay(key=f"order-10293-key-{number}-of-many")["id"] for number in range(2)]
    api.pay(key="order-10293-key-0-of-many")
    groups()
    body = api.get("duplicates", cause="SUSPECTED", open="true").json()
    [group] = body["results"]
    assert (group["at_risk"], group["currency"], group["count"]) == (12990, "EUR", 2)
    assert sorted(group["payments"]) == sorted(made)
    assert len(api.get("duplicates").json()["results"]) == 2
    assert make_api("other shop").get("duplicates").json()["results"] == []
    assert api.get("duplicates", cause="NONSENSE").status_code == 400
    assert make_api("writer", ["payments:write"]).get("duplicates").status_code == 403


# --- people ------------------------------------------------------------------------------------------------------


def test_a_policy_is_changed_with_a_reason_and_leaves_its_audit_row(api: Api) -> None:
    policy(api.client_id, "flag", window=30)
    row = AuditEntry.objects.get(action="api_client.set_duplicate_policy")
    assert (row.before, row.after) == (
        {"policy": "observe", "window_seconds": None},
        {"policy": "flag", "window_seconds": 30},
    )
    for wrong in ({"policy": "maybe"}, {"window_seconds": 0}, {"reason": " "}):
        values = {"policy": "flag", "window_seconds": None, "reason": "x"} | wrong
        with pytest.raises(InvalidInput):
            access.set_duplicate_policy(client_id=api.client_id, by=BY, now=clock.now(), **values)
    assert ApiClient.objects.get(pk=api.client_id).duplicate_policy == "flag"


def test_a_dismissed_group_rests_until_it_is_seen_again(api: Api, work: Callable[[], int]) -> None:
    for number in range(2):
        api.pay(key=f"order-10293-key-{number}-of-many")
    [group] = groups()
    duplicates.dismiss(group_id=group.pk, reason="two tickets", by=BY, now=clock.now())
    assert [g.at_risk for g in groups()] == [0]
    assert AuditEntry.objects.get(action="duplicates.dismiss").object_id == ids.public(ids.Prefix.DUPLICATES, group.pk)
    api.pay(key="order-10293-key-3-of-many")
    [again] = groups()
    assert (again.dismissed_at, again.at_risk) == (None, 2 * 12990)
