"""Giving up: what could not be handled gets an owner and waits for a person."""

from datetime import datetime
from typing import Final

from paymentops.core import ids
from paymentops.events.models import DeadLetter

LONGEST_REASON: Final = 500


def bury(*, source: str, reference: str, reason: str, owner: str, attempts: int, now: datetime) -> DeadLetter:
    """Make a dead letter, or open the one of this source and reference again with the newest reason.

    Args:
        source: ``<kind>:<name>``, for example ``webhook:sandbox``; the kind decides how it is handled again.
        reference: the id of what could not be handled, there.
        reason: one line for a person; no payload, no secret.
        owner: the team that answers for it.
        attempts: how often it was tried.
        now: when it was given up.
    """
    letter, _ = DeadLetter.objects.update_or_create(
        source=source,
        reference=reference,
        defaults={"reason": reason[:LONGEST_REASON], "owner": owner, "attempts": attempts, "resolved_at": None},
        create_defaults={
            "id": ids.new(now),
            "reason": reason[:LONGEST_REASON],
            "owner": owner,
            "attempts": attempts,
            "created_at": now,
        },
    )
    return letter


def in_short(error: Exception) -> str:
    """Return an error as one line that fits a column."""
    text = f"{type(error).__name__}: {error}".replace("\x00", "")
    return " ".join(text.split())[:LONGEST_REASON]
