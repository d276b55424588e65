"""Payments whose time runs out: the provider is asked first, and who pays after all is believed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ledger.models import Entry
from paymentops.events.models import OutboxEvent
from paymentops.payments.models import Attempt, Payment
from paymentops.payments.operations import expiring
from paymentops.providers.contract import ActionRequired, Declined, Pending, RetryClass
from tests.payments.hands import Hands, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]

HOUR = timedelta(hours=1)


def waits(hands: Hands, *, ends_in: timedelta = HOUR) -> ActionRequired:
    action = {"type": "qr", "url": "", "code": "000201"}
    return ActionRequired(provider_reference="ch_1", action=action, at=hands.now, expires_at=hands.now + ends_in)


def lapsed(hands: Hands) -> Declined:
    return replace(hands.declined(RetryClass.AUTH_REQUIRED, code="expired"), lapsed=True)


def waiting(hands: Hands) -> tuple[Payment, ActionRequired]:
    payment = hands.pay()
    outcome = waits(hands)
    hands.send(outcome)
    return fresh(payment), outcome


def told(payment: Payment) -> list[str]:
    return list(OutboxEvent.objects.filter(aggregate_id=payment.pk).order_by("sequence").values_list("type", flat=True))


def test_a_charge_that_ran_out_at_the_provider_has_expired_and_not_failed(hands: Hands) -> None:
    payment, _ = waiting(hands)
    hands.ask(lapsed(hands))
    found = fresh(payment)
    assert (found.state, found.failure_class, found.next_action) == ("EXPIRED", "", None)
    assert Attempt.objects.get().state == "EXPIRED"
    assert told(payment)[-1] == "payment.expired"


def test_the_provider_is_asked_when_the_time_is_over_and_only_then_is_it_believed(hands: Hands) -> None:
    payment, outcome = waiting(hands)
    asked = []
    while fresh(payment).state == "REQUIRES_ACTION":
        hands.ask(outcome)
        asked.append(hands.now)
    assert fresh(payment).state == "EXPIRED"
    assert asked[-1] == fresh(payment).expires_at + timedelta(minutes=2)
    assert Attempt.objects.get().calls.filter(kind="INQUIRY").count() == len(asked)


def test_a_payment_found_paid_when_its_time_is_over_is_captured(hands: Hands) -> None:
    payment, _ = waiting(hands)
    hands.wait(3 * 3600)
    hands.ask(hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_an_old_notification_does_not_expire_what_waits(hands: Hands) -> None:
    payment, outcome = waiting(hands)
    hands.wait(3 * 3600)
    hands.notify(Attempt.objects.get(), outcome)
    assert fresh(payment).state == "REQUIRES_ACTION"


def test_an_inquiry_that_fails_expires_nothing(hands: Hands) -> None:
    payment, _ = waiting(hands)
    hands.wait(3 * 3600)
    hands.ask(hands.unknown())
    assert fresh(payment).state == "REQUIRES_ACTION"


def test_a_charge_that_the_provider_no_longer_knows_has_expired(hands: Hands) -> None:
    payment, _ = waiting(hands)
    hands.wait(3 * 3600)
    while fresh(payment).state == "REQUIRES_ACTION":
        hands.ask(hands.not_found())
    assert (fresh(payment).state, Attempt.objects.get().calls.count()) == ("EXPIRED", 1 + 3)


def test_a_payer_who_pays_after_all_is_believed(hands: Hands) -> None:
    payment, _ = waiting(hands)
    hands.ask(lapsed(hands))
    assert hands.notify(Attempt.objects.get(), hands.sold()).applied
    assert (fresh(payment).state, fresh(payment).captured) == ("CAPTURED", 10000)
    assert list(Entry.objects.values_list("source_kind", "state")) == [("late_capture", "POSTED")]
    captured = OutboxEvent.objects.get(aggregate_id=payment.pk, type="payment.captured")
    assert captured.data["late_evidence"] is True


def test_an_answer_to_a_resend_may_say_that_it_ran_out(hands: Hands, settings: Any) -> None:
    settings.SANDBOX_CAN_INQUIRE = False
    payment = hands.pay()
    hands.send(hands.unknown())
    hands.wait(31)
    hands.send(lapsed(hands))
    assert (fresh(payment).state, Attempt.objects.get().state) == ("EXPIRED", "DECLINED")


def test_without_inquiry_a_day_without_news_ends_it(hands: Hands, settings: Any) -> None:
    settings.SANDBOX_CAN_INQUIRE = False
    payment, _ = waiting(hands)
    while fresh(payment).state == "REQUIRES_ACTION":
        next_action_at = Attempt.objects.get().next_action_at
        assert next_action_at is not None
        hands.now = next_action_at
        assert hands.begin() is None
    assert fresh(payment).state == "EXPIRED"
    assert hands.now >= fresh(payment).expires_at + timedelta(days=1)
    assert hands.notify(Attempt.objects.get(), hands.sold()).applied
    assert fresh(payment).state == "CAPTURED"


@pytest.mark.parametrize(("captured", "state"), [(0, "EXPIRED"), (4000, "CAPTURED")])
def test_a_hold_that_the_provider_let_go_is_released_at_once(hands: Hands, captured: int, state: str) -> None:
    payment = hands.hold()
    if captured:
        hands.capture(payment, captured)
        hands.send(hands.done(captured))
    authorisation = Attempt.objects.get(operation="AUTHORIZE")
    assert hands.notify(authorisation, lapsed(hands)).applied
    assert not hands.notify(authorisation, lapsed(hands), event="evt_2").applied
    assert (fresh(payment).state, fresh(payment).voided) == (state, 10000 - captured)
    assert expiring.expire_holds(limit=10, now=hands.now + timedelta(days=30)) == 0


def test_a_hold_with_a_capture_on_its_way_waits_for_its_outcome(hands: Hands) -> None:
    payment = hands.hold()
    hands.capture(payment)
    hands.send(Pending(provider_reference="op_1", at=hands.now))
    assert not hands.notify(Attempt.objects.get(operation="AUTHORIZE"), lapsed(hands)).applied
    hands.notify(Attempt.objects.get(operation="CAPTURE"), hands.done(10000))
    assert fresh(payment).state == "CAPTURED"


def test_a_no_that_is_no_lapse_never_releases_a_hold(hands: Hands) -> None:
    payment = hands.hold()
    assert not hands.notify(Attempt.objects.get(), hands.declined()).applied
    assert fresh(payment).state == "AUTHORIZED"
