"""Giving a dead letter up: one person proposes it with a reason, another agrees. The events room knows no proposals."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from paymentops.access.actors import Actor
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal, Subject
from paymentops.casework.operations import Decision, Draft
from paymentops.core import ids
from paymentops.events import operations as events
from paymentops.events.models import DeadLetter
from paymentops.incidents.proposals import DISCARD

SUBJECT: str = "dead_letter"


@transaction.atomic
def propose_discard(letter: DeadLetter, *, reason: str, by: Actor, now: datetime) -> Proposal:
    """Propose that nothing is to be done about a dead letter. Emits ``casework.proposed``.

    Raises:
        DeadLetterClosed: it is closed already.
        AlreadyProposed, NotAllowed, InvalidInput: see ``casework.propose``.
    """
    if letter.resolved_at is not None:
        raise events.DeadLetterClosed("It is closed already; there is nothing to discard.")
    draft = Draft(
        kind=DISCARD.name,
        subject=Subject(SUBJECT, letter.public_id),
        payload={"source": letter.source, "reference": letter.reference},
        snapshot=_facts(letter),
        reason=reason,
    )
    return casework.propose(draft, by=by, now=now)


def approve_discard(*, proposal_id: UUID, version: int, by: Actor, note: str = "", now: datetime) -> Decision[str]:
    """Agree that nothing is to be done, and close the letter, in one transaction; see ``casework.approve``."""
    return casework.approve(
        proposal_id=proposal_id,
        version=version,
        by=by,
        look=lambda proposal: _facts(DeadLetter.objects.get(pk=_letter_id(proposal))),
        carry_out=lambda proposal: _discard(proposal, by=by, now=now),
        note=note,
        now=now,
    )


def _discard(proposal: Proposal, *, by: Actor, now: datetime) -> str:
    reason = f"{proposal.public_id}: {proposal.reason}"
    return events.discard_dead_letter(dead_letter_id=_letter_id(proposal), actor=by, reason=reason, now=now).public_id


def _letter_id(proposal: Proposal) -> UUID:
    return ids.parse(ids.Prefix.DEAD_LETTER, proposal.subject_id)


def _facts(letter: DeadLetter) -> Mapping[str, Any]:
    """Return what must not change between the proposal and the approval: that it is open, and for which reason."""
    return {"open": letter.resolved_at is None, "reason": letter.reason}
