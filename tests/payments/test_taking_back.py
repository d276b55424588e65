"""A cancel of a payment that waits: the provider is told, and decides whether it was paid first."""

from datetime import timedelta
from typing import Any

import pytest

from ledger.models import Entry
from paymentops.events.models import OutboxEvent
from paymentops.payments.models import Attempt, Cancellation, Resumption
from paymentops.payments.operations.resuming import NotResumable
from paymentops.providers.contract import Pending, RetryClass
from tests.payments.hands import Hands, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]


def test_a_payment_that_waits_for_its_payer_is_taken_back(hands: Hands) -> None:
    payment = hands.waiting()
    assert hands.cancel(payment).mode == Cancellation.Mode.WAITING
    step = hands.taking_back()
    assert step.withdrawal.provider_reference == "ch_1"
    hands.answer(step, hands.taken_back())
    done = fresh(payment)
    assert (done.state, done.next_action, done.failure_class) == ("CANCELED", None, "")
    assert Attempt.objects.get().state == "CANCELED"
    assert OutboxEvent.objects.filter(aggregate_id=payment.pk, type="payment.canceled").count() == 1


def test_a_cancel_during_the_dispatch_takes_back_what_then_waits(hands: Hands) -> None:
    payment = hands.pay()
    sent = hands.sending()
    hands.cancel(payment)
    hands.answer(sent, hands.waits())
    hands.answer(hands.taking_back(), hands.taken_back())
    assert fresh(payment).state == "CANCELED"


def test_a_payer_who_was_faster_has_paid(hands: Hands) -> None:
    payment = hands.waiting()
    hands.cancel(payment)
    hands.answer(hands.taking_back(), hands.sold())
    assert (fresh(payment).state, fresh(payment).captured) == ("CAPTURED", 10000)


def test_a_hold_of_a_payer_who_was_faster_is_released(hands: Hands) -> None:
    payment = hands.waiting(capture="manual")
    hands.cancel(payment)
    hands.answer(hands.taking_back(), hands.held())
    assert fresh(payment).state == "AUTHORIZED"
    hands.send(hands.done(10000))
    assert fresh(payment).state == "VOIDED"


def test_who_pays_what_was_taken_back_is_believed(hands: Hands) -> None:
    payment = hands.waiting()
    hands.cancel(payment)
    hands.answer(hands.taking_back(), hands.taken_back())
    assert hands.notify(Attempt.objects.get(), hands.sold()).applied
    assert (fresh(payment).state, fresh(payment).captured) == ("CAPTURED", 10000)
    assert list(Entry.objects.values_list("source_kind", flat=True)) == ["late_capture"]
    assert OutboxEvent.objects.filter(type="payment.late_evidence").count() == 1


@pytest.mark.parametrize("found", ["taken_back", "sold"])
def test_an_inquiry_decides_what_became_of_a_withdrawal_without_an_answer(hands: Hands, found: str) -> None:
    payment = hands.waiting()
    hands.cancel(payment)
    hands.answer(hands.taking_back(), hands.unknown())
    assert fresh(payment).state == "UNKNOWN_OUTCOME"
    hands.ask(getattr(hands, found)())
    assert fresh(payment).state == {"taken_back": "CANCELED", "sold": "CAPTURED"}[found]


def test_a_withdrawal_that_had_no_effect_is_tried_again_by_the_schedule(hands: Hands) -> None:
    payment = hands.waiting()
    hands.cancel(payment)
    hands.answer(hands.taking_back(), hands.unknown())
    hands.ask(hands.waits())
    assert Attempt.objects.get().next_action_at > hands.now
    hands.answer(hands.taking_back(), hands.not_sent())
    hands.answer(hands.taking_back(), hands.taken_back())
    assert (fresh(payment).state, Attempt.objects.get().withdrawals) == ("CANCELED", 3)


def test_where_nobody_can_be_asked_it_is_taken_back_again(hands: Hands, settings: Any) -> None:
    settings.SANDBOX_CAN_INQUIRE = False
    payment = hands.waiting()
    hands.cancel(payment)
    hands.answer(hands.taking_back(), hands.unknown())
    hands.answer(hands.taking_back(), hands.taken_back())
    assert (fresh(payment).state, Attempt.objects.get().dispatches) == ("CANCELED", 1)


def test_a_worker_that_dies_over_it_is_followed_by_another(hands: Hands) -> None:
    payment = hands.waiting()
    hands.cancel(payment)
    first = hands.taking_back()
    second = hands.taking_back()
    hands.answer(second, hands.taken_back())
    assert not hands.answer(first, hands.taken_back()).applied
    assert fresh(payment).state == "CANCELED"


def test_what_the_provider_works_on_is_taken_back_or_ends_as_it_says(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(Pending(provider_reference="ch_1", at=hands.now))
    hands.cancel(payment)
    hands.answer(hands.taking_back(), Pending(provider_reference="ch_1", at=hands.now))
    assert fresh(payment).state == "PROCESSING"
    hands.answer(hands.taking_back(), hands.declined())
    assert fresh(payment).state == "FAILED"


def test_a_withdrawal_that_is_refused_as_invalid_fails_nothing(hands: Hands) -> None:
    payment = hands.waiting()
    hands.cancel(payment)
    hands.answer(hands.taking_back(), hands.declined(RetryClass.INVALID, code="forbidden"))
    assert fresh(payment).state == "UNKNOWN_OUTCOME"
    hands.ask(hands.waits())
    assert fresh(payment).state == "REQUIRES_ACTION"


def test_what_still_waits_when_its_time_is_over_expires(hands: Hands) -> None:
    payment = hands.waiting()
    hands.cancel(payment)
    step = hands.taking_back()
    hands.wait(2 * 3600)
    hands.answer(step, hands.waits(ends_in=timedelta(hours=-1)))
    assert fresh(payment).state == "EXPIRED"


def test_a_cancel_goes_before_what_the_payer_brought(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    hands.cancel(payment)
    hands.answer(hands.taking_back(), hands.taken_back())
    assert (fresh(payment).state, Resumption.objects.get().details) == ("CANCELED", None)


def test_a_cancel_while_it_is_handed_in_waits_for_the_answer(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    step = hands.handing_in()
    hands.cancel(payment)
    hands.answer(step, hands.waits(kind="challenge"))
    assert fresh(payment).state == "REQUIRES_ACTION"
    with pytest.raises(NotResumable, match="being cancelled"):
        hands.resume(payment, result="approve")
    hands.answer(hands.taking_back(), hands.taken_back())
    assert fresh(payment).state == "CANCELED"


def test_a_payment_taken_back_at_the_provider_is_cancelled_and_not_failed(hands: Hands) -> None:
    payment = hands.waiting()
    hands.notify(Attempt.objects.get(), hands.taken_back())
    assert (fresh(payment).state, fresh(payment).failure_class) == ("CANCELED", "")
