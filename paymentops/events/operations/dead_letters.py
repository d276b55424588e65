"""Handling a dead letter again, when a person says that its cause is gone."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.core.errors import ApplicationError, Conflict
from paymentops.events import queries
from paymentops.events.models import DeadLetter, OutboxEvent
from paymentops.events.operations.burial import fingerprint, in_short
from paymentops.events.operations.delivery import handle_once
from paymentops.events.subscribers import Registry, registered

MOST_AT_ONCE: Final = 200

logger = logging.getLogger(__name__)


class ReplayFailed(Conflict):
    """The dead letter was handled again and failed again; it stays open."""

    code = "events.replay_failed"
    title = "It failed again"


class ReplayUnknown(Conflict):
    """Nobody in this version handles dead letters of this source."""

    code = "events.replay_unknown"
    title = "Nobody handles this any more"


class DeadLetterClosed(Conflict):
    """The dead letter was handled or discarded meanwhile."""

    code = "events.dead_letter_closed"
    title = "This dead letter is closed"


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


@dataclass(frozen=True, slots=True)
class Preview:
    """What handling a dead letter again would do: whether it would work, what would be told, and why not."""

    letter: DeadLetter
    would_work: bool
    would_tell: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of one of several dead letters; ``error`` is empty where it was handled."""

    letter_id: UUID
    error: str = ""


def preview_dead_letter(*, dead_letter_id: UUID, now: datetime, subscribers: Registry = registered) -> Preview:
    """Handle a dead letter again, look at what that did, and undo all of it. Locks the letter for as long.

    Raises:
        DeadLetter.DoesNotExist: there is no such letter.
    """
    with transaction.atomic():
        letter = DeadLetter.objects.select_for_update().get(pk=dead_letter_id)
        try:
            with transaction.atomic():
                _handle(letter, now=now, subscribers=subscribers)
        except Exception as error:
            logger.info("%s would fail again", letter, exc_info=error)
            return Preview(letter, would_work=False, error=in_short(error))
        told = OutboxEvent.objects.filter(recorded_at=now).order_by("id").values_list("type", flat=True)
        preview = Preview(letter, would_work=True, would_tell=tuple(told))
        transaction.set_rollback(True)
    return preview


def replay_dead_letters(
    *, dead_letter_ids: Iterable[UUID], actor: Actor, reason: str, now: datetime, subscribers: Registry = registered
) -> list[Replayed]:
    """Handle several dead letters again, oldest first and each by itself; one that fails stays open and stops no other.

    At most ``MOST_AT_ONCE``; those that are closed already are left as they are.
    """
    done = []
    for letter_id in sorted(set(dead_letter_ids))[:MOST_AT_ONCE]:
        try:
            replay_dead_letter(dead_letter_id=letter_id, actor=actor, reason=reason, now=now, subscribers=subscribers)
        except ApplicationError as refusal:
            done.append(Replayed(letter_id, error=refusal.detail))
        else:
            done.append(Replayed(letter_id))
    return done


def discard_dead_letter(*, dead_letter_id: UUID, actor: Actor, reason: str, now: datetime) -> DeadLetter:
    """Close a dead letter without handling it, in the transaction of the second person's approval. Locks the letter.

    Raises:
        DeadLetterClosed: it was closed meanwhile.
    """
    letter = DeadLetter.objects.select_for_update().get(pk=dead_letter_id)
    if letter.resolved_at is not None:
        raise DeadLetterClosed("It was closed meanwhile; there is nothing left to discard.")
    letter.resolved_at = now
    letter.resolution = DeadLetter.Resolution.DISCARDED
    letter.save(update_fields=["resolved_at", "resolution"])
    access.audit(
        action="dead_letter.discard",
        actor=actor,
        object_type="dead_letter",
        object_id=str(letter.pk),
        before={"resolved_at": None},
        after={"resolved_at": now.isoformat(), "resolution": letter.resolution},
        reason=reason,
        now=now,
    )
    return letter


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
    letter.resolution = DeadLetter.Resolution.REPLAYED
    letter.attempts += 1
    letter.save(update_fields=["resolved_at", "resolution", "attempts"])
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
    letter.fingerprint = fingerprint(letter.source, letter.reason)
    letter.save(update_fields=["attempts", "reason", "fingerprint"])
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
