"""Money beyond what was asked for: recorded, posted and told, and never counted as part of the payment."""

from dataclasses import replace

import pytest

from ledger.models import Entry, Line
from paymentops.events.models import OutboxEvent
from paymentops.payments.models import Attempt, Payment, ProviderCall
from paymentops.providers.contract import Approved, Method
from tests.payments.hands import Hands, eur, fresh

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]


def paid(hands: Hands, amount: int, reference: str = "E1") -> Approved:
    return replace(hands.sold(amount), provider_reference=reference)


def told(payment: Payment) -> list[str]:
    events = OutboxEvent.objects.filter(aggregate_id=payment.pk, type="payment.excess_recorded")
    return [event.data["excess"] for event in events.order_by("sequence")]


def owed_to_payers() -> int:
    return -sum(Line.objects.filter(account__code="2030").values_list("amount", flat=True))


def test_a_payer_who_sends_more_has_paid_and_is_owed_the_rest(hands: Hands) -> None:
    payment = hands.pay(method=Method.PIX)
    hands.send(paid(hands, 10250))
    found = fresh(payment)
    assert (found.state, found.authorized, found.captured, found.refundable) == ("CAPTURED", 10000, 10000, 10000)
    # Both were posted at one moment, so their ids have no order.
    assert set(Entry.objects.values_list("source_kind", "state")) == {("sale", "POSTED"), ("surplus", "POSTED")}
    assert (told(payment), owed_to_payers()) == (["250"], 250)


def test_the_same_news_again_owes_nothing_more(hands: Hands) -> None:
    payment = hands.pay(method=Method.PIX)
    hands.send(paid(hands, 10250))
    assert not hands.notify(Attempt.objects.get(), paid(hands, 10250)).applied
    assert (told(payment), owed_to_payers()) == (["250"], 250)


def test_a_payer_who_pays_twice_is_owed_the_second_payment_once(hands: Hands) -> None:
    payment = hands.pay(method=Method.PIX)
    hands.send(paid(hands, 10000))
    for event in ("evt_1", "evt_2"):
        hands.notify(Attempt.objects.get(), paid(hands, 10000, "E2"), event=event)
    assert (fresh(payment).captured, told(payment), owed_to_payers()) == (10000, ["10000"], 10000)
    assert ProviderCall.objects.filter(outcome="Excess", applied=True).count() == 1


def test_more_that_is_found_late_is_recorded_too(hands: Hands) -> None:
    payment = hands.pay(method=Method.PIX)
    hands.send(hands.declined())
    assert hands.notify(Attempt.objects.get(), paid(hands, 10250)).applied
    assert (fresh(payment).state, fresh(payment).captured, told(payment)) == ("CAPTURED", 10000, ["250"])


def test_a_card_that_is_said_to_be_charged_more_is_not_believed(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(paid(hands, 10001))
    assert (fresh(payment).state, told(payment)) == ("UNKNOWN_OUTCOME", [])


@pytest.mark.parametrize("amount", [1, 10000, 99999])
def test_a_void_counts_whatever_amount_it_is_told_with(hands: Hands, amount: int) -> None:
    payment = hands.hold()
    hands.cancel(payment)
    hands.send(Approved(provider_reference="op_1", amount=eur(amount), at=hands.now))
    assert (fresh(payment).state, fresh(payment).voided) == ("VOIDED", 10000)
