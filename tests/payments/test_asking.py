"""Inquiries: on their schedule, out of turn when somebody wants to know, and none by itself after the cut-off."""

from datetime import timedelta

import pytest

from paymentops.access.actors import Actor
from paymentops.access.models import AuditEntry
from paymentops.payments.models import Attempt, ProviderCall
from paymentops.payments.operations import asking
from paymentops.payments.operations.asking import CannotBeAsked, NothingToAsk
from paymentops.payments.operations.requesting import OperationOpen
from paymentops.providers import registry
from tests.payments.hands import Hands, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]

BY = Actor.command("test")
SCHEDULE = [5, 30, 120, 600, 3600, 21600, 86400]


@pytest.fixture(autouse=True)
def schedule(settings) -> None:
    settings.SANDBOX_INQUIRY_SECONDS = SCHEDULE
    settings.SANDBOX_VISIBILITY_SECONDS = 900
    settings.SANDBOX_NOT_FOUND_GAP_SECONDS = 60


def unknown(hands: Hands) -> Attempt:
    hands.pay()
    hands.send(hands.unknown())
    return Attempt.objects.get()


def waits(hands: Hands, *, inquiries: int) -> list[float]:
    """Answer inquiries with "unknown" and return how long each was waited for, in seconds."""
    found = []
    for _ in range(inquiries):
        before = hands.now
        hands.ask(hands.unknown())
        found.append((hands.now - before).total_seconds())
    return found


@pytest.mark.parametrize("name", ["stripe", "pix"])
def test_providers_are_asked_on_the_schedule_of_the_design(name: str, settings) -> None:
    settings.STRIPE_API_KEY = "sk_test_1"
    settings.PIX_API_BASE = settings.PIX_TOKEN_URL = "https://pix.example"
    settings.PIX_CLIENT_ID = settings.PIX_CLIENT_SECRET = settings.PIX_KEY = "x"
    declared = registry.get(name).capabilities.inquiry_schedule
    assert [step.total_seconds() for step in declared] == SCHEDULE


def test_an_unknown_outcome_is_asked_about_on_the_schedule_until_the_cut_off_and_then_not_by_itself(hands) -> None:
    unknown(hands)
    assert waits(hands, inquiries=8) == [5, 30, 120, 600, 3600, 21600, 86400, 86400]
    while Attempt.objects.get().schedule["rule"] != "by_hand":
        hands.ask(hands.unknown())
    asked = Attempt.objects.get().inquiries
    hands.wait(86400)
    assert hands.begin() is None
    attempt = Attempt.objects.get()
    assert (attempt.state, attempt.inquiries, attempt.next_action_at > hands.now) == ("UNKNOWN", asked, True)


def test_nothing_found_after_the_cut_off_decides_nothing_and_an_answer_does(hands) -> None:
    attempt = unknown(hands)
    hands.wait(6 * 86400)
    for _ in range(3):
        asking.ask_now(attempt_id=attempt.pk, by=BY, now=hands.now)
        hands.ask(hands.not_found())
        hands.wait(120)
    assert fresh(attempt).state == "UNKNOWN"
    asking.ask_now(attempt_id=attempt.pk, by=BY, now=hands.now)
    hands.ask(hands.sold())
    assert fresh(attempt).state == "SUCCEEDED"


def test_asking_out_of_turn_moves_no_step_of_the_schedule(hands) -> None:
    attempt = unknown(hands)
    assert waits(hands, inquiries=3) == [5, 30, 120]
    planned = fresh(attempt).next_action_at
    for _ in range(4):
        asking.ask_now(attempt_id=attempt.pk, by=BY, now=hands.now)
        assert waits(hands, inquiries=1) == [0]
        assert fresh(attempt).next_action_at == planned
    hands.ask(hands.unknown())
    assert fresh(attempt).next_action_at - hands.now == timedelta(hours=1)


def test_asking_twice_asks_once_and_leaves_one_row(hands) -> None:
    attempt = unknown(hands)
    first = asking.ask_now(attempt_id=attempt.pk, by=BY, now=hands.now)
    second = asking.ask_now(attempt_id=attempt.pk, by=BY, now=hands.now)
    assert (first.is_new, second.is_new) == (True, False)
    hands.asking()
    assert not asking.ask_now(attempt_id=attempt.pk, by=BY, now=hands.now).is_new
    assert AuditEntry.objects.filter(action="payment.inquiry_asked_for").count() == 1


def test_what_has_ended_or_was_never_sent_cannot_be_asked_about(hands) -> None:
    hands.pay()
    attempt = Attempt.objects.get()
    with pytest.raises(NothingToAsk):
        asking.ask_now(attempt_id=attempt.pk, by=BY, now=hands.now)
    hands.send(hands.sold())
    with pytest.raises(NothingToAsk):
        asking.ask_now(attempt_id=attempt.pk, by=BY, now=hands.now)


def test_a_provider_that_cannot_be_asked_is_not(hands, settings) -> None:
    settings.SANDBOX_CAN_INQUIRE = False
    attempt = unknown(hands)
    with pytest.raises(CannotBeAsked):
        asking.ask_now(attempt_id=attempt.pk, by=BY, now=hands.now)
    assert asking.ask_soon(payment_id=attempt.payment_id, now=hands.now) == 0


def test_a_service_that_waits_does_not_press_the_provider(hands) -> None:
    attempt = unknown(hands)
    waits(hands, inquiries=3)
    assert asking.ask_soon(payment_id=attempt.payment_id, now=hands.now) == 1
    assert asking.ask_soon(payment_id=attempt.payment_id, now=hands.now) == 0
    assert waits(hands, inquiries=1) == [5]


@pytest.mark.parametrize("operation", ["capture", "refund"])
def test_a_new_operation_on_a_payment_in_doubt_is_refused_and_the_provider_asked_first(hands, operation: str) -> None:
    payment = hands.hold()
    hands.capture(payment, 4000)
    hands.send(hands.done(4000))
    hands.capture(payment, 1000)
    hands.send(hands.unknown())
    waits(hands, inquiries=4)
    hands.wait(60)
    with pytest.raises(OperationOpen):
        getattr(hands, operation)(payment, 500)
    asked = Attempt.objects.get(state="UNKNOWN")
    assert (asked.schedule["rule"], asked.next_action_at <= hands.now) == ("asked_for", True)
    hands.ask(hands.done(1000))
    getattr(hands, operation)(fresh(payment), 500)


def test_a_cancel_of_a_payment_in_doubt_is_noted_and_the_provider_asked_first(hands) -> None:
    attempt = unknown(hands)
    waits(hands, inquiries=3)
    hands.wait(60)
    hands.cancel(attempt.payment)
    assert fresh(attempt).next_action_at <= hands.now


def test_an_unknown_refund_blocks_no_other_refund(hands) -> None:
    payment = hands.sale()
    hands.refund(payment, 4000)
    hands.send(hands.unknown())
    hands.refund(fresh(payment), 1000)
    hands.send(hands.done(1000))
    assert fresh(payment).refunded == 1000
    assert ProviderCall.objects.filter(outcome="Unknown").count() == 1
