"""New attempts after a definitive no: when, where, how often, and when never (SEMANTICS section 4)."""

from datetime import timedelta
from typing import Any

import pytest

from ledger.models import Line
from paymentops.events.models import DeadLetter
from paymentops.payments.models import Attempt, Payment
from paymentops.providers.contract import ActionRequired, Declined, Pending, RetryClass
from tests.payments.hands import Hands, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]


@pytest.fixture
def two_providers(settings: Any) -> None:
    """The sandbox and another one that charges the same tokens; no provider is called here."""
    settings.STRIPE_API_KEY = "sk_test_of_a_test"
    settings.FAILOVER_GROUPS = ["sandbox+stripe"]


def soft(hands: Hands, **detail: str) -> Declined:
    return Declined(
        code="insufficient_funds", retry_class=RetryClass.SOFT_DECLINE, message="No.", at=hands.now, detail=detail
    )


def latest() -> Attempt:
    return Attempt.objects.order_by("number").last()


def wait_until_due(hands: Hands) -> None:
    due = Attempt.objects.open().get().next_action_at
    assert due is not None
    hands.now = max(hands.now, due)


def tell(attempts: Any) -> list[tuple[str, str]]:
    return [(attempt.provider, attempt.state) for attempt in attempts.order_by("number")]


def test_a_soft_decline_is_followed_by_an_attempt_of_its_own_key(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(soft(hands))
    first, second = Attempt.objects.order_by("number")
    assert (first.state, second.state, fresh(payment).state) == ("DECLINED", "PREPARED", "PROCESSING")
    assert first.provider_key != second.provider_key
    assert second.decision["because"] == "SOFT_DECLINE"
    assert second.next_action_at == hands.now + timedelta(seconds=second.decision["delay_s"])
    wait_until_due(hands)
    hands.send(hands.sold())
    assert (fresh(payment).state, fresh(payment).captured) == ("CAPTURED", 10000)


def test_three_tries_are_all_there_are(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(soft(hands))
    for _ in range(2):
        wait_until_due(hands)
        hands.send(soft(hands))
    assert [state for _, state in tell(Attempt.objects)] == ["DECLINED"] * 3
    assert (fresh(payment).state, fresh(payment).failure_class) == ("FAILED", "ISSUER_DECLINE")
    assert latest().schedule["decided_by"] == "tries"
    assert not DeadLetter.objects.exists()


@pytest.mark.parametrize(
    "retry_class", ["HARD_DECLINE", "RISK_BLOCK", "PROVIDER_GUARD", "DATA_DECLINE", "AUTH_REQUIRED"]
)
def test_what_may_never_be_tried_again_is_not_even_elsewhere(hands: Hands, two_providers: None, retry_class) -> None:
    payment = hands.pay(provider="")
    hands.send(hands.declined(RetryClass(retry_class), code="a_code"))
    assert (fresh(payment).state, Attempt.objects.count()) == ("FAILED", 1)
    assert latest().schedule["decided_by"] == f"class:{retry_class}"


def test_another_provider_takes_over_and_all_that_follows_stays_there(hands: Hands, two_providers: None) -> None:
    payment = hands.pay(provider="", capture="manual")
    hands.send(soft(hands))
    wait_until_due(hands)
    step = hands.sending()
    assert step.provider == "stripe"
    hands.answer(step, hands.held())
    hands.capture(payment, 4000)
    hands.send(hands.done(4000))
    hands.refund(payment, 1000)
    hands.send(hands.done(1000))
    payment = fresh(payment)
    assert (payment.state, payment.provider, payment.at_provider) == ("CAPTURED", "sandbox", "stripe")
    assert set(Attempt.objects.exclude(operation="AUTHORIZE").values_list("provider", flat=True)) == {"stripe"}
    codes = Line.objects.filter(account__code__startswith="1110").values_list("account__code", flat=True)
    assert set(codes) == {"1110:stripe"}


def test_a_provider_that_was_asked_for_is_not_replaced(hands: Hands, two_providers: None) -> None:
    hands.pay(provider="sandbox")
    hands.send(soft(hands))
    assert tell(Attempt.objects) == [("sandbox", "DECLINED"), ("sandbox", "PREPARED")]


def test_without_a_group_nothing_fails_over(hands: Hands, two_providers: None, settings: Any) -> None:
    settings.FAILOVER_GROUPS = []
    hands.pay(provider="")
    hands.send(soft(hands))
    assert latest().provider == "sandbox"


def test_what_never_left_goes_to_another_provider_after_a_few_tries(hands: Hands, two_providers: None) -> None:
    payment = hands.pay(provider="")
    for _ in range(3):
        wait_until_due(hands)
        hands.send(hands.not_sent())
    assert tell(Attempt.objects) == [("sandbox", "FAILED"), ("stripe", "PREPARED")]
    wait_until_due(hands)
    hands.send(hands.sold())
    assert fresh(payment).at_provider == "stripe"


def test_what_may_have_happened_never_gets_another_key(hands: Hands, two_providers: None) -> None:
    """medusa#16293: the failed row was deleted and a new id used as provider key: a second charge."""
    payment = hands.pay(provider="")
    hands.send(hands.unknown())
    hands.give_up()
    assert (fresh(payment).state, tell(Attempt.objects)) == ("FAILED", [("sandbox", "FAILED")])
    letter = DeadLetter.objects.get()
    assert (letter.source, letter.owner) == ("attempt:sandbox", "Engineering")
    assert payment.public_id in letter.reason


def test_a_doubt_that_turns_out_a_soft_decline_is_tried_again(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    assert fresh(payment).state == "UNKNOWN_OUTCOME"
    hands.ask(soft(hands))
    assert (fresh(payment).state, latest().state, latest().number) == ("PROCESSING", "PREPARED", 2)


@pytest.mark.parametrize("told_by", ["inquiry", "notification"])
def test_a_pending_payment_that_turns_out_declined_is_tried_again(hands: Hands, told_by) -> None:
    """killbill#1832: no retry was scheduled when the on-demand check turned PENDING into failure."""
    payment = hands.pay()
    hands.send(Pending(provider_reference="ch_1", at=hands.now))
    if told_by == "inquiry":
        hands.ask(soft(hands))
    else:
        hands.notify(Attempt.objects.get(), soft(hands))
    assert (fresh(payment).state, latest().state, latest().number) == ("PROCESSING", "PREPARED", 2)
    assert latest().next_action_at > hands.now


def test_a_long_pending_payment_gets_no_second_attempt(hands: Hands) -> None:
    """hyperswitch PR#2380: long-pending payments were failed automatically, though they may have been charged."""
    payment = hands.pay()
    hands.send(Pending(provider_reference="ch_1", at=hands.now))
    hands.wait(3 * 3600)
    hands.ask(Pending(provider_reference="ch_1", at=hands.now))
    hands.ask(hands.unknown())
    assert (fresh(payment).state, Attempt.objects.count()) == ("PROCESSING", 1)
    hands.ask(hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_a_payer_who_took_part_is_not_asked_a_second_time(hands: Hands) -> None:
    payment = hands.pay()
    action = {"type": "redirect", "url": "https://bank.example/3ds"}
    hands.send(ActionRequired(provider_reference="ch_1", action=action, at=hands.now))
    hands.notify(Attempt.objects.get(), soft(hands))
    assert (fresh(payment).state, Attempt.objects.count()) == ("FAILED", 1)


def test_a_prepared_attempt_is_cancelled_at_once(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(soft(hands))
    assert hands.cancel(payment).mode == "AT_ONCE"
    assert (fresh(payment).state, latest().state) == ("CANCELED", "CANCELED")


def test_late_evidence_takes_a_prepared_attempt_back(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(soft(hands))
    first = Attempt.objects.get(number=1)
    assert hands.notify(first, hands.sold()).applied
    assert fresh(payment).state == "CAPTURED"
    assert tell(Attempt.objects) == [("sandbox", "SUCCEEDED"), ("sandbox", "CANCELED")]


def test_nothing_is_tried_after_the_requests_deadline(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(soft(hands))
    hands.wait(3600)
    assert hands.begin() is None
    assert (fresh(payment).state, fresh(payment).failure_class) == ("FAILED", "ISSUER_DECLINE")
    assert latest().state == "CANCELED"
    assert DeadLetter.objects.get().reference == latest().public_id


def test_a_scheme_cap_ends_the_tries_of_a_card(hands: Hands) -> None:
    for _ in range(3):
        hands.pay()
        hands.send(soft(hands, scheme="mastercard"))
        for _ in range(2):
            wait_until_due(hands)
            hands.send(soft(hands, scheme="mastercard"))
    payment = hands.pay()
    hands.send(soft(hands, scheme="mastercard"))
    assert fresh(payment).state == "FAILED"
    assert payment.attempts.get().schedule["decided_by"] == "scheme_cap"
    other = hands.pay(payment_token="tok_other_card")
    hands.send(soft(hands, scheme="mastercard"))
    assert fresh(other).state == "PROCESSING"


def test_new_attempts_wait_while_successful_traffic_does_not_bear_them(hands: Hands) -> None:
    for _ in range(11):
        hands.pay()
        hands.send(soft(hands))
    for attempt in Attempt.objects.filter(number=2).order_by("next_action_at"):
        hands.now = max(hands.now, attempt.next_action_at)
        step = hands.begin()
        if step is None:
            break
        hands.answer(step, hands.declined())
    held = Attempt.objects.get(schedule__rule="over_budget")
    assert (held.schedule["successes"], held.schedule["tried_again"]) == (0, 10)
    assert held.next_action_at == hands.now + timedelta(seconds=held.schedule["delay_s"])
    hands.wait(300)
    hands.send(hands.sold())
    assert Payment.objects.get(attempts=held).state == "CAPTURED"


def test_the_first_policy_tries_once_as_it_promised(hands: Hands, settings: Any, two_providers: None) -> None:
    settings.RETRY_POLICY = "2026-11-01"
    payment = hands.pay(provider="")
    settings.RETRY_POLICY = "2026-11-22"
    for _ in range(12):
        wait_until_due(hands)
        hands.send(hands.not_sent())
    assert tell(Attempt.objects) == [("sandbox", "PREPARED")]
    wait_until_due(hands)
    hands.send(soft(hands))
    assert (fresh(payment).state, Attempt.objects.count()) == ("FAILED", 1)
