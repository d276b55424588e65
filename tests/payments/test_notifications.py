"""Notifications through the HTTP door: genuine ones count once and in any order, others change nothing."""

import json
import time
from typing import Any

import pytest
from django.test import Client

from paymentops.core import ids
from paymentops.payments.models import Attempt, InboundNotification, Payment, WebhookDelivery
from paymentops.providers.sandbox.notices import signature
from tests.payments.hands import Hands, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]

SECRET = "sandbox-secret-for-tests"


@pytest.fixture(autouse=True)
def secrets(settings: Any) -> None:
    settings.SANDBOX_WEBHOOK_SECRETS = [SECRET, "the-secret-before"]


def document(payment: Payment, *, status: str = "succeeded", event: str = "evt_1", **changes: Any) -> bytes:
    """Write what the sandbox tells of the payment's charge."""
    attempt = payment.attempts.get(operation="AUTHORIZE")
    operation = {
        "object": "operation",
        "id": "op_1",
        "kind": "charge",
        "key": attempt.provider_key,
        "reference": payment.public_id,
        "charge": "ch_1",
        "status": status,
        "amount": payment.requested,
        "captured": payment.requested if status == "succeeded" else 0,
        "currency": payment.currency,
        "code": None if status == "succeeded" else "insufficient_funds",
        "action": None,
        "hold_expires_at": None,
        "occurred_at": payment.created_at.isoformat(),
    } | changes
    kind = f"charge.{status}"
    return json.dumps({"id": event, "type": kind, "created_at": operation["occurred_at"], "data": operation}).encode()


def deliver(body: bytes, *, secret: str = SECRET, at: float | None = None, provider: str = "sandbox", **headers: str):
    timestamp = str(int(at if at is not None else time.time()))
    signed = signature(secret=secret, timestamp=timestamp, body=body)
    return Client(raise_request_exception=False).post(
        f"/api/v1/webhooks/{provider}",
        data=body,
        content_type="application/json",
        headers={"Sandbox-Timestamp": timestamp, "Sandbox-Signature": signed} | headers,
    )


@pytest.fixture
def sent(hands: Hands) -> Payment:
    payment = hands.pay()
    hands.sending()
    return fresh(payment)


def test_a_notification_before_the_answer_captures_the_payment(sent: Payment) -> None:
    response = deliver(document(sent))
    assert (response.status_code, response.json()) == (200, {"states": ["APPLIED"]})
    assert (fresh(sent).state, fresh(sent).captured) == ("CAPTURED", 10000)
    assert Attempt.objects.get().provider_reference == "ch_1"


def test_a_doubled_notification_is_counted_and_changes_nothing(sent: Payment) -> None:
    for _ in range(3):
        assert deliver(document(sent)).status_code == 200
    assert WebhookDelivery.objects.get().deliveries == 3
    assert fresh(sent).version == 3


def test_the_same_event_in_other_bytes_is_counted_and_changes_nothing(sent: Payment) -> None:
    assert deliver(document(sent)).json() == {"states": ["APPLIED"]}
    assert deliver(document(sent) + b" ").json() == {"states": ["APPLIED"]}
    assert InboundNotification.objects.get().deliveries == 2
    assert fresh(sent).version == 3


def test_the_same_news_under_another_id_is_recorded_and_changes_nothing(sent: Payment) -> None:
    deliver(document(sent))
    assert deliver(document(sent, event="evt_2")).json() == {"states": ["RECORDED"]}
    assert fresh(sent).version == 3


def test_an_older_notification_that_comes_later_overwrites_nothing(sent: Payment) -> None:
    """hyperswitch#10340: a late webhook overwrote a final state."""
    deliver(document(sent, event="evt_2"))
    assert deliver(document(sent, status="pending", event="evt_1")).json() == {"states": ["RECORDED"]}
    assert deliver(document(sent, status="declined", event="evt_0")).json() == {"states": ["RECORDED"]}
    assert fresh(sent).state == "CAPTURED"


def test_a_secret_that_was_replaced_still_counts(sent: Payment) -> None:
    assert deliver(document(sent), secret="the-secret-before").status_code == 200


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"secret": "forged"}, 401),
        ({"Sandbox-Signature": ""}, 401),
        ({"Sandbox-Signature": "v1=ü"}, 401),
        ({"Sandbox-Timestamp": "1"}, 401),
        ({"at": 1_700_000_000}, 400),
        ({"at": 4_000_000_000}, 400),
        ({"provider": "nobody"}, 422),
    ],
)
def test_what_is_forged_stale_or_for_nobody_changes_nothing(sent: Payment, how, status) -> None:
    response = deliver(document(sent), **how)
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"].startswith("application/problem+json")
    assert fresh(sent).state == "PROCESSING"
    assert not WebhookDelivery.objects.exists()


@pytest.mark.parametrize(
    "body", [b"", b"null", b"{}", b"[1]", b"\xff", b'{"id": 1}', b'{"id": "evt\\u0000"}', b"[" * 90_000]
)
def test_what_is_signed_and_cannot_be_read_is_kept_for_another_try(body) -> None:
    assert deliver(body).status_code == 200
    kept = WebhookDelivery.objects.get()
    assert (kept.state, bytes(kept.body)) == ("FAILING", body)
    assert kept.last_error.startswith("WebhookRefused: ")
    assert not InboundNotification.objects.exists()


def test_more_bytes_than_a_notification_has_are_not_even_read(settings: Any) -> None:
    settings.WEBHOOK_MAX_BYTES = 10
    assert deliver(b"x" * 11).status_code == 413
    assert not WebhookDelivery.objects.exists()


def test_a_refused_notification_leaves_a_line_that_can_be_counted(sent: Payment, caplog) -> None:
    deliver(document(sent), secret="forged")
    assert "refused: webhook.signature_invalid" in caplog.text


def test_the_bytes_are_kept_as_they_came_and_headers_without_what_could_open_something(sent: Payment) -> None:
    body = document(sent)
    deliver(body, Authorization="Basic abc", Cookie="c=1", **{"User-Agent": "sandbox/1"})
    kept = WebhookDelivery.objects.get()
    assert (bytes(kept.body), kept.state) == (body, "TAKEN_IN")
    assert kept.headers["user-agent"] == "sandbox/1"
    assert {kept.headers[name] for name in ("authorization", "cookie", "sandbox-signature")} == {"•••"}


def test_news_of_something_we_do_not_know_is_kept(sent: Payment) -> None:
    stranger = ids.new(sent.created_at).hex
    body = document(sent, key=f"po-{stranger}", reference=f"pay_{stranger}", charge="ch_9")
    assert deliver(body).json() == {"states": ["UNMATCHED"]}
    assert bytes(InboundNotification.objects.get().delivery.body) == body
    assert fresh(sent).state == "PROCESSING"


@pytest.mark.parametrize(
    "changes", [{"amount": 10001, "captured": 10001}, {"currency": "USD"}, {"amount": 0, "captured": 0}]
)
def test_news_of_another_amount_is_not_believed(sent: Payment, changes) -> None:
    assert deliver(document(sent, **changes)).status_code == 200
    assert fresh(sent).state == "UNKNOWN_OUTCOME"
    assert fresh(sent).captured == 0
