"""Giving up: what could not be handled gets an owner and waits for a person."""

import re
from datetime import datetime
from hashlib import sha256
from typing import Final

from django.db import transaction

from paymentops.core import ids
from paymentops.events.models import DeadLetter, OutboxEvent
from paymentops.events.operations.outbox import record

LONGEST_REASON: Final = 500
# What differs between two letters of one trouble: ids, amounts, moments.
_PARTICULARS: Final = re.compile(r"\b[a-z]{2,4}[-_][0-9a-f]{32}\b|\b[0-9a-f]{8,}\b|\d+")
MADE: Final = "events.dead_letter_made"


@transaction.atomic
def bury(*, source: str, reference: str, reason: str, owner: str, attempts: int, now: datetime) -> DeadLetter:
    """Make a dead letter, or open the one of this source and reference again with the newest reason.

    Emits ``events.dead_letter_made``, except where it was that very event that could not be handled.

    Args:
        source: ``<kind>:<name>``, for example ``webhook:sandbox``; the kind decides how it is handled again.
        reference: the id of what could not be handled, there.
        reason: one line for a person; no payload, no secret.
        owner: the team that answers for it.
        attempts: how often it was tried.
        now: when it was given up.
    """
    told = {
        "reason": reason[:LONGEST_REASON],
        "fingerprint": fingerprint(source, reason),
        "owner": owner,
        "attempts": attempts,
        "resolved_at": None,
        "resolution": "",
    }
    letter, _ = DeadLetter.objects.update_or_create(
        source=source,
        reference=reference,
        defaults=told,
        create_defaults={"id": ids.new(now), "created_at": now, **told},
    )
    if not _is_about_a_letter(letter):
        _tell(letter, now=now)
    return letter


def fingerprint(source: str, reason: str) -> str:
    """Return what letters with the same trouble share: their source and the reason without numbers and ids."""
    plain = _PARTICULARS.sub("#", reason[:LONGEST_REASON])
    return sha256(f"{source}\x1f{plain}".encode()).hexdigest()[:16]


def _is_about_a_letter(letter: DeadLetter) -> bool:
    """Tell whether an event of a dead letter died itself; telling of it again would never end."""
    try:
        event_id = ids.parse(ids.Prefix.EVENT, letter.reference)
    except ids.UnreadableId:  # a notification, which has an id of its provider
        return False
    return OutboxEvent.objects.filter(pk=event_id, type=MADE).exists()


def _tell(letter: DeadLetter, *, now: datetime) -> None:
    # The letter is locked, so nobody tells of it beside; it carries no version of its own.
    told = OutboxEvent.objects.filter(aggregate_id=letter.pk).order_by("sequence").last()
    record(
        aggregate_type="dead_letter",
        aggregate_id=letter.pk,
        sequence=told.sequence + 1 if told else 1,
        type=MADE,
        data={"source": letter.source, "reference": letter.reference, "attempts": letter.attempts},
        occurred_at=now,
        now=now,
    )


def in_short(error: Exception) -> str:
    """Return an error as one line that fits a column."""
    text = f"{type(error).__name__}: {error}".replace("\x00", "")
    return " ".join(text.split())[:LONGEST_REASON]
