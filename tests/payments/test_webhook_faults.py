"""Notifications at the worst moment: before we know what they are about, unreadable, half applied, in any order."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from ledger.models import Line
from paymentops.access.actors import Actor
from paymentops.core import ids
from paymentops.events import operations as events
from paymentops.events.models import DeadLetter, OutboxEvent
from paymentops.payments.models import Attempt, InboundNotification, Payment, WebhookDelivery
from paymentops.payments.operations import notifying
from paymentops.payments.operations.notifying.deliveries import WAITS, WAITS_UNMATCHED
from paymentops.payments.tasks import sweep_webhooks
from paymentops.providers.adapters.sandbox.adapter import SandboxProvider
from paymentops.providers.contract import Approved, InboundWebhook, Unknown
from paymentops.providers.sandbox.notices import signature
from tests.payments.conftest import violations
from tests.payments.hands import Hands, eur, fresh, make_requester

pytestmark = [pytest.mark.django_db]

SECRET = "sandbox-secret-for-tests"
BY = Actor.command("test")


@pytest.fixture(autouse=True)
def secrets(settings: Any) -> None:
    settings.SANDBOX_WEBHOOK_SECRETS = [SECRET]


def told(attempt: Attempt, *, event: str = "evt_1", status: str = "succeeded", **changes: Any) -> bytes:
    """Write what the sandbox tells of an attempt."""
    operation = {
        "object": "operation",
        "id": f"op_{attempt.operation.lower()}",
        "kind": {"AUTHORIZE": "charge"}.get(attempt.operation, attempt.operation.lower()),
        "key": attempt.provider_key,
        "reference": attempt.payment.public_id,
        "charge": "ch_1",
        "status": status,
        "amount": attempt.amount,
        "captured": attempt.amount if status == "succeeded" else 0,
        "currency": attempt.currency,
        "code": "insufficient_funds" if status == "declined" else None,
        "action": None,
        "hold_expires_at": None,
        "occurred_at": attempt.created_at.isoformat(),
    } | changes
    kind = f"{operation['kind']}.{status}"
    return json.dumps({"id": event, "type": kind, "created_at": operation["occurred_at"], "data": operation}).encode()


def deliver(body: bytes, *, now: datetime) -> list[str]:
    timestamp = str(int(now.timestamp()))
    signed = signature(secret=SECRET, timestamp=timestamp, body=body)
    headers = {"sandbox-timestamp": timestamp, "sandbox-signature": signed}
    return notifying.receive(provider="sandbox", webhook=InboundWebhook(body=body, headers=headers), now=now)


def look_again(at: datetime) -> int:
    return notifying.work_off(limit=10, clock=lambda: at)


@pytest.fixture
def sent(hands: Hands) -> Attempt:
    payment = hands.pay()
    hands.sending()
    return payment.attempts.get()


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A release that cannot read what the provider sends; ``undo`` is the next release."""

    def read(self: Any, body: bytes, *, now: datetime) -> Any:
        raise KeyError("status")

    monkeypatch.setattr(SandboxProvider, "read_webhook", read)
    return monkeypatch


# --- raw first ---------------------------------------------------------------------------------------------------


def test_a_process_that_dies_after_keeping_the_bytes_loses_nothing(sent: Attempt, hands: Hands, monkeypatch) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(SandboxProvider, "read_webhook", die)
        with pytest.raises(SystemExit):
            deliver(told(sent), now=hands.now)
    assert WebhookDelivery.objects.get().state == "RECEIVED"
    assert look_again(hands.now + timedelta(seconds=29)) == 0
    assert look_again(hands.now + timedelta(seconds=31)) == 1
    assert fresh(sent.payment).state == "CAPTURED"
    assert WebhookDelivery.objects.get().state == "TAKEN_IN"


def test_a_poison_notification_is_answered_200_tried_again_and_becomes_a_dead_letter(
    sent: Attempt, hands: Hands, unreadable: pytest.MonkeyPatch
) -> None:
    assert deliver(told(sent), now=hands.now) == []
    for wait in WAITS:
        hands.wait(wait.total_seconds())
        assert look_again(hands.now) == 1
    letter = DeadLetter.objects.get()
    delivery = WebhookDelivery.objects.get()
    assert (letter.source, letter.reference, letter.owner) == ("webhook:sandbox", delivery.public_id, "Engineering")
    assert (delivery.state, delivery.tries, letter.attempts) == ("DEAD", 6, 6)
    assert OutboxEvent.objects.filter(type="events.dead_letter_made").count() == 1
    assert look_again(hands.now + timedelta(days=9)) == 0
    # The provider sends it once more: it is counted, and stays with the person who owns it.
    assert deliver(told(sent), now=hands.now) == []
    assert WebhookDelivery.objects.get().deliveries == 2
    assert DeadLetter.objects.filter(resolved_at=None).count() == 1


def test_a_dead_notification_is_handled_again_once(sent: Attempt, hands: Hands, unreadable: pytest.MonkeyPatch) -> None:
    deliver(told(sent), now=hands.now)
    for wait in WAITS:
        hands.wait(wait.total_seconds())
        look_again(hands.now)
    letter = DeadLetter.objects.get()
    with pytest.raises(events.ReplayFailed):
        events.replay_dead_letter(dead_letter_id=letter.pk, actor=BY, reason="try", now=hands.now)
    assert fresh(sent.payment).state == "PROCESSING"
    assert DeadLetter.objects.filter(resolved_at=None).exists()
    unreadable.undo()
    for _ in range(2):
        events.replay_dead_letter(dead_letter_id=letter.pk, actor=BY, reason="mapping fixed", now=hands.now)
    assert fresh(sent.payment).state == "CAPTURED"
    assert WebhookDelivery.objects.get().state == "TAKEN_IN"
    assert InboundNotification.objects.get().state == "APPLIED"


def test_a_notification_that_cannot_be_applied_changes_nothing_and_is_kept(sent: Attempt, hands: Hands) -> None:
    assert deliver(told(sent, event="e" * 121), now=hands.now) == []
    assert fresh(sent.payment).state == "PROCESSING"
    assert WebhookDelivery.objects.get().last_error.startswith("DataError")


def test_an_unknown_status_is_recorded_and_left_to_the_inquiry(sent: Attempt, hands: Hands) -> None:
    assert deliver(told(sent, status="teleported"), now=hands.now) == ["RECORDED"]
    assert fresh(sent.payment).state == "PROCESSING"


# --- before we know what it is about -----------------------------------------------------------------------------


def without_key(attempt: Attempt, **changes: Any) -> bytes:
    """News that names the provider's own reference only, as some providers send of later operations."""
    return told(attempt, key="", reference="", charge="ch_early", **changes)


def test_news_that_came_before_its_reference_was_known_is_applied_when_the_answer_tells_it(
    sent: Attempt, hands: Hands
) -> None:
    body = without_key(sent, event="evt_early")
    assert deliver(body, now=hands.now) == ["UNMATCHED"]
    assert look_again(hands.now) == 0
    # The answer that names the reference, which leaves the outcome itself in doubt.
    hands.notify(sent, Unknown(reason="http_500", at=hands.now, provider_reference="ch_early"), event="evt_0")
    assert fresh(sent).provider_reference == "ch_early"
    assert look_again(hands.now) == 1
    assert fresh(sent.payment).state == "CAPTURED"
    assert WebhookDelivery.objects.get().state == "TAKEN_IN"


def test_the_same_bytes_again_look_again(sent: Attempt, hands: Hands) -> None:
    body = without_key(sent)
    assert deliver(body, now=hands.now) == ["UNMATCHED"]
    Attempt.objects.filter(pk=sent.pk).update(provider_reference="ch_early")
    assert deliver(body, now=hands.now) == ["APPLIED"]
    assert deliver(body, now=hands.now) == ["APPLIED"]
    assert WebhookDelivery.objects.get().deliveries == 3


def test_news_of_nothing_of_ours_waits_a_while_and_then_rests(sent: Attempt, hands: Hands) -> None:
    deliver(without_key(sent), now=hands.now)
    for wait in WAITS_UNMATCHED:
        hands.wait(wait.total_seconds())
        assert look_again(hands.now) == 1
    delivery = WebhookDelivery.objects.get()
    assert (delivery.state, delivery.next_try_at) == ("UNMATCHED", None)
    assert not DeadLetter.objects.exists()


def test_money_under_a_key_of_ours_that_nobody_knows_is_a_dead_letter_until_it_is_known(
    sent: Attempt, hands: Hands
) -> None:
    stranger = ids.new(hands.now)
    deliver(told(sent, key=f"po-{stranger.hex}", reference="", charge="ch_9"), now=hands.now)
    for wait in WAITS_UNMATCHED:
        hands.wait(wait.total_seconds())
        look_again(hands.now)
    letter = DeadLetter.objects.get()
    assert f"po-{stranger.hex}" in letter.reason
    with pytest.raises(events.ReplayFailed, match="stays a dead letter"):
        events.replay_dead_letter(dead_letter_id=letter.pk, actor=BY, reason="try", now=hands.now)


# --- any order, any number ---------------------------------------------------------------------------------------


def final_state(payment: Payment) -> dict[str, Any]:
    """Return what a payment came to, without the road that led there."""
    columns = ("state", "authorized", "captured", "voided", "refunded", "refund_reserved", "reversed", "disputed")
    row = fresh(payment)
    lines = Line.objects.filter(entry__source_id__in=[payment.pk]).order_by("account__code", "amount")
    return {name: getattr(row, name) for name in columns} | {
        "books": [(line.account.code.partition(":")[0], line.amount) for line in lines.select_related("account")],
        "attempts": sorted((a.operation, a.state) for a in row.attempts.all()),
    }


def one_story(order: list[int], *, answer_after: int) -> dict[str, Any]:
    """Tell of one sale five times over in an order; the API's own answer arrives somewhere in between."""
    hands = Hands(requester=make_requester(f"shop-{ids.new(datetime.now().astimezone()).hex}"))
    payment = hands.pay()
    step = hands.sending()
    attempt = payment.attempts.get()
    letters = [
        told(attempt, event="evt_pending", status="pending"),
        told(
            attempt,
            event="evt_action",
            status="requires_action",
            action={"type": "redirect", "url": "https://a.example"},
        ),
        told(attempt, event="evt_done"),
        told(attempt, event="evt_done_again"),
        told(attempt, event="evt_odd", status="teleported"),
    ]
    for number, which in enumerate(order):
        if number == answer_after:
            hands.answer(
                step, Approved(provider_reference="ch_1", amount=eur(10000), captured=eur(10000), at=hands.now)
            )
        deliver(letters[which], now=hands.now)
        hands.wait(0.01)
    return final_state(payment)


ORDERS = st.lists(st.integers(0, 4), min_size=1, max_size=8).filter(lambda order: {2, 3} & set(order))


@hypothesis(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=ORDERS, answer_after=st.integers(0, 8))
def test_any_order_and_number_of_notifications_ends_in_the_same_state_and_books(
    order: list[int], answer_after: int
) -> None:
    with transaction.atomic():
        ended = one_story(order, answer_after=answer_after)
        transaction.set_rollback(True)
    assert ended["state"] == "CAPTURED"
    assert ended["captured"] == 10000
    assert ended["attempts"] == [("AUTHORIZE", "SUCCEEDED")]
    assert ended["books"] == [("1110", 10000), ("2010", -10000)]


# --- verification ------------------------------------------------------------------------------------------------


def test_news_that_nobody_works_off_is_named(sent: Attempt, hands: Hands) -> None:
    deliver(told(sent), now=hands.now)
    assert "payments.news_worked_off" not in violations()
    WebhookDelivery.objects.update(state="RECEIVED", next_try_at=hands.now - timedelta(hours=2))
    assert "RECEIVED and due since" in violations()["payments.news_worked_off"][0]
    WebhookDelivery.objects.update(state="DEAD", next_try_at=None)
    assert violations()["payments.news_worked_off"][0].endswith("given up without a dead letter")


# --- retention ---------------------------------------------------------------------------------------------------


def test_old_bytes_go_and_their_events_still_count_once(sent: Attempt, hands: Hands, settings: Any) -> None:
    settings.WEBHOOK_RETENTION_DAYS = 30
    body = told(sent)
    deliver(body, now=hands.now)
    assert sweep_webhooks() == 0
    long_ago = ids.new(hands.now - timedelta(days=31))
    kept = WebhookDelivery.objects.get()
    InboundNotification.objects.update(delivery=None)
    WebhookDelivery.objects.all().delete()
    kept.pk = long_ago
    kept.save(force_insert=True)
    InboundNotification.objects.update(delivery=kept)
    assert sweep_webhooks() == 1
    assert InboundNotification.objects.get().delivery is None
    assert deliver(body, now=hands.now) == ["APPLIED"]
    assert fresh(sent.payment).version == 3
