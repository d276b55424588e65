"""What every answer to an authorisation does to the payment, its attempt, its ledger entries and its events."""

from datetime import timedelta
from typing import Any

import pytest

from ledger.models import Entry
from paymentops.events.models import OutboxEvent
from paymentops.payments import retry
from paymentops.payments.models import Attempt, ProviderCall
from paymentops.payments.operations import dispatching, expiring
from paymentops.payments.operations.dispatching import Send
from paymentops.providers.contract import ActionRequired, Approved, Pending, RetryClass
from tests.payments.hands import Hands, eur, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]

CURRENT = retry.policy("2026-11-22")


def events_of(payment) -> list[str]:
    return list(OutboxEvent.objects.filter(aggregate_id=payment.pk).order_by("sequence").values_list("type", flat=True))


def books() -> list[tuple[str, str]]:
    return list(Entry.objects.order_by("id").values_list("source_kind", "state"))


def test_a_sale_is_authorised_and_captured_in_one_step(hands: Hands) -> None:
    payment = hands.sale()
    assert (payment.state, payment.authorized, payment.captured) == ("CAPTURED", 10000, 10000)
    assert books() == [("sale", "POSTED")]
    assert events_of(payment) == ["payment.created", "payment.processing", "payment.captured"]


def test_a_hold_is_authorised_until_the_provider_says(hands: Hands) -> None:
    payment = hands.hold()
    assert (payment.state, payment.authorized, payment.captured) == ("AUTHORIZED", 10000, 0)
    assert payment.expires_at == hands.now + timedelta(days=7)
    assert books() == [("hold", "PENDING")]


def test_a_hold_without_a_date_lapses_after_seven_days(hands: Hands) -> None:
    payment = hands.pay(capture="manual")
    hands.send(Approved(provider_reference="ch_1", amount=eur(10000), at=hands.now))
    assert fresh(payment).expires_at == hands.now + timedelta(days=7)


def test_a_partial_approval_counts_for_what_was_approved(hands: Hands) -> None:
    sale, hold = hands.pay(), None
    hands.send(hands.sold(6000))
    hold = hands.pay(capture="manual")
    hands.send(hands.held(4000))
    assert (fresh(sale).state, fresh(sale).captured, fresh(sale).requested) == ("CAPTURED", 6000, 10000)
    assert (fresh(hold).state, fresh(hold).uncaptured) == ("AUTHORIZED", 4000)


@pytest.mark.parametrize(
    ("retry_class", "attempt_state", "failure"),
    [
        (RetryClass.SOFT_DECLINE, "DECLINED", "ISSUER_DECLINE"),
        (RetryClass.DATA_DECLINE, "DECLINED", "ISSUER_DECLINE"),
        (RetryClass.HARD_DECLINE, "DECLINED", "ISSUER_DECLINE"),
        (RetryClass.AUTH_REQUIRED, "DECLINED", "PAYER_ABANDONED"),
        (RetryClass.RISK_BLOCK, "DECLINED", "RISK_BLOCK"),
        (RetryClass.PROVIDER_GUARD, "DECLINED", "RISK_BLOCK"),
        (RetryClass.INVALID, "FAILED", "INVALID_REQUEST"),
    ],
)
def test_a_decline_fails_the_payment_in_words_of_its_own(
    hands: Hands, settings: Any, retry_class, attempt_state, failure
) -> None:
    settings.RETRY_POLICY = "2026-11-01"  # tries an authorisation once, whatever the answer means
    payment = hands.pay()
    hands.send(hands.declined(retry_class, code="the_providers_code"))
    payment, attempt = fresh(payment), Attempt.objects.get()
    assert (payment.state, payment.failure_class, payment.failure_code) == ("FAILED", failure, "the_providers_code")
    assert (attempt.state, attempt.result_class) == (attempt_state, retry_class)
    assert books() == []


def test_what_was_not_sent_is_put_off_under_the_same_key(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.not_sent(retry_after=7))
    attempt = Attempt.objects.get()
    assert (attempt.state, attempt.schedule["rule"]) == ("PREPARED", "after_not_sent")
    assert attempt.next_action_at == hands.now + timedelta(seconds=7)
    assert fresh(payment).state == "PROCESSING"
    assert dispatching.claim_due(limit=1, now=hands.now + timedelta(seconds=6)) == []
    hands.wait(7)
    again = hands.sending()
    assert again.number == 2
    assert again.instruction.provider_key == attempt.provider_key
    hands.answer(again, hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_what_can_never_be_sent_is_given_up_after_the_policys_deferrals(hands: Hands) -> None:
    payment = hands.pay()
    for _ in range(CURRENT.deferrals + 1):
        hands.send(hands.not_sent())
        hands.wait(61)
    assert (fresh(payment).state, fresh(payment).failure_class) == ("FAILED", "TECHNICAL")
    assert Attempt.objects.get().dispatches == CURRENT.deferrals + 1


def test_a_deferral_after_a_doubt_leaves_the_doubt(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    resend = prove_not_executed(hands)
    hands.answer(resend, hands.not_sent())
    assert Attempt.objects.get().state == "UNKNOWN"
    assert (fresh(payment).state, fresh(payment).resume_state) == ("UNKNOWN_OUTCOME", "PROCESSING")


def prove_not_executed(hands: Hands) -> Send:
    """Ask until "not found" counts, and begin the resend."""
    while True:
        step = hands.asking()
        if hands.answer(step, hands.not_found()).resend:
            resend = dispatching.begin_resend(claim=step.claim, now=hands.now)
            assert resend is not None
            return resend


def test_an_unknown_outcome_is_asked_about_and_never_resent_blind(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    payment, attempt = fresh(payment), Attempt.objects.get()
    assert (payment.state, payment.resume_state) == ("UNKNOWN_OUTCOME", "PROCESSING")
    assert (attempt.state, attempt.was_unknown, attempt.schedule["rule"]) == ("UNKNOWN", True, "inquiry")
    assert books() == []
    for _ in range(5):
        hands.ask(hands.unknown("inquiry_failed"))
    assert Attempt.objects.get().dispatches == 1
    hands.ask(hands.sold())
    assert fresh(payment).state == "CAPTURED"
    assert fresh(payment).resume_state == ""


def test_not_found_counts_after_the_horizon_and_the_second_time_only(hands: Hands) -> None:
    hands.pay()
    hands.send(hands.unknown())
    sent_at = hands.now
    proofs = []
    while not proofs or not proofs[-1].resend:
        proofs.append(hands.ask(hands.not_found()))
    assert hands.now - sent_at >= timedelta(seconds=5 + 2)
    assert sum(proof.resend for proof in proofs) == 1
    assert len(proofs) >= 3


def test_an_answer_between_two_not_founds_starts_the_count_again(hands: Hands) -> None:
    hands.pay()
    hands.send(hands.unknown())
    hands.wait(6)
    hands.ask(hands.not_found())
    resend = prove_not_executed(hands)
    assert Attempt.objects.get().not_found_at is None
    hands.answer(resend, hands.unknown())
    assert not hands.ask(hands.not_found()).resend


def test_not_found_twice_resends_the_same_key_and_the_answer_counts(hands: Hands) -> None:
    payment = hands.pay()
    first = hands.sending()
    hands.answer(first, hands.unknown())
    resend = prove_not_executed(hands)
    assert resend.instruction.provider_key == first.instruction.provider_key
    assert resend.number == 2
    assert fresh(payment).state == "PROCESSING"
    hands.answer(resend, hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_three_sends_that_left_no_trace_end_the_payment(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    hands.give_up()
    attempt = Attempt.objects.get()
    assert (attempt.state, attempt.dispatches) == ("FAILED", CURRENT.sends)
    assert (fresh(payment).state, fresh(payment).failure_class) == ("FAILED", "TECHNICAL")


def test_after_the_key_window_nothing_is_sent_again(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    hands.wait(20 * 3600)
    hands.give_up()
    assert (Attempt.objects.get().state, Attempt.objects.get().dispatches) == ("FAILED", 1)
    assert fresh(payment).state == "FAILED"


def test_a_long_pending_payment_is_never_failed_by_itself(hands: Hands) -> None:
    """hyperswitch PR#2380: long-pending payments were failed, though they may have been charged."""
    payment = hands.pay()
    hands.send(Pending(provider_reference="ch_1", at=hands.now))
    for _ in range(30):
        hands.ask(Pending(provider_reference="ch_1", at=hands.now))
    hands.wait(40 * 24 * 3600)
    hands.ask(hands.unknown())
    expiring.expire_holds(limit=10, now=hands.now)
    assert fresh(payment).state == "PROCESSING"
    hands.ask(hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_a_pending_payment_moves_on_when_asked(hands: Hands) -> None:
    """hyperswitch#1475: asking never moved payments out of processing."""
    payment = hands.pay()
    hands.send(Pending(provider_reference="ch_1", at=hands.now))
    assert (fresh(payment).state, Attempt.objects.get().state) == ("PROCESSING", "PENDING")
    hands.ask(hands.declined())
    assert fresh(payment).state == "FAILED"


def test_a_pending_payment_is_captured_by_its_notification(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(Pending(provider_reference="ch_1", at=hands.now))
    assert hands.notify(Attempt.objects.get(), hands.sold()).applied
    assert fresh(payment).state == "CAPTURED"
    assert not hands.notify(Attempt.objects.get(), hands.sold(), event="evt_2").applied
    assert books() == [("sale", "POSTED")]


def test_an_unknown_outcome_that_turns_out_pending_is_processing_again(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    hands.ask(Pending(provider_reference="ch_1", at=hands.now))
    assert (fresh(payment).state, fresh(payment).resume_state) == ("PROCESSING", "")


def test_a_payer_who_must_act_finishes_the_payment(hands: Hands) -> None:
    payment = hands.pay()
    action = {"type": "redirect", "url": "https://bank.example/3ds"}
    hands.send(ActionRequired(provider_reference="ch_1", action=action, at=hands.now))
    waiting = fresh(payment)
    assert (waiting.state, waiting.next_action) == ("REQUIRES_ACTION", action)
    assert waiting.expires_at == hands.now + timedelta(hours=1)
    hands.ask(ActionRequired(provider_reference="ch_1", action=action, at=hands.now))
    assert Attempt.objects.get().next_action_at > hands.now
    hands.ask(Pending(provider_reference="ch_1", at=hands.now))
    assert (fresh(payment).state, fresh(payment).next_action) == ("PROCESSING", None)
    hands.notify(Attempt.objects.get(), hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_a_payer_who_does_not_pass_fails_the_payment(hands: Hands) -> None:
    payment = hands.pay()
    action = {"type": "redirect", "url": "https://bank.example/3ds"}
    hands.send(ActionRequired(provider_reference="ch_1", action=action, at=hands.now))
    hands.notify(Attempt.objects.get(), hands.declined(RetryClass.AUTH_REQUIRED, code="authentication_failed"))
    assert (fresh(payment).state, fresh(payment).failure_class) == ("FAILED", "PAYER_ABANDONED")


@pytest.mark.parametrize("answered", [10001, 0])
def test_an_approval_of_an_amount_that_was_not_asked_for_is_not_believed(hands: Hands, answered) -> None:
    payment = hands.pay()
    hands.send(hands.sold(answered))
    assert fresh(payment).state == "UNKNOWN_OUTCOME"
    assert "asked for 100.00 EUR" in ProviderCall.objects.get().message
    hands.ask(hands.sold())
    assert fresh(payment).captured == 10000


def test_what_is_not_sent_in_time_expires_unsent(hands: Hands) -> None:
    payment = hands.pay()
    hands.wait(25 * 3600)
    assert hands.begin() is None
    assert (fresh(payment).state, Attempt.objects.get().state) == ("EXPIRED", "CANCELED")
    assert books() == []


def test_a_hold_that_lapsed_is_released_in_the_books(hands: Hands) -> None:
    whole, part = hands.hold(), hands.hold()
    hands.capture(part, 3000)
    hands.send(hands.done(3000))
    hands.wait(8 * 24 * 3600)
    assert expiring.expire_holds(limit=10, now=hands.now) == 2
    assert expiring.expire_holds(limit=10, now=hands.now) == 0
    assert (fresh(whole).state, fresh(whole).voided) == ("EXPIRED", 10000)
    assert (fresh(part).state, fresh(part).captured, fresh(part).voided) == ("CAPTURED", 3000, 7000)


def test_a_hold_with_a_capture_on_its_way_does_not_lapse(hands: Hands) -> None:
    payment = hands.hold()
    hands.capture(payment)
    hands.send(hands.unknown())
    hands.wait(8 * 24 * 3600)
    assert expiring.expire_holds(limit=10, now=hands.now) == 0
    hands.ask(hands.done(10000))
    assert fresh(payment).state == "CAPTURED"


def test_the_schedule_of_an_attempt_is_reproducible(hands: Hands) -> None:
    """SEMANTICS invariant 11: the stored inputs give the stored moment."""
    hands.pay()
    hands.send(hands.not_sent())
    attempt = Attempt.objects.get()
    assert attempt.next_action_at == hands.now + timedelta(seconds=attempt.schedule["delay_s"])
    assert attempt.schedule["policy"] == CURRENT.version
