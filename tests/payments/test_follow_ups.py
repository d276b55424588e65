"""Captures, cancels and refunds: what every answer does, and what is refused before anything is asked."""

from datetime import timedelta

import pytest

from ledger.models import Entry
from paymentops.payments.models import Attempt, Cancellation
from paymentops.payments.operations import dispatching
from paymentops.payments.operations.requesting import NotCancelable, NotCapturable, NotRefundable, OperationOpen
from paymentops.providers.contract import Pending, RetryClass
from tests.payments.hands import Hands, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]


def books() -> list[tuple[str, str]]:
    return list(Entry.objects.order_by("id").values_list("source_kind", "state"))


# --- captures ------------------------------------------------------------------------------------------------------


def test_all_of_a_hold_is_captured(hands: Hands) -> None:
    payment = hands.hold()
    hands.capture(payment)
    sent = hands.sending()
    assert sent.instruction.final_capture
    assert sent.instruction.provider_reference == "ch_1"
    hands.answer(sent, hands.done(10000))
    assert (fresh(payment).state, fresh(payment).captured) == ("CAPTURED", 10000)
    assert books() == [("hold", "POSTED")]


def test_a_hold_is_captured_in_several_parts(hands: Hands) -> None:
    payment = hands.hold()
    for amount in (1000, 2000, 7000):
        hands.capture(payment, amount)
        hands.send(hands.done(amount))
    assert (fresh(payment).state, fresh(payment).captured) == ("CAPTURED", 10000)
    assert [state for kind, state in books() if kind == "hold"] == ["VOIDED", "VOIDED", "POSTED"]


def test_more_than_is_held_cannot_be_captured(hands: Hands) -> None:
    payment = hands.hold()
    with pytest.raises(NotCapturable) as refusal:
        hands.capture(payment, 10001)
    assert refusal.value.extra == {"capturable": 10000}
    hands.capture(payment, 4000)
    hands.send(hands.done(4000))
    with pytest.raises(NotCapturable):
        hands.capture(payment, 6001)


def test_a_second_operation_waits_for_the_first(hands: Hands) -> None:
    payment = hands.hold()
    hands.capture(payment, 4000)
    for another in (lambda: hands.capture(payment, 1000), lambda: hands.cancel(payment)):
        with pytest.raises(OperationOpen):
            another()


def test_only_an_authorised_payment_can_be_captured(hands: Hands) -> None:
    for payment in (hands.pay(), hands.sale()):
        with pytest.raises(NotCapturable):
            hands.capture(payment, 1)


def test_a_declined_capture_leaves_the_hold(hands: Hands) -> None:
    payment = hands.hold()
    hands.capture(payment, 4000)
    hands.send(hands.declined(code="capture_declined"))
    assert (fresh(payment).state, fresh(payment).uncaptured) == ("AUTHORIZED", 10000)
    hands.capture(payment)
    hands.send(hands.done(10000))
    assert fresh(payment).state == "CAPTURED"


def test_an_unknown_capture_that_happened_is_found(hands: Hands) -> None:
    payment = hands.hold()
    hands.capture(payment, 4000)
    hands.send(hands.unknown())
    assert (fresh(payment).state, fresh(payment).resume_state) == ("UNKNOWN_OUTCOME", "AUTHORIZED")
    with pytest.raises(OperationOpen):
        hands.capture(payment, 1)
    hands.ask(hands.done(4000))
    assert (fresh(payment).state, fresh(payment).captured) == ("PARTIALLY_CAPTURED", 4000)


@pytest.mark.parametrize("captured_before", [0, 3000])
def test_an_unknown_capture_that_did_not_happen_gives_the_hold_back(hands: Hands, captured_before) -> None:
    payment = hands.hold()
    if captured_before:
        hands.capture(payment, captured_before)
        hands.send(hands.done(captured_before))
    before = fresh(payment).state
    hands.capture(payment, 4000)
    hands.send(hands.unknown())
    hands.give_up()
    assert (fresh(payment).state, fresh(payment).captured) == (before, captured_before)
    assert Attempt.objects.order_by("id").last().state == "FAILED"


def test_a_capture_that_waits_at_the_provider_leaves_the_state_as_it_is(hands: Hands) -> None:
    payment = hands.hold()
    hands.capture(payment)
    hands.send(Pending(provider_reference="op_1", at=hands.now))
    assert fresh(payment).state == "AUTHORIZED"
    hands.notify(Attempt.objects.get(operation="CAPTURE"), hands.done(10000))
    assert fresh(payment).state == "CAPTURED"


# --- cancels -------------------------------------------------------------------------------------------------------


def test_a_payment_that_was_not_sent_is_cancelled_at_once(hands: Hands) -> None:
    payment = hands.pay()
    assert hands.cancel(payment).mode == Cancellation.Mode.AT_ONCE
    assert (fresh(payment).state, Attempt.objects.get().state) == ("CANCELED", "CANCELED")
    assert dispatching.claim_due(limit=1, now=hands.now + timedelta(hours=1)) == []


def test_a_hold_is_released_by_a_void(hands: Hands) -> None:
    payment = hands.hold()
    assert hands.cancel(payment).mode == Cancellation.Mode.VOID
    hands.send(hands.done(10000))
    assert (fresh(payment).state, fresh(payment).voided) == ("VOIDED", 10000)
    assert books() == [("hold", "VOIDED")]


def test_the_rest_of_a_hold_is_released(hands: Hands) -> None:
    payment = hands.hold()
    hands.capture(payment, 3000)
    hands.send(hands.done(3000))
    hands.cancel(payment)
    hands.send(hands.done(7000))
    assert (fresh(payment).state, fresh(payment).captured, fresh(payment).voided) == ("CAPTURED", 3000, 7000)


def test_a_declined_void_leaves_the_hold_and_can_be_asked_again(hands: Hands) -> None:
    payment = hands.hold()
    hands.cancel(payment)
    hands.send(hands.declined())
    assert fresh(payment).state == "AUTHORIZED"
    hands.cancel(payment)
    hands.send(hands.done(10000))
    assert fresh(payment).state == "VOIDED"


def test_an_unknown_void_is_found_or_given_up(hands: Hands) -> None:
    done, undone = hands.hold(), hands.hold()
    hands.cancel(done)
    hands.send(hands.unknown())
    assert fresh(done).state == "UNKNOWN_OUTCOME"
    hands.ask(hands.done(10000))
    assert fresh(done).state == "VOIDED"
    hands.cancel(undone)
    hands.send(hands.unknown())
    hands.give_up()
    assert (fresh(undone).state, fresh(undone).uncaptured) == ("AUTHORIZED", 10000)


def test_a_cancel_during_the_dispatch_is_carried_out_after_the_outcome(hands: Hands) -> None:
    payment = hands.pay(capture="manual")
    sent = hands.sending()
    assert hands.cancel(payment).mode == Cancellation.Mode.WAITING
    hands.answer(sent, hands.held())
    assert fresh(payment).state == "AUTHORIZED"
    void = hands.sending()
    assert void.instruction.operation == "VOID"
    hands.answer(void, hands.done(10000))
    assert fresh(payment).state == "VOIDED"


def test_a_cancel_that_came_too_late_for_a_sale_changes_nothing(hands: Hands) -> None:
    payment = hands.pay()
    sent = hands.sending()
    hands.cancel(payment)
    hands.answer(sent, hands.sold())
    assert fresh(payment).state == "CAPTURED"
    assert not Attempt.objects.open().exists()
    with pytest.raises(NotCancelable):
        hands.cancel(payment)


def test_a_cancel_noted_before_a_deferral_needs_no_provider(hands: Hands) -> None:
    payment = hands.pay()
    sent = hands.sending()
    hands.cancel(payment)
    hands.answer(sent, hands.not_sent())
    hands.wait(61)
    assert hands.begin() is None
    assert fresh(payment).state == "CANCELED"


def test_a_cancelled_payment_is_not_sent_again_after_a_doubt(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    hands.cancel(payment)
    hands.give_up()
    assert (fresh(payment).state, Attempt.objects.get().dispatches) == ("FAILED", 1)


def test_a_noted_cancel_is_tried_once(hands: Hands) -> None:
    payment = hands.pay(capture="manual")
    sent = hands.sending()
    hands.cancel(payment)
    hands.answer(sent, hands.held())
    hands.send(hands.declined())
    assert fresh(payment).state == "AUTHORIZED"
    assert not Attempt.objects.open().exists()


def test_what_is_captured_or_ended_cannot_be_cancelled(hands: Hands) -> None:
    failed = hands.pay()
    hands.send(hands.declined())
    for payment in (failed, hands.sale()):
        with pytest.raises(NotCancelable):
            hands.cancel(payment)


# --- refunds -------------------------------------------------------------------------------------------------------


def test_a_refund_is_reserved_when_asked_and_paid_when_done(hands: Hands) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 4000)
    assert (fresh(payment).refund_reserved, fresh(payment).refundable) == (4000, 6000)
    assert books() == [("sale", "POSTED"), ("requested", "POSTED")]
    sent = hands.sending()
    assert sent.instruction.reference == refund.public_id
    assert fresh(refund).state == "DISPATCHED"
    hands.answer(sent, hands.done(4000))
    assert (fresh(refund).state, fresh(payment).refunded, fresh(payment).refund_reserved) == ("SUCCEEDED", 4000, 0)
    assert books()[-1] == ("succeeded", "POSTED")


def test_a_refund_of_another_amount_than_asked_is_not_believed(hands: Hands) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 4000)
    hands.send(hands.done(3000))
    assert (fresh(refund).state, fresh(payment).refunded, fresh(payment).refund_reserved) == ("UNKNOWN", 0, 4000)
    hands.ask(hands.done(4000))
    assert (fresh(refund).state, fresh(payment).refunded) == ("SUCCEEDED", 4000)


@pytest.mark.parametrize("end", ["declined", "invalid", "given up", "never sent"])
def test_a_refund_that_ends_badly_frees_its_amount(hands: Hands, end) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 4000)
    if end == "declined":
        hands.send(hands.declined(code="refund_declined"))
    elif end == "invalid":
        hands.send(hands.declined(RetryClass.INVALID))
    elif end == "given up":
        hands.send(hands.unknown())
        assert fresh(refund).state == "UNKNOWN"
        hands.give_up()
    else:
        for _ in range(13):
            hands.send(hands.not_sent())
            hands.wait(61)
    assert (fresh(refund).state, fresh(payment).refundable, fresh(payment).refund_reserved) == ("FAILED", 10000, 0)
    assert fresh(refund).failure_code
    assert books()[-1] == ("failed", "POSTED")
    assert fresh(payment).state == "CAPTURED"


def test_an_unknown_refund_stays_reserved_and_blocks_only_itself(hands: Hands) -> None:
    """hyperswitch#3751: the refund's id was never learned after a timeout."""
    payment = hands.sale()
    lost = hands.refund(payment, 4000)
    hands.send(hands.unknown())
    hands.refund(payment, 6000)
    hands.send(hands.done(6000))
    assert (fresh(payment).refunded, fresh(payment).refund_reserved) == (6000, 4000)
    with pytest.raises(NotRefundable):
        hands.refund(payment, 1)
    hands.ask(hands.done(4000))
    assert fresh(lost).state == "SUCCEEDED"
    assert lost.attempts.get().provider_reference == "op_1"
    assert fresh(payment).refunded == 10000


def test_a_pending_refund_ends_by_its_notification(hands: Hands) -> None:
    payment = hands.sale()
    refund = hands.refund(payment)
    hands.send(Pending(provider_reference="op_1", at=hands.now))
    assert fresh(refund).state == "PENDING"
    hands.notify(refund.attempts.get(), hands.done(10000))
    assert (fresh(refund).state, fresh(payment).refunded) == ("SUCCEEDED", 10000)


def test_two_refunds_of_60_on_100_do_not_both_pass(hands: Hands) -> None:
    """hyperswitch#13182, blnk#152: refunds without a limit."""
    payment = hands.sale()
    hands.refund(payment, 6000)
    with pytest.raises(NotRefundable) as refusal:
        hands.refund(payment, 6000)
    assert refusal.value.extra == {"refundable": 4000}


def test_only_what_was_captured_can_be_refunded(hands: Hands) -> None:
    for payment in (hands.pay(), hands.hold()):
        with pytest.raises(NotRefundable):
            hands.refund(payment, 1)
    with pytest.raises(NotRefundable):
        hands.refund(payment)
