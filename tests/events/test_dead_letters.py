"""A dead letter is closed by handling it with success, with the name of who asked for it."""

import pytest

from paymentops.access.actors import Actor
from paymentops.access.models import AuditEntry
from paymentops.events import operations
from paymentops.events.models import DeadLetter, InboxEntry
from tests.events.conftest import NOW

pytestmark = pytest.mark.django_db
BY = Actor.command("test")


@pytest.fixture
def letter(tell) -> DeadLetter:
    (event,) = tell("payment.captured")
    return operations.bury(
        source="subscriber:ears",
        reference=event.public_id,
        reason="no row",
        owner="engineering",
        attempts=6,
        now=NOW,
    )


def replay(letter, registry) -> DeadLetter:
    return operations.replay_dead_letter(
        dead_letter_id=letter.pk, actor=BY, reason="the row is there", now=NOW, subscribers=registry
    )


def test_a_replay_handles_the_event_and_closes_the_letter(letter, listener) -> None:
    closed = replay(letter, listener.registry())
    assert (closed.resolved_at, closed.attempts) == (NOW, 7)
    assert listener.seen == [letter.reference]
    assert InboxEntry.objects.get().event_id == letter.reference
    assert AuditEntry.objects.get(action="dead_letter.replay").reason == "the row is there"


def test_a_second_replay_has_no_effect(letter, listener) -> None:
    registry = listener.registry()
    replay(letter, registry)
    replay(letter, registry)
    assert listener.seen == [letter.reference]
    assert AuditEntry.objects.count() == 1


def test_a_replay_that_fails_keeps_the_letter_open(letter, listener) -> None:
    listener.failing = {letter.reference}
    with pytest.raises(operations.ReplayFailed, match="LookupError"):
        replay(letter, listener.registry())
    letter.refresh_from_db()
    assert (letter.resolved_at, letter.attempts) == (None, 7)
    assert letter.reason == "LookupError: no row for payment.captured"
    assert AuditEntry.objects.get().action == "dead_letter.replay_failed"
    assert not InboxEntry.objects.exists()


def test_a_letter_whose_subscriber_is_gone_says_so(letter, listener) -> None:
    DeadLetter.objects.update(source="subscriber:gone")
    with pytest.raises(operations.ReplayUnknown, match="subscriber:gone"):
        replay(letter, listener.registry())
    assert not AuditEntry.objects.exists()


def test_other_kinds_of_letter_are_handled_by_who_registered_for_them(letter, listener) -> None:
    DeadLetter.objects.update(source="webhook:sandbox", reference="n-1")
    registry, calls = listener.registry(), []
    registry.register_replay("webhook", lambda **arguments: calls.append(arguments))
    replay(letter, registry)
    assert calls == [{"source": "webhook:sandbox", "reference": "n-1", "now": NOW}]


def test_the_same_trouble_again_opens_the_same_letter(letter, listener) -> None:
    replay(letter, listener.registry())
    again = operations.bury(
        source=letter.source, reference=letter.reference, reason="x" * 900, owner="finance", attempts=1, now=NOW
    )
    assert (again.pk, again.resolved_at, again.owner, len(again.reason)) == (letter.pk, None, "finance", 500)
    assert str(again) == f"subscriber:ears {letter.reference}"
