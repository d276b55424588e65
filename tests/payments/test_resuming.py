"""A payer who comes back: what they brought is handed in once, whatever happens on the way, and then forgotten."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from paymentops.events.models import OutboxEvent
from paymentops.payments.models import Attempt, Resumption
from paymentops.payments.operations.resuming import NotResumable
from paymentops.providers.contract import Method, Pending, RetryClass
from tests.payments.hands import Hands, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]


def forgotten() -> bool:
    """Tell whether nothing of what payers brought is left."""
    return not Resumption.objects.filter(details__isnull=False).exists()


def test_what_the_payer_brought_is_handed_in_and_the_answer_counts(hands: Hands) -> None:
    payment = hands.waiting()
    resumption = hands.resume(payment, redirectResult="eyJ0cmFu")
    assert (fresh(payment).state, fresh(payment).next_action, resumption.mode) == ("PROCESSING", None, "COMPLETION")
    step = hands.handing_in()
    assert step.completion.details == {"redirectResult": "eyJ0cmFu"}
    assert step.completion.provider_key == Attempt.objects.get().provider_key
    hands.answer(step, hands.sold())
    assert (fresh(payment).state, fresh(payment).captured) == ("CAPTURED", 10000)
    assert forgotten()


def test_what_the_payer_brought_stands_in_no_event(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, redirectResult="eyJ0cmFu")
    hands.answer(hands.handing_in(), hands.sold())
    assert "eyJ0cmFu" not in str(list(OutboxEvent.objects.values_list("data", flat=True)))


def test_a_payer_who_is_refused_fails_the_payment(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="decline")
    hands.answer(hands.handing_in(), hands.declined(RetryClass.AUTH_REQUIRED, code="authentication_failed"))
    assert (fresh(payment).state, fresh(payment).failure_class) == ("FAILED", "PAYER_ABANDONED")
    assert forgotten()


def test_a_payer_may_have_to_act_more_than_once(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, fingerprint="1")
    hands.answer(hands.handing_in(), hands.waits(kind="challenge"))
    again = fresh(payment)
    assert (again.state, again.next_action["type"] if again.next_action else "") == ("REQUIRES_ACTION", "challenge")
    assert forgotten()
    hands.resume(payment, challenge="2")
    hands.answer(hands.handing_in(), hands.held())
    assert fresh(payment).state == "AUTHORIZED"


def test_a_provider_that_takes_its_time_is_asked_later(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    hands.answer(hands.handing_in(), Pending(provider_reference="ch_1", at=hands.now))
    assert (fresh(payment).state, Attempt.objects.get().state) == ("PROCESSING", "PENDING")
    hands.ask(hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_a_worker_that_dies_over_it_is_followed_by_one_that_hands_in_the_same(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    first = hands.handing_in()
    second = hands.handing_in()
    assert (second.number, second.completion.details) == (2, first.completion.details)
    assert second.claim.fence > first.claim.fence
    hands.answer(second, hands.sold())
    assert not hands.answer(first, hands.waits()).applied
    assert fresh(payment).state == "CAPTURED"


def test_an_answer_that_was_lost_is_asked_for_and_found(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    hands.answer(hands.handing_in(), hands.unknown())
    assert (fresh(payment).state, forgotten()) == ("UNKNOWN_OUTCOME", False)
    hands.ask(hands.sold())
    assert (fresh(payment).state, forgotten()) == ("CAPTURED", True)


def test_what_an_inquiry_shows_to_be_without_effect_is_handed_in_again(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    hands.answer(hands.handing_in(), hands.unknown())
    hands.ask(hands.waits())
    assert fresh(payment).state == "PROCESSING"
    hands.answer(hands.handing_in(), hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_where_nobody_can_be_asked_the_same_is_handed_in_again(hands: Hands, settings: Any) -> None:
    settings.SANDBOX_CAN_INQUIRE = False
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    hands.answer(hands.handing_in(), hands.unknown())
    assert fresh(payment).state == "UNKNOWN_OUTCOME"
    hands.answer(hands.handing_in(), hands.not_sent())
    hands.answer(hands.handing_in(), hands.waits(kind="challenge"))
    assert (fresh(payment).state, Attempt.objects.get().state) == ("REQUIRES_ACTION", "ACTION_REQUIRED")
    assert Attempt.objects.get().dispatches == 1


def test_what_was_not_sent_is_handed_in_later(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    hands.answer(hands.handing_in(), hands.not_sent(retry_after=20))
    due = Attempt.objects.get().next_action_at
    assert due is not None
    assert due >= hands.now + timedelta(seconds=20)
    assert fresh(payment).state == "PROCESSING"
    hands.answer(hands.handing_in(), hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_what_can_never_be_handed_in_goes_back_to_the_payer(hands: Hands) -> None:
    payment = hands.waiting()
    action = payment.next_action
    hands.resume(payment, result="approve")
    for _ in range(13):
        hands.answer(hands.handing_in(), hands.not_sent())
    assert hands._next() is None
    assert (fresh(payment).state, fresh(payment).next_action, forgotten()) == ("REQUIRES_ACTION", action, True)
    hands.resume(payment, result="approve")
    hands.answer(hands.handing_in(), hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_details_that_the_provider_calls_invalid_fail_nothing(hands: Hands) -> None:
    payment = hands.waiting()
    action = payment.next_action
    hands.resume(payment, redirectResult="made-up")
    hands.answer(hands.handing_in(), hands.declined(RetryClass.INVALID, code="details_invalid"))
    assert (fresh(payment).state, fresh(payment).next_action) == ("REQUIRES_ACTION", action)
    assert (Attempt.objects.get().state, forgotten()) == ("ACTION_REQUIRED", True)
    hands.ask(hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_an_invalid_resend_of_what_may_have_counted_proves_nothing(hands: Hands, settings: Any) -> None:
    settings.SANDBOX_CAN_INQUIRE = False
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    hands.answer(hands.handing_in(), hands.unknown())
    hands.answer(hands.handing_in(), hands.declined(RetryClass.INVALID, code="used_already"))
    assert fresh(payment).state == "UNKNOWN_OUTCOME"
    hands.notify(Attempt.objects.get(), hands.sold())
    assert (fresh(payment).state, forgotten()) == ("CAPTURED", True)


def test_what_is_not_handed_in_any_more_is_erased_although_the_doubt_remains(hands: Hands, settings: Any) -> None:
    settings.SANDBOX_CAN_INQUIRE = False
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    hands.answer(hands.handing_in(), hands.unknown())
    hands.cancel(payment)
    hands.wait(24 * 3600)
    assert hands.begin() is None
    assert (fresh(payment).state, forgotten(), Attempt.objects.get().dispatches) == ("UNKNOWN_OUTCOME", True, 1)
    hands.notify(Attempt.objects.get(), hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_an_inquiry_that_began_before_the_payer_came_back_does_not_count(hands: Hands) -> None:
    payment = hands.waiting()
    asking = hands.asking()
    hands.resume(payment, result="approve")
    assert not hands.answer(asking, hands.waits()).applied
    hands.answer(hands.handing_in(), hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_a_notification_that_was_on_its_way_holds_nothing_up(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    assert not hands.notify(Attempt.objects.get(), hands.waits()).applied
    assert fresh(payment).state == "PROCESSING"
    hands.answer(hands.handing_in(), hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_a_notification_of_the_end_comes_first_and_nothing_is_handed_in(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    hands.notify(Attempt.objects.get(), hands.sold())
    assert (fresh(payment).state, forgotten()) == ("CAPTURED", True)
    assert not Attempt.objects.open().exists()


def test_only_one_resume_is_under_way(hands: Hands) -> None:
    payment = hands.waiting()
    hands.resume(payment, result="approve")
    with pytest.raises(NotResumable, match=r"processing\. Read it again"):
        hands.resume(payment, result="decline")


def test_who_asks_too_late_or_too_early_is_told_what_to_do(hands: Hands) -> None:
    failed, paid = hands.waiting(), hands.sale()
    hands.notify(Attempt.objects.get(payment=failed), hands.declined())
    created = hands.pay()
    told = {failed: "Create another one", paid: "nothing left to do", created: "Read it again"}
    for payment, sentence in told.items():
        with pytest.raises(NotResumable, match=sentence):
            hands.resume(payment)


def test_where_the_payer_acts_at_the_provider_it_is_asked_at_once(hands: Hands, settings: Any) -> None:
    settings.PIX_API_BASE = "http://127.0.0.1:1/api/v2"
    settings.PIX_TOKEN_URL = "http://127.0.0.1:1/oauth/token"
    settings.PIX_CLIENT_ID = settings.PIX_KEY = "client"
    payment = hands.pay(provider="pix", method=Method.PIX, currency="BRL")
    hands.send(replace(hands.waits(kind="qr"), expires_at=None))
    resumption = hands.resume(payment, anything="at all")
    assert (resumption.mode, resumption.details, fresh(payment).state) == ("INQUIRY", None, "REQUIRES_ACTION")
    assert hands.begin() is not None
    assert Attempt.objects.get().inquiries == 1


def test_the_database_keeps_no_details_beyond_their_end(hands: Hands) -> None:
    payment = hands.waiting()
    resumption = hands.resume(payment, result="approve")
    with pytest.raises(IntegrityError, match="resumption_details_erased"), transaction.atomic():
        Resumption.objects.filter(pk=resumption.pk).update(ended_at=hands.now)
    with pytest.raises(IntegrityError, match="only details"), transaction.atomic():
        Resumption.objects.filter(pk=resumption.pk).update(details_digest="0" * 64)
