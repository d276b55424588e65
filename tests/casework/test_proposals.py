"""What one person proposes happens once, only through a second person, and only while the facts are the same."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from paymentops.access.actors import Actor
from paymentops.access.models import AuditEntry, Team, User
from paymentops.casework import operations
from paymentops.casework.models import Proposal, ProposalTransition, Subject
from paymentops.core.errors import Conflict, InvalidInput, Unavailable
from paymentops.events.models import OutboxEvent
from tests.casework.conftest import FACTS, KIND, LATER, NOW, SUBJECT, approved, person, proposed

pytestmark = pytest.mark.django_db


@pytest.fixture
def maker(db) -> Actor:
    return person("maker", "Finance")


@pytest.fixture
def checker(db) -> Actor:
    return person("checker")


def states(proposal: Proposal) -> list[str]:
    return list(proposal.transitions.order_by("sequence").values_list("to_state", flat=True))


def test_a_proposal_is_carried_out_when_a_second_person_agrees(maker, checker) -> None:
    proposal = proposed(maker)
    seen: list[Proposal] = []
    decision = approved(proposal, checker, carry_out=lambda agreed: seen.append(agreed) or "ent_1")
    assert decision.carried_out() == "ent_1"
    assert [agreed.pk for agreed in seen] == [proposal.pk]
    stored = Proposal.objects.get()
    assert (stored.state, stored.outcome, stored.version) == ("CARRIED_OUT", "ent_1", 3)
    assert (stored.proposed_by, stored.decided_by, stored.decided_at) == (maker.user, checker.user, LATER)
    assert states(stored) == ["PROPOSED", "APPROVED", "CARRIED_OUT"]


def test_every_move_leaves_its_audit_row_and_its_event(maker, checker) -> None:
    approved(proposed(maker), checker)
    told = ["casework.proposed", "casework.approved", "casework.carried_out"]
    assert list(OutboxEvent.objects.order_by("sequence").values_list("type", flat=True)) == told
    rows = AuditEntry.objects.filter(object_type="proposal").order_by("at", "id")
    assert sorted(row.action for row in rows) == ["proposal.approved", "proposal.carried_out", "proposal.proposed"]
    assert {row.actor for row in rows} == {"maker", "checker"}
    assert "maker" not in str([event.data for event in OutboxEvent.objects.all()])


@pytest.mark.parametrize("superuser", [False, True])
def test_nobody_decides_on_their_own_proposal(superuser) -> None:
    alone = person("alone", superuser=superuser)
    proposal = proposed(alone)
    with pytest.raises(operations.OwnProposal) as refused:
        approved(proposal, alone, carry_out=lambda _: pytest.fail("It was carried out."))
    assert (refused.value.status, refused.value.code) == (403, "casework.own_proposal")
    with pytest.raises(operations.OwnProposal):
        operations.reject(proposal_id=proposal.pk, version=1, by=alone, reason="no", now=LATER)
    assert Proposal.objects.get().state == "PROPOSED"


def test_the_database_refuses_a_forged_decision(maker) -> None:
    proposal = proposed(maker)
    forged = {"state": "CARRIED_OUT", "decided_by": maker.user, "decided_at": LATER}
    with pytest.raises(IntegrityError, match="proposal_decided_by_another"), transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(**forged)
    with pytest.raises(IntegrityError, match="proposal_decided_has_its_person"), transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(state="APPROVED")


@pytest.mark.parametrize(
    "change", [{"payload": {}}, {"snapshot": {}}, {"proposed_by": None}, {"reason": "x"}, {"proposer": "other"}]
)
def test_what_was_proposed_never_changes(maker, change) -> None:
    proposal = proposed(maker)
    with pytest.raises(IntegrityError), transaction.atomic():
        Proposal.objects.filter(pk=proposal.pk).update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        proposal.transitions.all().delete()


def test_stale_facts_are_not_approved_and_named_one_by_one(maker, checker) -> None:
    proposal = proposed(maker)
    now = {"state": "open", "accounts": {"1010:main EUR": "closed"}, "period": "closed"}
    decision = approved(proposal, checker, look=lambda _: now, carry_out=lambda _: pytest.fail("It was carried out."))
    assert [(change.field, change.before, change.after) for change in decision.changes] == [
        ("accounts.1010:main EUR", "open", "closed"),
        ("period", "—", "closed"),
    ]
    with pytest.raises(operations.StaleFacts, match="1010:main EUR was open and is closed"):
        decision.carried_out()
    stored = Proposal.objects.get()
    assert (stored.state, stored.decided_by) == ("STALE", None)
    assert proposed(maker).pk != proposal.pk


def test_a_refused_effect_leaves_nothing_but_its_reason(maker, checker) -> None:
    def refuse(_: Proposal) -> None:
        Team.objects.create(name="half done")
        raise Conflict("The account is closed.")

    decision = approved(proposed(maker), checker, carry_out=refuse)
    with pytest.raises(Conflict, match="closed"):
        decision.carried_out()
    stored = Proposal.objects.get()
    assert (stored.state, stored.outcome) == ("REFUSED", "resource.conflict: The account is closed.")
    assert not Team.objects.exists()


@pytest.mark.parametrize("failure", [RuntimeError("bug"), Unavailable("Come back later.")])
def test_what_fails_for_another_cause_can_be_approved_again(maker, checker, failure) -> None:
    def fail(_: Proposal) -> None:
        Team.objects.create(name="half done")
        raise failure

    proposal = proposed(maker)
    with pytest.raises(type(failure)):
        approved(proposal, checker, carry_out=fail)
    assert states(Proposal.objects.get()) == ["PROPOSED"]
    assert not Team.objects.exists()
    assert approved(proposal, checker).carried_out() == "done"


def test_a_right_that_was_taken_away_meanwhile_no_longer_counts(maker, checker) -> None:
    proposal = proposed(maker)
    assert checker.user.has_perm(KIND.may_approve)
    User.objects.get(pk=checker.user.pk).groups.clear()
    with pytest.raises(operations.NotAllowed, match="view_auditentry"):
        approved(proposal, checker)
    User.objects.filter(pk=maker.user.pk).update(is_active=False)
    with pytest.raises(operations.NotAllowed):
        proposed(maker, subject=Subject("thing", "thing-2"))


def test_rights_are_asked_by_kind(maker) -> None:
    viewer, finance = person("viewer", "Viewer"), person("finance", "Finance")
    with pytest.raises(operations.NotAllowed):
        proposed(viewer)
    with pytest.raises(operations.NotAllowed):
        approved(proposed(maker), finance)


def test_a_late_decision_reports_who_was_first_and_does_nothing(maker, checker) -> None:
    proposal = proposed(maker)
    operations.reject(proposal_id=proposal.pk, version=1, by=checker, reason="Not enough evidence.", now=LATER)
    with pytest.raises(operations.ProposalChanged, match="rejected by checker") as late:
        approved(proposal, person("second"))
    assert late.value.extra == {"version": 2, "state": "REJECTED"}
    with pytest.raises(operations.ProposalNotFound):
        operations.withdraw(proposal_id=uuid4(), version=1, by=maker, reason="x", now=LATER)


def test_only_the_proposer_withdraws(maker, checker) -> None:
    proposal = proposed(maker)
    with pytest.raises(operations.NotAllowed, match="reject"):
        operations.withdraw(proposal_id=proposal.pk, version=1, by=checker, reason="mistake", now=LATER)
    gone = operations.withdraw(proposal_id=proposal.pk, version=1, by=maker, reason="mistake", now=LATER)
    assert (gone.state, gone.decided_by) == ("WITHDRAWN", None)
    assert ProposalTransition.objects.get(to_state="WITHDRAWN").note == "mistake"


def test_one_proposal_is_open_per_kind_and_thing(maker, checker) -> None:
    first = proposed(maker)
    with pytest.raises(operations.AlreadyProposed, match=str(first)):
        proposed(checker)
    approved(first, checker)
    assert proposed(maker).state == "PROPOSED"


def test_a_service_proposes_and_only_a_person_decides(checker) -> None:
    service = Actor.client("cli_1")
    proposal = proposed(service)
    assert (proposal.proposed_by, proposal.proposer) == (None, "cli_1")
    with pytest.raises(operations.NotAllowed, match="Only a person"):
        approved(proposal, Actor.client("cli_2"))
    with pytest.raises(operations.NotAllowed, match="proposed"):
        operations.withdraw(proposal_id=proposal.pk, version=1, by=Actor.client("cli_2"), reason="x", now=LATER)
    assert approved(proposal, checker).carried_out() == "done"


@pytest.mark.parametrize(
    "wrong", [{"reason": "  "}, {"payload": {"amount": float("nan")}}, {"snapshot": {"text": "a\0b"}}, {"reason": "\0"}]
)
def test_what_cannot_be_kept_is_not_proposed(maker, wrong) -> None:
    with pytest.raises(InvalidInput):
        proposed(maker, **wrong)
    assert not Proposal.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_who_approve_at_once_have_one_effect() -> None:
    proposal = proposed(person("maker", "Finance"))
    approvers = [person(f"checker-{number}") for number in range(4)]
    start = Barrier(len(approvers))

    def approve(by: Actor) -> object:
        try:
            start.wait(timeout=10)
            return approved(proposal, by, carry_out=lambda _: Team.objects.create(name=by.name)).carried_out()
        except operations.ProposalChanged as late:
            return late
        finally:
            connection.close()

    with ThreadPoolExecutor(len(approvers)) as pool:
        outcomes = list(pool.map(approve, approvers))
    team = Team.objects.get()
    assert [outcome for outcome in outcomes if isinstance(outcome, Team)] == [team]
    late = [outcome for outcome in outcomes if isinstance(outcome, operations.ProposalChanged)]
    assert len(late) == len(approvers) - 1
    assert all(team.name in outcome.detail for outcome in late)


@pytest.mark.django_db(transaction=True)
def test_a_connection_lost_before_the_commit_leaves_it_proposed() -> None:
    proposal, checker = proposed(person("maker", "Finance")), person("checker")

    def die(_: Proposal) -> None:
        Team.objects.create(name="half done")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(Exception, match="terminat"):
        approved(proposal, checker, carry_out=die)
    connection.close()
    assert (states(Proposal.objects.get()), Team.objects.count()) == (["PROPOSED"], 0)
    assert approved(proposal, checker).carried_out() == "done"


def test_subjects_and_moments_are_kept(maker) -> None:
    proposal = Proposal.objects.get(pk=proposed(maker).pk)
    assert (proposal.subject, proposal.proposed_at, proposal.snapshot) == (SUBJECT, NOW, FACTS)
    assert str(proposal).startswith("prp_")
