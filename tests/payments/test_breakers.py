"""Breakers at work on a real database: counting, holding back, probing, closing; also between workers at once."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as used

from paymentops.events import operations as events
from paymentops.events.models import OutboxEvent
from paymentops.incidents.models import Incident
from paymentops.payments import breaker as rules
from paymentops.payments import tasks
from paymentops.payments.breaker import Effect, Key, Tally
from paymentops.payments.models import Attempt, Breaker, BreakerProbe, BreakerTransition, ProviderCall
from paymentops.payments.operations import breaking, dispatching
from paymentops.payments.operations.dispatching import Send
from paymentops.payments.queries import breakers as queries
from paymentops.providers.contract import Method, Outcome
from tests.payments.conftest import Api, violations
from tests.payments.hands import Hands, by_force, fresh, make_requester
from tests.payments.test_races import race
from tests.plugins.sandbox import SandboxServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("verified")]
KEY = Key("sandbox", "AUTHORIZE", "card")


LEAST_CALLS = 4


@pytest.fixture
def hands(transactional_db: None, settings: Any) -> Hands:
    settings.BREAKER_LEAST_CALLS = LEAST_CALLS
    return Hands(requester=make_requester("breakers"))


def tell(hands: Hands, step: Send, outcome: Outcome) -> None:
    """Record an answer and let the breaker know, as a worker does."""
    hands.answer(step, outcome)
    effect = rules.effect_of(type(outcome).__name__, reason=getattr(outcome, "reason", ""))
    breaking.note(key=KEY, probe=step.probe, effect=effect, now=hands.now)


def call(hands: Hands, outcome: Callable[[], Outcome]) -> None:
    """Accept a payment, send it and answer; what stays unknown is then told by a notification."""
    payment = hands.pay()
    tell(hands, hands.sending(), outcome())
    attempt = Attempt.objects.get(payment=payment)
    if attempt.state == "UNKNOWN":
        hands.notify(attempt, hands.declined(), event=f"evt_{attempt.pk.hex}")


def opened(hands: Hands) -> Breaker:
    """Let the breaker open on calls without an answer."""
    for _ in range(LEAST_CALLS):
        call(hands, hands.unknown)
    breaking.sweep(now=hands.now)
    return the_breaker("OPEN")


def half_open(hands: Hands) -> Breaker:
    """Wait until the first probe may go."""
    opened(hands)
    hands.wait(31)
    breaking.sweep(now=hands.now)
    return the_breaker("HALF_OPEN")


def the_breaker(state: str) -> Breaker:
    found = Breaker.objects.get()
    assert found.state == state
    return found


def later(hands: Hands) -> None:
    """Move the clock to when the next attempt is due."""
    due = Attempt.objects.open().order_by("next_action_at").first()
    assert due is not None
    assert due.next_action_at is not None
    hands.now = max(hands.now, due.next_action_at)


def test_failures_open_the_breaker_with_their_figures_an_event_and_an_incident(hands: Hands) -> None:
    found = opened(hands)
    [moved] = BreakerTransition.objects.all()
    assert (moved.from_state, moved.to_state, moved.reason) == ("CLOSED", "OPEN", "100% of 4 calls failed.")
    assert moved.figures == {"calls": 4, "worked": 0, "failed": 0, "unknown": 4, "share": 1.0}
    told = OutboxEvent.objects.get(aggregate_type="breaker")
    assert (told.type, told.aggregate_id, told.sequence) == ("breaker.opened", found.pk, found.version)
    events.deliver_due(now=hands.now, limit=1000)
    incident = Incident.objects.get()
    assert (incident.rule, incident.severity, incident.provider, incident.method, incident.operation) == (
        "breaker.opened",
        "SEV2",
        "sandbox",
        "card",
        "AUTHORIZE",
    )


def test_the_worker_that_sees_a_failure_counts_and_nobody_counts_again_for_half_a_second(hands: Hands) -> None:
    call(hands, hands.unknown)
    hands.wait(0.6)
    for _ in range(LEAST_CALLS - 1):
        call(hands, hands.unknown)
    the_breaker("CLOSED")
    hands.wait(0.6)
    call(hands, hands.unknown)
    the_breaker("OPEN")


def test_declines_open_nothing_and_leave_no_row(hands: Hands) -> None:
    for _ in range(LEAST_CALLS + 1):
        call(hands, hands.declined)
    assert breaking.sweep(now=hands.now) == 0
    assert not Breaker.objects.exists()
    assert queries.tallies(since=hands.now - breaking.rule().window) == {KEY: Tally(worked=LEAST_CALLS + 1)}


def test_calls_older_than_the_window_no_longer_count(hands: Hands) -> None:
    for _ in range(LEAST_CALLS - 1):
        call(hands, hands.unknown)
    hands.wait(31)
    call(hands, hands.unknown)
    assert breaking.sweep(now=hands.now) == 0
    the_breaker("CLOSED")


def test_an_open_breaker_leaves_an_attempt_prepared_with_the_inputs_of_its_next_look(hands: Hands) -> None:
    found = opened(hands)
    payment = hands.pay()
    assert hands.begin() is None
    attempt = Attempt.objects.get(payment=payment)
    assert (attempt.state, attempt.dispatches, attempt.lease_expires_at) == ("PREPARED", 0, None)
    assert found.probes_from is not None
    assert attempt.next_action_at is not None
    assert found.probes_from < attempt.next_action_at
    assert attempt.schedule["rule"] == "breaker"
    assert attempt.schedule["breaker"] == "sandbox/AUTHORIZE/card"
    assert attempt.schedule["probes_from"] == found.probes_from.isoformat()
    assert fresh(payment).state == "CREATED"


def test_no_inquiry_is_held_back(hands: Hands) -> None:
    payment = hands.pay()
    tell(hands, hands.sending(), hands.unknown())
    Attempt.objects.filter(payment=payment).update(next_action_at=None)
    opened(hands)
    Attempt.objects.filter(payment=payment).update(next_action_at=hands.now)
    hands.ask(hands.sold())
    assert fresh(payment).state == "CAPTURED"
    the_breaker("OPEN")


def test_what_was_proven_not_executed_waits_for_the_breaker_before_it_is_sent_again(hands: Hands) -> None:
    payment = hands.pay()
    tell(hands, hands.sending(), hands.unknown())
    Attempt.objects.filter(payment=payment).update(next_action_at=None)
    opened(hands)
    Attempt.objects.filter(payment=payment).update(next_action_at=hands.now)
    while not hands.answer(step := hands.asking(), hands.not_found()).resend:
        pass
    assert dispatching.begin_resend(claim=step.claim, now=hands.now) is None
    attempt = Attempt.objects.get(payment=payment)
    assert attempt.state == "UNKNOWN"
    assert attempt.schedule["rule"] == "breaker"
    hands.asking()


def test_other_operations_and_methods_are_not_held_back(hands: Hands) -> None:
    payment = hands.hold()
    opened(hands)
    hands.capture(payment)
    step = hands.sending()
    assert step.instruction.operation == "CAPTURE"
    hands.answer(step, hands.done(10000))
    hands.pay(method=Method.WALLET)
    hands.send(hands.sold())


def test_one_probe_then_five_close_it_and_release_what_waited(hands: Hands) -> None:
    opened(hands)
    waiting = [hands.pay() for _ in range(8)]
    for _ in waiting:
        assert hands.begin() is None
    sent = 0
    while Breaker.objects.get().state != "CLOSED":
        later(hands)
        step = hands.begin()
        if isinstance(step, Send):
            assert step.probe is not None
            sent += 1
            tell(hands, step, hands.sold())
    assert sent == 6
    assert list(BreakerTransition.objects.order_by("sequence").values_list("to_state", flat=True)) == [
        "OPEN",
        "HALF_OPEN",
        "HALF_OPEN",
        "CLOSED",
    ]
    assert list(BreakerProbe.objects.values_list("round", "number")) == [(1, 1), *[(2, n) for n in range(1, 6)]]
    # The rest is due at once, without probes, and the failures that opened it are forgotten.
    for _ in range(2):
        step = hands.sending()
        assert step.probe is None
        tell(hands, step, hands.sold())
    assert breaking.sweep(now=hands.now) == 0
    the_breaker("CLOSED")


def test_a_probe_that_fails_opens_it_again(hands: Hands) -> None:
    half_open(hands)
    hands.pay()
    tell(hands, hands.sending(), hands.not_sent())
    found = the_breaker("OPEN")
    assert found.probes_from is not None
    assert found.probes_from > hands.now
    assert BreakerTransition.objects.order_by("-sequence")[0].reason == "A probe failed."


def test_workers_at_once_send_one_probe(hands: Hands) -> None:
    half_open(hands)
    for _ in range(6):
        hands.pay()
    claims, now = dispatching.claim_due(limit=6, now=hands.now), hands.now
    steps = race(*[lambda c=claim: dispatching.begin(claim=c, now=now) for claim in claims])
    assert len(claims) == 6
    assert sum(isinstance(step, Send) for step in steps) == 1
    assert BreakerProbe.objects.count() == 1
    assert Attempt.objects.filter(state="DISPATCHED").count() == 1


def test_workers_that_count_at_once_open_it_once(hands: Hands) -> None:
    for _ in range(LEAST_CALLS):
        call(hands, hands.unknown)
    now = hands.now
    race(*[lambda: breaking.sweep(now=now)] * 5)
    the_breaker("OPEN")
    assert BreakerTransition.objects.count() == 1


def test_a_worker_that_dies_with_the_probe_frees_its_slot_when_the_lease_ends(hands: Hands) -> None:
    half_open(hands)
    first = hands.pay()
    assert hands.sending().probe is not None
    second = hands.pay()
    assert hands.begin() is None
    hands.wait(used.LEASE_SECONDS)
    claims = dispatching.claim_due(limit=5, now=hands.now)
    steps = [dispatching.begin(claim=claim, now=hands.now) for claim in claims]
    [step] = [step for step in steps if isinstance(step, Send)]
    tell(hands, step, hands.sold())
    assert BreakerProbe.objects.filter(round=1).count() == 1
    assert (fresh(first).state, fresh(second).state) == ("UNKNOWN_OUTCOME", "CAPTURED")
    assert the_breaker("HALF_OPEN").permitted == 5


def test_a_probe_that_says_nothing_gives_its_slot_back(hands: Hands) -> None:
    half_open(hands)
    hands.pay()
    step = hands.sending()
    breaking.note(key=KEY, probe=step.probe, effect=Effect.NOTHING, now=hands.now)
    hands.pay()
    assert hands.sending().probe == step.probe


def test_a_late_answer_of_an_earlier_round_changes_nothing(hands: Hands) -> None:
    half_open(hands)
    hands.pay()
    step = hands.sending()
    found = the_breaker("HALF_OPEN")
    breaking.note(key=KEY, probe=step.probe, effect=Effect.FAILED, now=hands.now)
    breaking.note(key=KEY, probe=step.probe, effect=Effect.WORKED, now=hands.now)
    assert the_breaker("OPEN").version == found.version + 1


def test_a_breaker_that_contradicts_its_history_is_named(hands: Hands) -> None:
    found = opened(hands)
    by_force("UPDATE payments_breaker SET state = 'CLOSED' WHERE id = %s", found.pk)
    assert violations() == {
        "payments.breaker_states_fold": [f"brk_{found.pk.hex}: is CLOSED, its transitions lead to OPEN"]
    }
    by_force("UPDATE payments_breaker SET state = 'OPEN' WHERE id = %s", found.pk)


def test_new_payments_go_to_a_provider_whose_breaker_is_closed(hands: Hands, settings: Any) -> None:
    settings.STRIPE_API_KEY = "sk_test_of_a_test"
    opened(hands)
    routed = hands.pay(provider="")
    assert (routed.provider, routed.route["reason"]) == ("stripe", "priority 2; sandbox held back: breaker open")
    assert hands.pay(provider="sandbox").provider == "sandbox"
    hands.wait(31)
    breaking.sweep(now=hands.now)
    # A free probe draws a payment, so that the breaker can close; once it is on its way the others stay away.
    probing = hands.pay(provider="")
    assert (probing.provider, probing.route["reason"]) == ("sandbox", "priority 1")


@pytest.mark.slow
def test_it_opens_on_a_dead_provider_and_closes_when_that_is_back(
    api: Api, provider: SandboxServer, settings: Any
) -> None:
    settings.BREAKER_LEAST_CALLS = 6
    settings.SANDBOX_TIMEOUT_SECONDS = 1
    settings.BREAKER_OPEN_SECONDS = 1
    provider.kill()
    made = [api.pay(key=f"order-{n:04d}-attempt-1") for n in range(10)]
    tasks.sweep()  # sends, and fails
    tasks.sweep()  # counts
    the_breaker("OPEN")
    sent = ProviderCall.objects.count()
    tasks.sweep()
    assert ProviderCall.objects.count() == sent
    provider.start()
    done = threading.Event()
    while not done.wait(0.2):
        tasks.sweep()
        if all(api.payment(one["id"])["state"] == "CAPTURED" for one in made):
            done.set()
    the_breaker("CLOSED")
    assert len(provider.truth()) == len(made)
