"""What was taken back after it had succeeded: captures and refunds, counted once in any order, never refused."""

import json
from datetime import timedelta

import pytest

from ledger.models import Entry, Line
from paymentops.events.models import OutboxEvent
from paymentops.payments.models import Attempt, Payment
from paymentops.payments.operations import expiring
from paymentops.payments.operations.requesting import NotCancelable, NotCapturable
from paymentops.providers.contract import Approved, Reversed
from tests.payments.conftest import violations
from tests.payments.hands import Hands, eur, fresh
from tests.payments.test_notifications import deliver

pytestmark = pytest.mark.django_db
verified = pytest.mark.usefixtures("verified")


def taken_back(hands: Hands, amount: int, *, success: Approved | None = None) -> Reversed:
    """Say that ``amount`` in all was taken back; with ``success``, as a provider does that tells both at once."""
    return Reversed(
        amount=eur(amount), code="capture_failed", message="It failed after all.", at=hands.now, success=success
    )


def told(thing: Payment, kind: str) -> list[dict[str, str]]:
    events = OutboxEvent.objects.filter(aggregate_id=thing.pk, type=kind).order_by("sequence")
    return [event.data for event in events]


def amounts(payment: Payment) -> tuple[str, int, int, int]:
    found = fresh(payment)
    return found.state, found.captured, found.reversed, found.refunded


def books() -> list[tuple[str, str]]:
    return sorted(Entry.objects.values_list("source_kind", "state"))


def balance(account: str) -> int:
    posted = Line.objects.filter(account__code__startswith=account, entry__state__in=["POSTED", "REVERSED"])
    return sum(posted.values_list("amount", flat=True))


def only(payment: Payment, operation: str) -> Attempt:
    return payment.attempts.get(operation=operation)


def part(hands: Hands, payment: Payment, amount: int) -> Attempt:
    capture = hands.capture(payment, amount)
    hands.send(hands.done(amount))
    return capture.attempts.get()


@verified
def test_a_sale_that_failed_after_all_leaves_nothing(hands: Hands) -> None:
    payment = hands.sale()
    sale = only(payment, "AUTHORIZE")
    assert hands.notify(sale, taken_back(hands, 10000)).applied
    assert amounts(payment) == ("REVERSED", 10000, 10000, 0)
    assert fresh(sale).state == "REVERSED"
    assert books() == [("sale", "REVERSED"), ("sale_reversed", "POSTED")]
    assert balance("1110") == balance("2010") == 0
    [event] = told(payment, "payment.capture_reversed")
    assert (event["taken_back"], event["reason"], event["overdrawn"]) == ("10000", "capture_failed", "0")
    assert fresh(payment).refundable == 0


@verified
def test_the_same_news_counts_once_in_any_order_and_number(hands: Hands) -> None:
    payment = hands.sale()
    sale = only(payment, "AUTHORIZE")
    news = [taken_back(hands, 6000), taken_back(hands, 2000), taken_back(hands, 6000), taken_back(hands, 10000)]
    applied = [hands.notify(sale, what, event=f"evt_{n}").applied for n, what in enumerate(news)]
    assert applied == [True, False, False, True]
    assert amounts(payment) == ("REVERSED", 10000, 10000, 0)
    assert [event["taken_back"] for event in told(payment, "payment.capture_reversed")] == ["6000", "4000"]
    assert balance("2010") == 0
    assert not hands.notify(sale, hands.sold(), event="evt_again").applied
    assert amounts(payment) == ("REVERSED", 10000, 10000, 0)


@verified
def test_a_part_taken_back_leaves_the_rest_captured_and_nothing_to_capture_or_cancel(hands: Hands) -> None:
    payment = hands.sale()
    hands.notify(only(payment, "AUTHORIZE"), taken_back(hands, 4000))
    assert amounts(payment) == ("PARTIALLY_CAPTURED", 10000, 4000, 0)
    assert books() == [("kept", "POSTED"), ("sale", "REVERSED"), ("sale_reversed", "POSTED")]
    assert (balance("1110"), balance("2010"), fresh(payment).refundable) == (6000, -6000, 6000)
    with pytest.raises(NotCapturable):
        hands.capture(payment)
    with pytest.raises(NotCancelable):
        hands.cancel(payment)
    hands.refund(payment)
    hands.send(hands.done(6000))
    assert amounts(payment) == ("PARTIALLY_CAPTURED", 10000, 4000, 6000)


@verified
@pytest.mark.parametrize("ends", ["captured", "voided", "expired"])
def test_a_capture_taken_back_while_the_rest_is_held_decides_when_the_rest_has_ended(hands: Hands, ends) -> None:
    payment = hands.hold()
    capture = part(hands, payment, 4000)
    hands.notify(capture, taken_back(hands, 4000))
    assert amounts(payment) == ("PARTIALLY_CAPTURED", 4000, 4000, 0)
    if ends == "captured":
        hands.capture(payment)
        hands.send(hands.done(6000))
    elif ends == "voided":
        hands.cancel(payment)
        hands.send(hands.done(6000))
    else:
        hands.now = fresh(payment).expires_at + timedelta(seconds=1)
        assert expiring.expire_holds(limit=10, now=hands.now) == 1
    assert amounts(payment)[0] == {"captured": "PARTIALLY_CAPTURED"}.get(ends, "REVERSED")
    assert balance("2010") == (-6000 if ends == "captured" else 0)


@verified
@pytest.mark.parametrize("first", ["whole hold", "part", "late"])
def test_every_way_to_capture_can_be_taken_back(hands: Hands, first) -> None:
    payment = hands.hold()
    if first == "late":
        capture = hands.capture(payment, 4000).attempts.get()
        hands.send(hands.declined())
        hands.cancel(payment)
        hands.send(hands.done(10000))
        hands.notify(capture, hands.done(4000), event="evt_late")
    else:
        capture = part(hands, payment, 10000 if first == "whole hold" else 4000)
    taken = capture.amount
    hands.notify(capture, taken_back(hands, 1000), event="evt_2")
    hands.notify(capture, taken_back(hands, taken), event="evt_3")
    assert fresh(capture).state == "REVERSED"
    assert fresh(payment).reversed == taken
    assert fresh(payment).state == ("PARTIALLY_CAPTURED" if first == "part" else "REVERSED")


@verified
def test_a_reversal_before_the_answer_is_kept_with_the_success_it_tells_of(hands: Hands) -> None:
    payment = hands.pay()
    sent = hands.sending()
    assert hands.notify(only(payment, "AUTHORIZE"), taken_back(hands, 4000, success=hands.sold())).applied
    assert amounts(payment) == ("PARTIALLY_CAPTURED", 10000, 4000, 0)
    assert not hands.answer(sent, hands.sold()).applied
    assert amounts(payment) == ("PARTIALLY_CAPTURED", 10000, 4000, 0)


@verified
def test_an_inquiry_may_find_that_what_was_in_doubt_succeeded_and_was_taken_back(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    assert hands.ask(taken_back(hands, 10000, success=hands.sold())).applied
    assert amounts(payment) == ("REVERSED", 10000, 10000, 0)


@verified
def test_a_capture_that_failed_before_its_success_was_known_stays_undone_when_the_success_is_told(hands: Hands) -> None:
    """A provider's CAPTURE after its CAPTURE_FAILED: the older news must not bring the capture back."""
    payment = hands.hold()
    capture = hands.capture(payment, 10000).attempts.get()
    hands.sending()
    assert hands.notify(capture, taken_back(hands, 10000), event="evt_2").applied
    assert (fresh(capture).state, fresh(payment).state) == ("DECLINED", "AUTHORIZED")
    assert not hands.notify(capture, hands.done(10000), event="evt_1").applied
    assert amounts(payment) == ("AUTHORIZED", 0, 0, 0)


@verified
def test_of_what_was_given_up_only_the_part_that_was_kept_counts(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.declined())
    sale = only(payment, "AUTHORIZE")
    assert not hands.notify(sale, taken_back(hands, 10000, success=hands.sold()), event="evt_1").applied
    assert amounts(payment) == ("FAILED", 0, 0, 0)
    payment = hands.pay()
    hands.send(hands.declined())
    assert hands.notify(only(payment, "AUTHORIZE"), taken_back(hands, 1000, success=hands.sold())).applied
    assert amounts(payment) == ("PARTIALLY_CAPTURED", 10000, 1000, 0)


@verified
def test_a_capture_taken_back_after_its_refund_is_recorded_and_says_what_is_missing(hands: Hands) -> None:
    payment = hands.sale()
    hands.refund(payment, 3000)
    hands.send(hands.done(3000))
    on_its_way = hands.refund(payment, 2000)
    sent = hands.sending()
    unsent = hands.refund(payment, 1000)
    assert hands.notify(only(payment, "AUTHORIZE"), taken_back(hands, 10000)).applied
    assert fresh(unsent).state == "CANCELED"
    assert fresh(unsent).failure_code == "capture_reversed"
    [event] = told(payment, "payment.capture_reversed")
    assert event["overdrawn"] == "5000"
    assert hands.answer(sent, hands.done(2000)).applied
    assert (fresh(on_its_way).state, fresh(payment).refunded, fresh(payment).refund_reserved) == ("SUCCEEDED", 5000, 0)
    assert balance("2010") == 5000


@verified
def test_a_refund_on_a_sale_taken_back_can_still_be_asked_about(hands: Hands) -> None:
    payment = hands.sale()
    hands.refund(payment, 3000)
    hands.send(hands.unknown())
    hands.notify(only(payment, "AUTHORIZE"), taken_back(hands, 10000))
    step = hands.asking()
    assert step.question.provider_reference == "ch_1"
    hands.answer(step, hands.done(3000))
    assert fresh(payment).refunded == 3000


@verified
def test_a_refund_that_came_back_is_owed_to_the_payer_until_a_new_one_pays_it(hands: Hands) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 4000)
    hands.send(hands.done(4000))
    assert hands.notify(refund.attempts.get(), taken_back(hands, 4000)).applied
    assert (fresh(refund).state, fresh(refund).reversed, fresh(payment).refunded) == ("REVERSED", 4000, 0)
    assert (fresh(payment).refundable, fresh(payment).returned, balance("2030")) == (10000, 4000, -4000)
    assert balance("2010") == -6000
    assert [event["failure_code"] for event in told(refund, "refund.reversed")] == ["capture_failed"]

    again = hands.refund(payment, 5000)
    assert (fresh(again).from_returned, fresh(payment).returned, balance("2020")) == (4000, 0, -1000)
    hands.send(hands.done(5000))
    assert (balance("2030"), balance("2020"), balance("2010"), balance("1110")) == (0, 0, -5000, 5000)
    hands.notify(again.attempts.get(), taken_back(hands, 5000))
    assert (fresh(payment).returned, balance("2030"), fresh(payment).refunded) == (5000, -5000, 0)


@verified
@pytest.mark.parametrize("ends", ["declined", "found later"])
def test_a_new_refund_that_fails_leaves_the_payer_owed_as_before(hands: Hands, ends) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 4000)
    hands.send(hands.done(4000))
    hands.notify(refund.attempts.get(), taken_back(hands, 4000))
    again = hands.refund(payment, 5000)
    hands.send(hands.declined())
    assert (fresh(payment).returned, balance("2030"), balance("2020"), balance("2010")) == (4000, -4000, 0, -6000)
    if ends == "found later":
        hands.wait(1)
        hands.notify(again.attempts.get(), hands.done(5000), event="evt_late")
        assert (fresh(payment).returned, balance("2030"), balance("2010")) == (0, 0, -5000)


@verified
def test_part_of_a_refund_may_come_back(hands: Hands) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 4000)
    hands.send(hands.done(4000))
    attempt = refund.attempts.get()
    hands.notify(attempt, taken_back(hands, 1500), event="evt_1")
    assert (fresh(refund).state, fresh(refund).reversed, fresh(payment).refunded) == ("SUCCEEDED", 1500, 2500)
    assert len(told(refund, "refund.reversed_in_part")) == 1
    hands.notify(attempt, taken_back(hands, 4000), event="evt_2")
    assert (fresh(refund).state, fresh(payment).refunded, balance("2030")) == ("REVERSED", 0, -4000)


@verified
def test_more_than_was_moved_is_taken_back_up_to_it_and_the_rest_is_told(hands: Hands) -> None:
    payment = hands.sale()
    assert hands.notify(only(payment, "AUTHORIZE"), taken_back(hands, 12000)).applied
    assert amounts(payment) == ("REVERSED", 10000, 10000, 0)
    evidence = OutboxEvent.objects.get(type="payment.late_evidence")
    assert (evidence.data["evidence_amount"], evidence.data["applied"]) == ("2000", False)


def test_a_reversal_of_what_moved_nothing_waits_for_a_person(hands: Hands) -> None:
    payment = hands.hold()
    hold = only(payment, "AUTHORIZE")
    assert not hands.notify(hold, taken_back(hands, 10000)).applied
    assert amounts(payment) == ("AUTHORIZED", 0, 0, 0)
    assert violations() == {
        "payments.no_effect_ignored": [f"{hold}: is SUCCEEDED, yet sandbox says that 10000 of it was taken back"]
    }
    assert OutboxEvent.objects.filter(type="payment.late_evidence").count() == 1


@verified
@pytest.mark.django_db(transaction=True)
def test_the_story_of_a_sale_that_its_provider_takes_back_in_two_parts(api, provider, work) -> None:
    """Through the doors: the sandbox takes back, its notification arrives, the service reads what is left."""
    paid = api.pay(key="order-10293-attempt-1", amount=12990)
    work()
    refund = api.post(f"payments/{paid['id']}/refunds", {"amount": 2990}, key="order-10293-refund-1").json()
    work()
    [charge] = provider.truth()
    sale, given_back = (operation["id"] for operation in charge["operations"])
    provider.take_back(given_back)
    provider.take_back(sale, amount=990)
    for event in provider.events()[-2:]:
        body = {name: event[name] for name in ("id", "type", "created_at", "data")}
        assert deliver(json.dumps(body).encode(), secret=provider.webhook_secret).json() == {"states": ["APPLIED"]}
    shown = api.payment(paid["id"])
    assert (shown["state"], shown["amounts"]["reversed"], shown["amounts"]["refunded"]) == (
        "PARTIALLY_CAPTURED",
        990,
        0,
    )
    came_back = api.get(f"refunds/{refund['id']}").json()
    assert (came_back["state"], came_back["reversed"]) == ("REVERSED", 2990)
    assert came_back["failure"]["code"] == "reversed_by_provider"
    titles = [moment["title"] for moment in api.get(f"payments/{paid['id']}/timeline").json()["moments"]]
    assert {"Refund: reversed", "Payment: partially captured", "Reversed in the ledger"} <= set(titles)
    again = api.post(f"payments/{paid['id']}/refunds", {}, key="order-10293-refund-2")
    assert again.json()["amount"] == 12000
    work()
    [charge] = provider.truth()
    assert (charge["captured"], charge["reversed"], charge["refunded"]) == (12990, 990, 12000)
