"""What no provider can tell, two people decide: proposed by one, recorded by the other's approval, once."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from ledger.models import Entry
from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal
from paymentops.casework.operations import NotAllowed, OwnProposal, StaleFacts
from paymentops.core import clock
from paymentops.events.models import OutboxEvent
from paymentops.payments import timeline
from paymentops.payments.decisions import DecisionNotUsable, ItDidNotHappen, ItHappened, NotForPeople
from paymentops.payments.models import Attempt, AttemptTransition
from paymentops.payments.operations import asking, deciding
from paymentops.payments.operations.deciding import NotUnknown
from paymentops.payments.queries import ambiguity as reading
from paymentops.payments.timeline import Lane
from tests.payments.conftest import violations
from tests.payments.hands import Hands, by_force, eur, fresh

pytestmark = pytest.mark.django_db
verified = pytest.mark.usefixtures("verified")

WEEK = 7 * 86400
NO = ItDidNotHappen(evidence="The provider's list of the day has no such charge.")


def person(name: str, role: str = "Finance approver") -> Actor:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return Actor.person(User.objects.get(pk=user.pk))


@pytest.fixture
def first(db) -> Actor:
    return person("first")


@pytest.fixture
def second(db) -> Actor:
    return person("second")


def unknown(hands: Hands, operation: str = "AUTHORIZE", *, old: bool = True) -> Attempt:
    """Return an attempt of which nobody knows whether it happened, past its cut-off unless told otherwise."""
    if operation == "AUTHORIZE":
        hands.pay()
    elif operation == "REFUND":
        hands.refund(hands.sale(), 4000)
    elif operation == "CAPTURE":
        hands.capture(hands.hold(), 4000)
    else:
        hands.cancel(hands.hold())
    hands.send(hands.unknown())
    hands.wait(WEEK if old else 60)
    return Attempt.objects.get(state="UNKNOWN")


def happened(hands: Hands, minor: int = 10000, **changed: Any) -> ItHappened:
    values = {
        "amount": eur(minor),
        "provider_reference": "ch_by_hand",
        "occurred_at": hands.now - timedelta(seconds=30),
        "evidence": "A page of the provider shows it.",
    }
    return ItHappened(**{**values, **changed})


def propose(hands: Hands, attempt: Attempt, decision: Any, by: Actor) -> Proposal:
    return deciding.propose_outcome(attempt.pk, decision, reason="The provider is silent.", by=by, now=hands.now)


def approve(hands: Hands, proposal: Proposal, by: Actor) -> Any:
    hands.wait(1)
    return deciding.approve_outcome(proposal_id=proposal.pk, version=proposal.version, by=by, now=hands.now)


STORIES = {
    "AUTHORIZE": (10000, "CAPTURED", 1),
    "CAPTURE": (4000, "PARTIALLY_CAPTURED", 3),
    "VOID": (10000, "VOIDED", 1),
    "REFUND": (4000, "CAPTURED", 3),
}


@verified
@pytest.mark.parametrize("operation", STORIES)
def test_that_it_happened_is_recorded_and_posted_like_an_answer(hands, first, second, operation) -> None:
    minor, state, entries = STORIES[operation]
    attempt = unknown(hands, operation)
    proposal = propose(hands, attempt, happened(hands, minor), first)
    assert fresh(attempt).state == "UNKNOWN"
    assert approve(hands, proposal, second).carried_out().state == "SUCCEEDED"
    assert (fresh(attempt.payment).state, Entry.objects.count()) == (state, entries)
    move = AttemptTransition.objects.get(attempt=attempt, to_state="SUCCEEDED")
    assert (move.cause, move.actor) == (f"decision:{attempt.public_id}/{proposal.public_id}", "second")


@verified
@pytest.mark.parametrize(
    ("operation", "state"),
    [("AUTHORIZE", "FAILED"), ("CAPTURE", "AUTHORIZED"), ("VOID", "AUTHORIZED"), ("REFUND", "CAPTURED")],
)
def test_that_it_did_not_happen_releases_what_was_held_back(hands, first, second, operation, state) -> None:
    attempt = unknown(hands, operation)
    approve(hands, propose(hands, attempt, NO, first), second).carried_out()
    payment = fresh(attempt.payment)
    assert (fresh(attempt).state, payment.state, payment.refund_reserved) == ("FAILED", state, 0)
    [found] = reading.judged([fresh(attempt)], now=hands.now)
    assert found.verdict.sentence == (
        f"Yes, because two people decided on evidence that the {found.verdict.because.split('that the ')[1]}."
    )
    assert found.verdict.safe


def test_nobody_approves_what_they_proposed_whatever_their_rights(hands, first) -> None:
    attempt = unknown(hands)
    User.objects.filter(username="first").update(is_superuser=True)
    proposal = propose(hands, attempt, NO, first)
    with pytest.raises(OwnProposal):
        approve(hands, proposal, first)
    agreed = {"state": "APPROVED", "decided_by": first.user, "decided_at": hands.now}
    with pytest.raises(IntegrityError), transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(**agreed)


def test_it_takes_the_rights_to_propose_and_to_approve(hands, first) -> None:
    attempt = unknown(hands)
    with pytest.raises(NotAllowed):
        propose(hands, attempt, NO, person("viewer", "Viewer"))
    proposal = propose(hands, attempt, NO, person("engineer", "Engineer"))
    with pytest.raises(NotAllowed):
        approve(hands, proposal, person("colleague", "Engineer"))


@verified
def test_an_approval_of_facts_that_have_changed_is_refused_and_says_which(hands, first, second) -> None:
    attempt = unknown(hands)
    proposal = propose(hands, attempt, NO, first)
    hands.notify(attempt, hands.sold())
    decided = approve(hands, proposal, second)
    assert decided.proposal.state == "STALE"
    with pytest.raises(StaleFacts) as refusal:
        decided.carried_out()
    assert "attempt.state was UNKNOWN and is SUCCEEDED" in refusal.value.detail
    assert fresh(attempt.payment).state == "CAPTURED"


@verified
def test_another_answer_of_the_same_kind_does_not_undo_a_proposal(hands, first, second) -> None:
    attempt = unknown(hands)
    hands.ask(hands.unknown())
    hands.wait(86400)
    proposal = propose(hands, attempt, NO, first)
    asking.ask_now(attempt_id=attempt.pk, by=first, now=hands.now)
    hands.ask(hands.unknown())
    assert approve(hands, proposal, second).proposal.state == "CARRIED_OUT"


@verified
def test_an_approval_counts_once(hands, first, second) -> None:
    attempt = unknown(hands)
    proposal = propose(hands, attempt, happened(hands), first)
    approve(hands, proposal, second)
    with pytest.raises(casework.ProposalChanged):
        approve(hands, proposal, person("third"))
    assert fresh(attempt.payment).captured == 10000
    with pytest.raises(NotUnknown):
        propose(hands, attempt, NO, first)


def test_a_process_that_dies_while_it_records_leaves_the_proposal_as_it_was(hands, first, second, monkeypatch) -> None:
    attempt = unknown(hands)
    proposal = propose(hands, attempt, happened(hands), first)

    def die(**_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(deciding.outcomes, "record", die)
        with pytest.raises(KeyboardInterrupt):
            approve(hands, proposal, second)
    assert (fresh(attempt).state, Proposal.objects.get().state) == ("UNKNOWN", "PROPOSED")
    approve(hands, proposal, second).carried_out()
    assert fresh(attempt.payment).state == "CAPTURED"
    assert violations() == {}


def test_that_it_did_not_happen_is_for_people_only_when_nothing_else_can_tell(hands, first, settings) -> None:
    attempt = unknown(hands, old=False)
    with pytest.raises(NotForPeople):
        propose(hands, attempt, NO, first)
    settings.SANDBOX_CAN_INQUIRE = False
    with pytest.raises(NotForPeople):
        propose(hands, attempt, NO, first)
    hands.wait(20 * 3600)
    propose(hands, attempt, NO, first)


@verified
def test_that_it_happened_may_be_proven_before_the_cut_off(hands, first, second) -> None:
    attempt = unknown(hands, old=False)
    approve(hands, propose(hands, attempt, happened(hands), first), second).carried_out()
    assert fresh(attempt.payment).state == "CAPTURED"


@pytest.mark.parametrize(
    "changed",
    [
        {"amount": eur(10001)},
        {"amount": eur(0)},
        {"provider_reference": " "},
        {"evidence": ""},
        {"occurred_at": clock.now() + timedelta(days=30)},
        {"occurred_at": clock.now() - timedelta(days=30)},
    ],
)
def test_a_decision_that_cannot_be_true_is_refused(hands, first, changed) -> None:
    attempt = unknown(hands)
    with pytest.raises(DecisionNotUsable):
        propose(hands, attempt, happened(hands, **changed), first)


def test_a_refund_happens_as_a_whole(hands, first) -> None:
    attempt = unknown(hands, "REFUND")
    with pytest.raises(DecisionNotUsable):
        propose(hands, attempt, happened(hands, 3999), first)


@verified
def test_a_provider_that_says_yes_after_all_is_late_evidence(hands, first, second) -> None:
    attempt = unknown(hands)
    approve(hands, propose(hands, attempt, NO, first), second)
    assert hands.notify(attempt, hands.sold()).applied
    assert fresh(attempt.payment).state == "CAPTURED"
    assert OutboxEvent.objects.filter(type="payment.late_evidence").count() == 1


@verified
@pytest.mark.parametrize("otherwise", ["declined", "other amount", "other id"])
def test_a_provider_that_says_otherwise_changes_nothing_and_is_told_of(hands, first, second, otherwise) -> None:
    attempt = unknown(hands)
    approve(hands, propose(hands, attempt, happened(hands, 9000), first), second)
    before = fresh(attempt.payment).version
    told = {
        "declined": hands.declined(),
        "other amount": hands.sold(10000),
        "other id": hands.sold(9000),
    }[otherwise]
    assert not hands.notify(attempt, told).applied
    assert (fresh(attempt.payment).captured, fresh(attempt.payment).version) == (9000, before)
    [event] = OutboxEvent.objects.filter(type="payment.decision_contradicted")
    assert (event.data["amount_decided"], event.data["amount_told"] == "0") == ("9000", otherwise == "declined")


@verified
def test_a_provider_that_confirms_a_decision_is_no_news(hands, first, second) -> None:
    attempt = unknown(hands)
    approve(hands, propose(hands, attempt, happened(hands, provider_reference="ch_1"), first), second)
    hands.notify(attempt, hands.sold())
    assert not OutboxEvent.objects.filter(aggregate_type="evidence").exists()


def test_the_story_tells_who_decided_and_services_are_told_that_it_was_decided(hands, first, second) -> None:
    attempt = unknown(hands)
    approve(hands, propose(hands, attempt, NO, first), second)
    moments = timeline.tell(timeline.gather(fresh(attempt.payment)))
    people = [moment for moment in moments if moment.lane is Lane.PERSON]
    assert [moment.actor for moment in people if moment.title.startswith("Payment: outcome ")] == ["first", "second"]
    assert any("two people decided that it did not happen" in moment.title for moment in people)
    seen = timeline.without_people(moments)
    assert not any("first" in str(moment) or "provider's list" in str(moment.facts) for moment in seen)
    assert any(moment.cause.startswith("decision:") and moment.actor == "operator" for moment in seen)


@pytest.mark.parametrize(
    "forgery",
    [
        "UPDATE casework_proposal SET proposed_by_id = NULL, proposer_kind = 'SYSTEM'",
        "UPDATE casework_proposal SET state = 'WITHDRAWN', decided_by_id = NULL, decided_at = NULL",
        "DELETE FROM casework_proposal",
        "UPDATE casework_proposal SET payload = jsonb_set(payload, '{amount}', '\"1\"')",
        "DELETE FROM payments_attempttransition WHERE cause LIKE 'decision:%%'",
    ],
)
def test_a_forged_decision_is_named(hands, first, second, forgery: str) -> None:
    attempt = unknown(hands)
    approve(hands, propose(hands, attempt, happened(hands), first), second)
    assert "payments.decisions_have_two_people" not in violations()
    by_force(forgery)
    assert {"payments.decisions_have_two_people", "payments.decisions_as_proposed"} & violations().keys()
