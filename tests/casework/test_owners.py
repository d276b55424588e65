"""A thing has one owner; every change says which owner it saw, and a hand-over counts once it is accepted."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction

from paymentops.access.actors import Actor
from paymentops.access.models import Team
from paymentops.casework import operations, queries, verification
from paymentops.casework.models import Ownership, OwnershipChange
from paymentops.core.errors import InvalidInput
from paymentops.events.models import OutboxEvent
from tests.casework.conftest import LATER, NOW, SUBJECT, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(db) -> Actor:
    return person("first")


@pytest.fixture
def second(db) -> Actor:
    return person("second", "Engineer")


def claimed(by: Actor, version: int = 0) -> Ownership:
    return operations.claim(subject=SUBJECT, version=version, by=by, now=NOW)


def folds() -> bool:
    return all(check.ok for check in verification.checks())


def test_what_nobody_owns_is_taken_once(first, second) -> None:
    assert queries.ownership(SUBJECT) is None
    assert claimed(first).version == 1
    assert claimed(first, 1).version == 1
    with pytest.raises(operations.OwnerChanged, match="belongs to first"):
        claimed(second)
    with pytest.raises(operations.OwnerChanged, match="first owns this"):
        claimed(second, 1)
    assert OutboxEvent.objects.get().type == "casework.owner_changed"


def test_a_hand_over_counts_once_it_is_accepted(first, second) -> None:
    claimed(first)
    offered = operations.hand_over(subject=SUBJECT, version=1, to=second.user, by=first, note="Ask the bank.", now=NOW)
    assert (offered.owner, offered.offered_to) == (first.user, second.user)
    with pytest.raises(operations.OwnerChanged, match="not offered to you"):
        operations.accept(subject=SUBJECT, version=2, by=person("third"), now=NOW)
    taken = operations.accept(subject=SUBJECT, version=2, by=second, now=LATER)
    assert (taken.owner, taken.offered_to, taken.version) == (second.user, None, 3)
    with pytest.raises(operations.OwnerChanged):
        operations.accept(subject=SUBJECT, version=2, by=second, now=LATER)
    assert list(OwnershipChange.objects.order_by("version").values_list("what", flat=True)) == [
        "claim",
        "hand-over",
        "accept",
    ]
    assert folds()


def test_a_declined_hand_over_leaves_the_owner(first, second) -> None:
    claimed(first)
    operations.hand_over(subject=SUBJECT, version=1, to=second.user, by=first, note="Please.", now=NOW)
    kept = operations.decline(subject=SUBJECT, version=2, by=second, note="On leave.", now=NOW)
    assert (kept.owner, kept.offered_to) == (first.user, None)


def test_only_the_owner_hands_over_and_releases(first, second) -> None:
    claimed(first)
    for deed in (
        lambda: operations.hand_over(subject=SUBJECT, version=1, to=first.user, by=second, note="x", now=NOW),
        lambda: operations.hand_over(subject=SUBJECT, version=1, to=first.user, by=first, note="x", now=NOW),
        lambda: operations.release(subject=SUBJECT, version=1, by=second, note="x", now=NOW),
    ):
        with pytest.raises(operations.OwnerChanged):
            deed()
    with pytest.raises(InvalidInput):
        operations.release(subject=SUBJECT, version=1, by=first, note="", now=NOW)
    operations.release(subject=SUBJECT, version=1, by=first, note="Solved.", now=NOW)
    assert claimed(second, 2).owner == second.user
    assert folds()


def test_a_thing_is_assigned_to_a_team_and_a_person_who_may(first, second) -> None:
    team = Team.objects.create(name="Treasury")
    given = operations.assign(subject=SUBJECT, version=0, team=team, owner=second.user, by=first, now=NOW)
    assert (given.team, given.owner) == (team, second.user)
    with pytest.raises(operations.NotAllowed, match="viewer"):
        operations.assign(
            subject=SUBJECT, version=1, team=team, owner=person("viewer", "Viewer").user, by=first, now=NOW
        )
    taken = operations.release(subject=SUBJECT, version=1, by=second, note="Night.", now=NOW)
    assert (taken.team, taken.owner) == (team, None)
    assert operations.assign(subject=SUBJECT, version=2, team=None, owner=None, by=first, now=NOW).team is None


def test_the_database_knows_one_owner_and_no_silent_change(first, second) -> None:
    made = claimed(first)
    with pytest.raises(IntegrityError), transaction.atomic():
        Ownership.objects.create(
            id=OwnershipChange.objects.get().pk, subject_type=SUBJECT.type, subject_id=SUBJECT.id, changed_at=NOW
        )
    with pytest.raises(IntegrityError), transaction.atomic():
        Ownership.objects.filter(pk=made.pk).update(subject_id="other")
    Ownership.objects.filter(pk=made.pk).update(owner=second.user)
    assert not folds()


@pytest.mark.django_db(transaction=True)
def test_two_who_claim_at_once_make_one_owner() -> None:
    people = [person(f"person-{number}") for number in range(4)]
    start = Barrier(len(people))

    def claim(by: Actor) -> object:
        try:
            start.wait(timeout=10)
            return claimed(by)
        except operations.OwnerChanged as late:
            return late
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        outcomes = list(pool.map(claim, people))
    assert sum(isinstance(outcome, Ownership) for outcome in outcomes) == 1
    assert OwnershipChange.objects.count() == 1
