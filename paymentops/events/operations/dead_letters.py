"""Handling a dead letter again, when a person says that its cause is gone."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.core.errors import Conflict
from paymentops.events import queries
from paymentops.events.models import DeadLetter
from paymentops.events.operations.burial import in_short
from paymentops.events.operations.delivery import handle_once
from paymentops.events.subscribers import Registry, registered


class ReplayFailed(Conflict):
    """The dead letter was handled again and failed again; it stays open."""

    code = "events.replay_failed"
    title = "It failed again"


class ReplayUnknown(Conflict):
    """Nobody in this version handles dead letters of this source."""

    code = "events.replay_unknown"
    title = "Nobody handles this any more"


def replay_dead_letter(
    *, dead_letter_id: UUID, actor: Actor, reason: str, now: datetime, subscribers: Registry = registered
) -> DeadLetter:
    """Handle what a dead letter stands for again; close the letter together with the effect. Locks the letter.

    A closed letter stays as it is. What followed in the aggregate was handled meanwhile: a subscriber sees this event
    late. Every try leaves its audit row.

    Raises:
        DeadLetter.DoesNotExist: there is no such letter.
        ReplayUnknown: its subscriber or kind is not registered.
        ReplayFailed: it failed again; the letter holds the newest reason.
    """
    try:
        with transaction.atomic():
            letter = DeadLetter.objects.select_for_update().get(pk=dead_letter_id)
            if letter.resolved_at is not None:
                return letter
            _handle(letter, now=now, subscribers=subscribers)
            return _close(letter, actor=actor, reason=reason, now=now)
    except (ReplayUnknown, DeadLetter.DoesNotExist):
        raise
    except Exception as error:
        _keep_open(dead_letter_id, error=error, actor=actor, reason=reason, now=now)
        raise ReplayFailed(f"It failed again: {in_short(error)}. The dead letter stays open.") from error


def _handle(letter: DeadLetter, *, now: datetime, subscribers: Registry) -> None:
    kind, _, name = letter.source.partition(":")
    if kind == "subscriber" and (subscriber := subscribers.named(name)):
        event = queries.as_event(queries.event_by_public_id(letter.reference))
        handle_once(subscriber=subscriber, event=event, now=now)
    elif replay := subscribers.replay_of(kind):
        replay(source=letter.source, reference=letter.reference, now=now)
    else:
        raise ReplayUnknown(f"Nothing registered handles dead letters of {letter.source}.")


def _close(letter: DeadLetter, *, actor: Actor, reason: str, now: datetime) -> DeadLetter:
    before = {"resolved_at": None, "attempts": letter.attempts}
    letter.resolved_at = now
    letter.attempts += 1
    letter.save(update_fields=["resolved_at", "attempts"])
    access.audit(
        action="dead_letter.replay",
        actor=actor,
        object_type="dead_letter",
        object_id=str(letter.pk),
        before=before,
        after={"resolved_at": now.isoformat(), "attempts": letter.attempts},
        reason=reason,
        now=now,
    )
    return letter


@transaction.atomic
def _keep_open(letter_id: UUID, *, error: Exception, actor: Actor, reason: str, now: datetime) -> None:
    letter = DeadLetter.objects.select_for_update().get(pk=letter_id)
    before = {"attempts": letter.attempts}
    letter.attempts += 1
    letter.reason = in_short(error)
    letter.save(update_fields=["attempts", "reason"])
    access.audit(
        action="dead_letter.replay_failed",
        actor=actor,
        object_type="dead_letter",
        object_id=str(letter_id),
        before=before,
        after={"attempts": letter.attempts, "reason": letter.reason},
        reason=reason,
        now=now,
    )
