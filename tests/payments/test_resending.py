"""Providers that cannot be asked: the same request under the same key, while the key is safe, and never another one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from paymentops.payments.models import Attempt
from paymentops.payments.operations import dispatching, working
from paymentops.payments.operations.dispatching import Send
from paymentops.providers import registry
from paymentops.providers.contract import Pending, RetryClass
from tests.payments.hands import Hands, fresh
from tests.plugins.sandbox import SandboxServer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]

DAY = 24 * 3600


@pytest.fixture(autouse=True)
def cannot_be_asked(settings: Any) -> None:
    settings.SANDBOX_CAN_INQUIRE = False
    settings.SANDBOX_INQUIRY_SECONDS = [30, 120, 3600]


def due(hands: Hands) -> Send | None:
    """Wait until the open attempt is due and begin what it needs."""
    next_action_at = Attempt.objects.open().get().next_action_at
    assert next_action_at is not None
    hands.now = max(hands.now, next_action_at)
    step = hands.begin()
    assert step is None or isinstance(step, Send)
    return step


def without_time(step: Send) -> Any:
    """Return what makes the bytes of a request: all of the instruction but when it is sent."""
    return replace(step.instruction, at=None, deadline=step.instruction.deadline.min)


def test_an_unknown_outcome_is_resolved_by_the_same_request_under_the_same_key(hands: Hands) -> None:
    payment = hands.pay()
    first = hands.sending()
    hands.answer(first, hands.unknown())
    assert fresh(payment).state == "UNKNOWN_OUTCOME"
    again = due(hands)
    assert again is not None
    assert (again.number, without_time(again)) == (2, without_time(first))
    assert fresh(payment).state == "PROCESSING"
    hands.answer(again, hands.sold())
    assert (fresh(payment).state, Attempt.objects.get().inquiries) == ("CAPTURED", 0)


@pytest.mark.parametrize("operation", ["CAPTURE", "VOID", "REFUND"])
def test_every_operation_is_resent_the_same(hands: Hands, operation: str) -> None:
    payment = hands.sale() if operation == "REFUND" else hands.hold()
    if operation == "CAPTURE":
        hands.capture(payment, 4000)
    elif operation == "VOID":
        hands.cancel(payment)
    else:
        hands.refund(payment, 4000)
    first = hands.sending()
    hands.answer(first, hands.unknown())
    again = due(hands)
    assert again is not None
    assert without_time(again) == without_time(first)
    hands.answer(again, hands.done(first.instruction.amount.minor))
    assert Attempt.objects.get(operation=operation).state == "SUCCEEDED"


def test_it_is_resent_on_the_schedule_until_four_fifths_of_the_key_window_and_then_never(hands: Hands) -> None:
    payment = hands.pay()
    started = hands.now
    hands.send(hands.unknown())
    waits = []
    while (step := due(hands)) is not None:
        waits.append((hands.now - started).total_seconds())
        hands.answer(step, hands.unknown())
    assert waits[:4] == [30, 150, 3750, 7350]
    assert DAY * 0.8 - 3600 <= waits[-1] < DAY * 0.8
    sent = Attempt.objects.get().dispatches
    for _ in range(3):
        assert due(hands) is None
    attempt = Attempt.objects.get()
    assert (attempt.state, attempt.dispatches, attempt.schedule["rule"]) == ("UNKNOWN", sent, "by_hand")
    assert fresh(payment).state == "UNKNOWN_OUTCOME"
    assert hands.notify(attempt, hands.sold()).applied
    assert fresh(payment).state == "CAPTURED"


def test_a_dead_worker_is_followed_by_a_resend(hands: Hands) -> None:
    payment = hands.pay()
    hands.sending()
    hands.wait(61)
    assert hands.begin() is None
    again = due(hands)
    assert again is not None
    hands.answer(again, hands.sold())
    assert fresh(payment).state == "CAPTURED"


def test_a_resend_that_is_refused_before_its_key_counts_proves_nothing(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    again = due(hands)
    assert again is not None
    hands.answer(again, hands.declined(RetryClass.INVALID, code="http_401"))
    assert (fresh(payment).state, Attempt.objects.get().state) == ("UNKNOWN_OUTCOME", "UNKNOWN")
    last = due(hands)
    assert last is not None
    hands.answer(last, hands.declined())
    assert fresh(payment).state == "FAILED"


def test_a_sale_that_was_cancelled_is_not_sent_again(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(hands.unknown())
    hands.cancel(payment)
    assert due(hands) is None
    assert Attempt.objects.get().state == "UNKNOWN"


def test_what_is_pending_waits_for_news_without_being_asked(hands: Hands) -> None:
    payment = hands.pay()
    hands.send(Pending(provider_reference="ch_1", at=hands.now))
    assert due(hands) is None
    assert not Attempt.objects.get().calls.filter(kind="INQUIRY").exists()
    hands.notify(Attempt.objects.get(), hands.sold())
    assert fresh(payment).state == "CAPTURED"


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_slept_past_its_lease_and_the_resend_charge_once(hands: Hands, provider: SandboxServer) -> None:
    """The first worker stops between its commit and its call; it wakes up after another one has sent and recorded."""
    payment = hands.pay()
    asleep = hands.sending()
    hands.wait(61)
    assert hands.begin() is None
    hands.wait(30)
    assert working.work_off(limit=10, clock=lambda: hands.now) == 1
    assert fresh(payment).state == "CAPTURED"

    late = registry.get("sandbox").authorize(asleep.instruction)
    assert not hands.answer(asleep, late).applied
    [charge] = provider.truth()
    assert (charge["captured"], fresh(payment).captured) == (10000, 10000)
    assert Attempt.objects.get().dispatches == 2


def test_nothing_is_due_before_its_time(hands: Hands) -> None:
    hands.pay()
    hands.send(hands.unknown())
    assert dispatching.claim_due(limit=1, now=hands.now + timedelta(seconds=29)) == []
