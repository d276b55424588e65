"""Asking for something that a second person must agree to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from paymentops.access.actors import Actor
from paymentops.casework import facts, kinds
from paymentops.casework.models import OPEN, Proposal, Subject
from paymentops.casework.operations import moving, rights
from paymentops.core import ids
from paymentops.core.errors import Conflict, InvalidInput

_ONE_OPEN = "proposal_one_open_per_subject"
LONGEST_REASON = 2000


class AlreadyProposed(Conflict):
    """The same is proposed for the same thing and not yet decided."""

    code = "casework.already_proposed"
    title = "This is proposed already"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be proposed.

    Args:
        kind: the name of a registered kind.
        subject: what it is about.
        payload: what would be done; JSON values, amounts as text.
        snapshot: the facts it is proposed on, whose change makes an approval stale; JSON values.
        reason: why, in the person's own words.
        id: the proposal's id, where the caller needs it beforehand.
    """

    kind: str
    subject: Subject
    payload: Mapping[str, Any]
    snapshot: Mapping[str, Any]
    reason: str
    id: UUID | None = None


@transaction.atomic
def propose(draft: Draft, *, by: Actor, now: datetime) -> Proposal:
    """Keep what somebody asks for until a second person decides. Emits ``casework.proposed``.

    Raises:
        InvalidInput: there is no reason, or a value cannot be kept.
        NotAllowed: the person lacks the permission of the kind.
        AlreadyProposed: one of this kind is open for the subject.
    """
    kind = kinds.registered.named(draft.kind)
    rights.require(actor=by, permission=kind.may_propose)
    proposal = _proposal(draft, by=by, now=now)
    try:
        with transaction.atomic():
            proposal.save(force_insert=True)
    except IntegrityError as error:
        raise _explained(error, draft) from error
    moving.tell(proposal, before="", cause="proposed", by=by, note=proposal.reason, now=now)
    return proposal


def reason_of(text: str) -> str:
    """Return a reason without surrounding space.

    Raises:
        InvalidInput: it is empty, too long or holds U+0000.
    """
    reason = text.strip()
    if not 1 <= len(reason) <= LONGEST_REASON or "\0" in reason:
        raise InvalidInput(f"Say why, in 1 to {LONGEST_REASON} characters.")
    return reason


def _proposal(draft: Draft, *, by: Actor, now: datetime) -> Proposal:
    payload, snapshot = facts.plain(draft.payload), facts.plain(draft.snapshot)
    return Proposal(
        id=draft.id or ids.new(now),
        kind=draft.kind,
        subject_type=draft.subject.type,
        subject_id=draft.subject.id,
        payload=payload,
        payload_hash=facts.digest(payload),
        snapshot=snapshot,
        snapshot_hash=facts.digest(snapshot),
        reason=reason_of(draft.reason),
        proposer_kind=by.kind,
        proposer=by.name,
        proposed_by=by.user,
        proposed_at=now,
    )


def _explained(error: IntegrityError, draft: Draft) -> Exception:
    diagnosis = getattr(error.__cause__, "diag", None)
    if diagnosis is None or diagnosis.constraint_name != _ONE_OPEN:
        return error
    of_subject = Proposal.objects.about(draft.subject.type, draft.subject.id).filter(kind=draft.kind, state__in=OPEN)
    found = of_subject.first()
    named = f" ({found})" if found else ""
    return AlreadyProposed(f"There is an open proposal for {draft.subject}{named}; decide on it or withdraw it first.")
