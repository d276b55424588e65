"""The sleeping worker, the dead worker, the late and the doubled answer: a fence stops sends and never the truth."""

from datetime import timedelta

import pytest

from ledger.models import Entry
from paymentops.payments.models import Attempt, AttemptTransition, ProviderCall
from paymentops.payments.operations import dispatching, working
from paymentops.payments.operations.dispatching import Ask
from tests.payments.conftest import violations
from tests.payments.hands import Hands, fresh

pytestmark = pytest.mark.django_db
verified = pytest.mark.usefixtures("verified")


def books() -> list[tuple[str, str]]:
    return list(Entry.objects.order_by("id").values_list("source_kind", "state"))


def lose_lease(hands: Hands) -> None:
    """Let the lease of whoever sends run out and another worker take over."""
    hands.wait(61)
    assert hands.begin() is None


@verified
def test_a_claim_is_given_to_one_worker_only(hands: Hands) -> None:
    hands.pay()
    assert len(dispatching.claim_due(limit=5, now=hands.now)) == 1
    assert dispatching.claim_due(limit=5, now=hands.now) == []


@verified
def test_a_worker_that_died_after_its_claim_left_nothing_sent(hands: Hands) -> None:
    payment = hands.pay()
    dead = hands.claim()
    hands.wait(61)
    sent = hands.sending()
    assert sent.number == 1
    assert dispatching.begin(claim=dead, now=hands.now) is None
    hands.answer(sent, hands.sold())
    assert fresh(payment).state == "CAPTURED"


@verified
def test_a_worker_that_died_while_sending_leaves_an_unknown_outcome(hands: Hands) -> None:
    """killbill#508: a crash between the provider's yes and our commit; the retry paid twice."""
    payment = hands.pay()
    hands.sending()
    lose_lease(hands)
    assert (fresh(payment).state, Attempt.objects.get().state) == ("UNKNOWN_OUTCOME", "UNKNOWN")
    hands.ask(hands.sold())
    assert (fresh(payment).state, Attempt.objects.get().dispatches) == ("CAPTURED", 1)


@verified
def test_a_worker_that_died_while_asking_is_followed_by_another_question(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    hands.asking()
    hands.wait(61)
    again = hands.begin()
    assert isinstance(again, Ask)
    assert again.number == 2
    hands.answer(again, hands.sold())
    assert fresh(payment).state == "CAPTURED"


@verified
@pytest.mark.parametrize("answer", ["sold", "declined"])
def test_a_definite_answer_counts_although_its_worker_lost_the_lease(hands: Hands, answer) -> None:
    payment = hands.pay()
    sent = hands.sending()
    lose_lease(hands)
    assert hands.answer(sent, getattr(hands, answer)()).applied
    assert fresh(payment).state == {"sold": "CAPTURED", "declined": "FAILED"}[answer]
    assert Attempt.objects.get().next_action_at is None


@verified
@pytest.mark.parametrize("answer", ["not_sent", "unknown"])
def test_an_indefinite_answer_counts_from_the_holder_of_the_fence_only(hands: Hands, answer) -> None:
    hands.pay()
    sent = hands.sending()
    lose_lease(hands)
    assert not hands.answer(sent, getattr(hands, answer)()).applied
    assert Attempt.objects.get().state == "UNKNOWN"
    assert ProviderCall.objects.get().applied is False


@verified
def test_an_answer_is_recorded_once(hands: Hands) -> None:
    payment = hands.pay()
    sent = hands.sending()
    assert hands.answer(sent, hands.sold()).applied
    assert not hands.answer(sent, hands.sold()).applied
    assert books() == [("sale", "POSTED")]
    assert fresh(payment).version == 3


@verified
def test_a_notification_before_the_answer_counts_once(hands: Hands) -> None:
    payment = hands.pay()
    sent = hands.sending()
    assert hands.notify(Attempt.objects.get(), hands.sold()).applied
    assert not hands.answer(sent, hands.sold()).applied
    assert (fresh(payment).state, books()) == ("CAPTURED", [("sale", "POSTED")])


@verified
def test_a_late_unknown_never_overwrites_a_final_state(hands: Hands) -> None:
    """hyperswitch#10340: a late webhook overwrote a final state."""
    payment = hands.sale()
    attempt = Attempt.objects.get()
    for late in (hands.declined(), hands.unknown(), hands.sold()):
        assert not hands.notify(attempt, late, event=f"evt_{type(late).__name__}").applied
    assert (fresh(payment).state, fresh(payment).captured) == ("CAPTURED", 10000)
    assert AttemptTransition.objects.count() == 2


@verified
@pytest.mark.parametrize("ended", ["declined", "given up", "expired"])
def test_a_sale_found_after_its_payment_had_ended_is_taken_as_evidence(hands: Hands, ended) -> None:
    """killbill#1832, SEMANTICS late evidence: what a provider proves is never refused."""
    payment = hands.pay()
    if ended == "declined":
        hands.send(hands.declined())
    elif ended == "given up":
        hands.send(hands.unknown())
        hands.give_up()
    else:
        hands.wait(25 * 3600)
        assert hands.begin() is None
    assert hands.notify(Attempt.objects.get(), hands.sold()).applied
    found = fresh(payment)
    assert (found.state, found.captured, found.failure_class) == ("CAPTURED", 10000, "")
    assert books() == [("late_capture", "POSTED")]
    assert found.transitions.last().cause.startswith("notification:")


@verified
def test_a_hold_found_after_its_payment_had_ended_can_be_captured(hands: Hands) -> None:
    payment = hands.pay(capture="manual")
    hands.send(hands.declined())
    hands.notify(Attempt.objects.get(), hands.held())
    assert fresh(payment).state == "AUTHORIZED"
    hands.capture(payment)
    hands.send(hands.done(10000))
    assert fresh(payment).state == "CAPTURED"


@verified
def test_a_hold_found_after_a_cancel_is_released(hands: Hands) -> None:
    payment = hands.pay(capture="manual")
    hands.send(hands.unknown())
    hands.cancel(payment)
    hands.give_up()
    assert fresh(payment).state == "FAILED"
    hands.notify(Attempt.objects.get(), hands.held())
    void = hands.sending()
    assert void.instruction.operation == "VOID"
    hands.answer(void, hands.done(10000))
    assert fresh(payment).state == "VOIDED"


@verified
def test_a_capture_found_after_it_was_given_up_is_applied(hands: Hands) -> None:
    payment = hands.hold()
    capture = hands.capture(payment, 4000)
    hands.send(hands.unknown())
    hands.give_up()
    assert hands.notify(capture.attempts.get(), hands.done(4000)).applied
    assert (fresh(payment).state, fresh(payment).captured) == ("PARTIALLY_CAPTURED", 4000)


@verified
def test_a_capture_found_after_the_void_is_applied_as_excess_of_the_hold(hands: Hands) -> None:
    payment = hands.hold()
    capture = hands.capture(payment, 4000)
    hands.send(hands.declined())
    hands.cancel(payment)
    hands.send(hands.done(10000))
    assert hands.notify(capture.attempts.get(), hands.done(4000)).applied
    assert (fresh(payment).state, fresh(payment).captured, fresh(payment).voided) == ("CAPTURED", 4000, 10000)


@verified
def test_a_void_found_after_it_was_given_up_is_applied(hands: Hands) -> None:
    payment = hands.hold()
    hands.cancel(payment)
    hands.send(hands.declined())
    assert hands.notify(Attempt.objects.get(operation="VOID"), hands.done(10000)).applied
    assert (fresh(payment).state, books()) == ("VOIDED", [("hold", "VOIDED")])


@verified
def test_a_refund_found_after_it_had_failed_is_applied(hands: Hands) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 4000)
    hands.send(hands.declined())
    hands.wait(1)
    assert hands.notify(refund.attempts.get(), hands.done(4000)).applied
    assert (fresh(refund).state, fresh(refund).failure_code, fresh(payment).refunded) == ("SUCCEEDED", "", 4000)
    assert books()[-1] == ("found", "POSTED")


def test_evidence_without_room_is_kept_and_named_until_somebody_resolves_it(hands: Hands) -> None:
    payment = hands.sale()
    first = hands.refund(payment, 10000)
    hands.send(hands.declined())
    hands.refund(payment, 10000)
    hands.send(hands.done(10000))
    assert not hands.notify(first.attempts.get(), hands.done(10000)).applied
    assert fresh(payment).refunded == 10000
    attempt = first.attempts.get()
    assert violations() == {
        "payments.no_effect_ignored": [f"{attempt}: is DECLINED, yet notification 0 of sandbox says that it happened"]
    }


def test_a_capture_without_room_waits_for_a_person(hands: Hands) -> None:
    payment = hands.hold()
    lost = hands.capture(payment, 6000)
    hands.send(hands.declined())
    hands.capture(payment, 6000)
    assert not hands.notify(lost.attempts.get(), hands.done(6000)).applied
    hands.send(hands.done(6000))
    assert fresh(payment).captured == 6000
    assert list(violations()) == ["payments.no_effect_ignored"]


@verified
def test_a_worker_that_slept_past_the_deadline_does_not_send(hands: Hands, settings) -> None:
    settings.SANDBOX_URL = "http://127.0.0.1:1"  # nobody listens, and nobody must be asked
    hands.pay()
    sent = hands.sending()
    hands.wait(3)
    working._send(sent, lambda: hands.now)
    call = ProviderCall.objects.get()
    assert (call.message, call.applied) == ("deadline_passed", True)
    attempt = Attempt.objects.get()
    assert (attempt.state, attempt.was_unknown) == ("PREPARED", False)
    assert attempt.next_action_at > hands.now - timedelta(seconds=1)
