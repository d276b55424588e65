"""A story told into the database: what it leaves behind, told once, twice or with a break."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db.models import F, Q

from ledger import verification as ledger_verification
from paymentops.demo.scenarios import LASTING, Act
from paymentops.events import verification as events_verification
from paymentops.events.models import OutboxEvent
from paymentops.idempotency.models import KeyUse, UseOutcome
from paymentops.payments import verification as payments_verification
from paymentops.payments.models import Attempt, Payment, PaymentTransition, ProviderCall
from paymentops.payments.operations import dispatching
from tests.demo.conftest import story
from tests.demo.stories import misdirect, pick

pytestmark = pytest.mark.django_db(transaction=True)

# What becomes of an order, by its scenario.
ENDS = {
    "approved": "CAPTURED",
    "declined: fraud": "FAILED",
    "refused as invalid": "FAILED",
    "timeout without effect": "CAPTURED",
    "timeout with effect, no webhook": "CAPTURED",
    "error with effect": "CAPTURED",
    "provider unavailable": "CAPTURED",
    "payer confirms": "CAPTURED",
    "payer gives up": "FAILED",
    "pending, then settled": "CAPTURED",
    "approved in part": "CAPTURED",
    "captured later": "CAPTURED",
    "captured in parts": "CAPTURED",
    "captured in part, the rest released": "CAPTURED",
    "capture without answer": "CAPTURED",
    "capture declined": "VOIDED",
    "released": "VOIDED",
    "cancelled before it was sent": "CANCELED",
    "cancelled while the outcome was unknown": "VOIDED",
    "hold lapsed": "EXPIRED",
    "refunded": "CAPTURED",
    "refunded in two parts": "CAPTURED",
    "refund declined": "CAPTURED",
    "refund pending, then paid": "CAPTURED",
    "sent twice": "CAPTURED",
    "key reused for another order": "CAPTURED",
    "webhook twice": "CAPTURED",
}


def everything() -> dict[str, int]:
    """Count the rows of every table."""
    return {model._meta.label: model._default_manager.count() for model in apps.get_models() if model._meta.managed}


def violations() -> list[str]:
    """Return what does not add up; what is overdue by the database's clock is left out, for the story is an old one."""
    rooms: list[Any] = [ledger_verification, events_verification, payments_verification]
    checks = [check for room in rooms for check in room.checks() if not check.name.endswith("none_overdue")]
    return [f"{check.name}: {found}" for check in checks for found in check.violations]


def test_each_kind_of_order_ends_as_it_should_and_everything_adds_up(teller, provider):
    told = pick(story(400), ENDS)
    teller.tell(told)

    scenarios = {order.reference: order.scenario for order in told.orders}
    ends = {scenarios[payment.reference]: payment.state for payment in Payment.objects.all()}
    assert ends == ENDS
    assert violations() == []
    assert all(effects <= 1 for charge in provider.truth() for effects in charge["effects"].values())
    assert not OutboxEvent.objects.filter(delivery_pending=True).exists()
    uses = Counter(KeyUse.objects.values_list("outcome", flat=True))
    assert uses == {UseOutcome.REPLAYED: 1, UseOutcome.REFUSED: 1}

    payments = {scenarios[payment.reference]: payment for payment in Payment.objects.all()}
    assert payments["refunded"].refunded == payments["refunded"].captured
    assert payments["refunded in two parts"].refunds.filter(state="SUCCEEDED").count() == 2
    assert payments["refund declined"].refunded == 0
    assert payments["refund pending, then paid"].refunded > 0
    assert payments["approved in part"].captured == payments["approved in part"].requested // 2
    assert payments["captured in part, the rest released"].voided > 0


def test_the_story_bears_its_own_dates(teller):
    told = pick(story(400), ["timeout with effect, no webhook", "payer confirms", "refunded"])
    teller.tell(told)
    began = told.steps[0].at
    moves = PaymentTransition.objects.all()
    assert moves.exists()
    assert not moves.filter(Q(recorded_at__lt=began) | Q(recorded_at__gt=told.until)).exists()
    assert not moves.filter(Q(occurred_at__lt=began) | Q(occurred_at__gt=F("recorded_at"))).exists()
    unanswered = ProviderCall.objects.get(kind="DISPATCH", outcome="Unknown")
    assert timedelta(seconds=3) <= unanswered.answered_at - unanswered.started_at < timedelta(seconds=10)


def test_what_stays_open_is_open_when_the_story_ends(teller):
    told = story(len(LASTING))
    teller.tell(told)
    scenarios = {order.reference: order.scenario for order in told.orders}
    assert {scenarios[payment.reference]: payment.state for payment in Payment.objects.all()} == {
        "waits for its capture": "AUTHORIZED",
        "waits for its capture too": "AUTHORIZED",
        "waits for the rest of its capture": "PARTIALLY_CAPTURED",
        "outcome unknown, not charged": "UNKNOWN_OUTCOME",
        "outcome unknown, charged": "UNKNOWN_OUTCOME",
        "payer has not confirmed": "REQUIRES_ACTION",
        "pending": "PROCESSING",
    }
    unknown = Attempt.objects.filter(state="UNKNOWN")
    assert [attempt.inquiries for attempt in unknown] == [5, 5]
    assert all(attempt.next_action_at > told.until + timedelta(hours=5) for attempt in unknown)
    assert violations() == []


def test_told_again_it_adds_nothing(teller, provider):
    told = pick(story(400), ["refunded", "captured in parts", "sent twice", "key reused for another order", "released"])
    teller.tell(told)
    before, truth = everything(), provider.truth()
    teller.tell(told)
    assert everything() == before
    assert provider.truth() == truth


class PulledPlugError(Exception):
    pass


@pytest.mark.parametrize("steps", [1, 4, 9])
def test_broken_off_it_goes_on_where_it_stopped(teller, provider, steps):
    told = pick(
        story(400),
        [
            "timeout with effect",
            "captured in parts",
            "refunded",
            "payer confirms",
            "sent twice",
            "pending, then settled",
        ],
    )

    def pull_the_plug(behind: int) -> None:
        if behind == steps:
            raise PulledPlugError

    with pytest.raises(PulledPlugError):
        teller.tell(told, pull_the_plug)
    teller.tell(told)
    assert Payment.objects.count() == len(told.orders)
    assert set(Payment.objects.values_list("state", flat=True)) == {"CAPTURED"}
    assert KeyUse.objects.count() == 1
    assert violations() == []
    assert len(provider.truth()) == len(told.orders)


def test_killed_after_an_attempt_was_sent_it_asks_what_became_of_it(teller, provider):
    told = pick(story(400), ["approved"])

    def die_while_sending(_behind: int) -> None:
        [claim] = dispatching.claim_due(limit=1, now=told.steps[0].at + timedelta(minutes=1))
        assert dispatching.begin(claim=claim, now=told.steps[0].at + timedelta(minutes=1)) is not None
        raise PulledPlugError

    with pytest.raises(PulledPlugError):
        teller.tell(told, die_while_sending)
    teller.tell(told)
    assert Payment.objects.get().state == "CAPTURED"
    assert len(provider.truth()) == 1
    assert violations() == []


def test_a_step_that_is_refused_does_not_end_the_story(teller, caplog):
    told = pick(story(400), ["declined: fraud", "refunded"])
    teller.tell(misdirect(told, Act.REFUND, onto="declined: fraud"))
    assert "refund of order" in caplog.text
    assert set(Payment.objects.values_list("state", flat=True)) == {"CAPTURED", "FAILED"}
