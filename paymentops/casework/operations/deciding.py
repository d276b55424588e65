"""The second person: approve, reject; and the first one changing their mind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework import facts, kinds
from paymentops.casework.facts import Change
from paymentops.casework.models import Proposal, ProposalState, Subject
from paymentops.casework.operations import moving, rights
from paymentops.casework.operations.proposing import reason_of
from paymentops.core import failpoints
from paymentops.core.errors import ApplicationError, Conflict, Unavailable
from paymentops.core.failpoints import Point


class OwnProposal(ApplicationError):
    """Nobody decides on what they proposed themselves, a superuser neither."""

    code = "casework.own_proposal"
    status = 403
    title = "A second person must decide on this"


class StaleFacts(Conflict):
    """The facts are no longer what the proposal was made on; ``changes`` in the answer names each."""

    code = "casework.stale_facts"
    title = "The facts changed since this was proposed"


@dataclass(frozen=True, slots=True)
class Decision[T]:
    """What came of an approval, all of it committed together.

    Args:
        proposal: CARRIED_OUT, REFUSED or STALE.
        effect: what ``carry_out`` returned, where it was carried out.
        changes: what is no longer as proposed, where it went stale.
        refusal: why it could not be done, where it was refused.
    """

    proposal: Proposal
    effect: T | None = None
    changes: tuple[Change, ...] = ()
    refusal: ApplicationError | None = None

    def carried_out(self) -> T:
        """Return the effect; call it outside the transaction, whose outcome is to stay.

        Raises:
            StaleFacts: the facts have changed.
            ApplicationError: the refusal of ``carry_out``.
        """
        if self.refusal is not None:
            raise self.refusal
        if self.proposal.state == ProposalState.STALE:
            told = "; ".join(str(change) for change in self.changes)
            raise StaleFacts(
                f"Nothing was done, because {told}. Look at the facts and propose it again.",
                extra={"changes": [{"field": c.field, "before": c.before, "after": c.after} for c in self.changes]},
            )
        return self.effect  # type: ignore[return-value]


@transaction.atomic
def approve[T](
    *,
    proposal_id: UUID,
    version: int,
    by: Actor,
    look: Callable[[Proposal], Mapping[str, Any]],
    carry_out: Callable[[Proposal], T],
    note: str = "",
    now: datetime,
) -> Decision[T]:
    """Agree to a proposal and do it, in one transaction and exactly once. Locks the proposal.

    Args:
        proposal_id: which one.
        version: the version that the approver saw.
        by: a person who may approve this kind, other than the proposer; read anew from the database.
        look: returns the present facts, made like the snapshot.
        carry_out: does it in this transaction, without network. An ``ApplicationError`` from it undoes what it did
            and leaves the proposal REFUSED; any other exception, or ``Unavailable``, leaves everything as it was.
        note: the approver's words.
        now: when.

    Returns:
        The decision; ask it ``carried_out()`` where a stale or refused proposal is an error. Emits
        ``casework.approved`` and then ``casework.carried_out`` or ``casework.refused``, or ``casework.stale``.

    Raises:
        ProposalNotFound, ProposalChanged: see ``moving.locked``.
        NotAllowed, OwnProposal: this person may not.
    """
    proposal = moving.locked(proposal_id=proposal_id, version=version)
    person = _second_person(proposal, by)
    present = facts.plain(look(proposal))
    if facts.digest(present) != proposal.snapshot_hash:
        changes = facts.changes(proposal.snapshot, present)
        why = "; ".join(str(change) for change in changes)
        moving.move(proposal, lambda: proposal.go_stale(why=why), cause=f"stale:{version}", by=by, note=note, now=now)
        return Decision(proposal, changes=changes)
    moving.move(
        proposal, lambda: proposal.approve(by=person, at=now), cause=f"approved:{version}", by=by, note=note, now=now
    )
    failpoints.reach(Point.DECISION_APPROVED)
    decision = _carried_out(proposal, carry_out, by=by, now=now)
    failpoints.reach(Point.DECISION_BEFORE_COMMIT)
    return decision


@transaction.atomic
def reject(*, proposal_id: UUID, version: int, by: Actor, reason: str, now: datetime) -> Proposal:
    """Do not agree to a proposal; it ends. Locks it and emits ``casework.rejected``.

    Raises:
        ProposalNotFound, ProposalChanged: see ``moving.locked``.
        NotAllowed, OwnProposal: this person may not; who proposed it can withdraw it.
        InvalidInput: there is no reason.
    """
    note = reason_of(reason)
    proposal = moving.locked(proposal_id=proposal_id, version=version)
    person = _second_person(proposal, by)
    moving.move(
        proposal, lambda: proposal.reject(by=person, at=now), cause=f"rejected:{version}", by=by, note=note, now=now
    )
    return proposal


@transaction.atomic
def withdraw(*, proposal_id: UUID, version: int, by: Actor, reason: str, now: datetime) -> Proposal:
    """Take back what one proposed oneself. Locks it and emits ``casework.withdrawn``.

    Raises:
        ProposalNotFound, ProposalChanged: see ``moving.locked``.
        NotAllowed: somebody else proposed it.
        InvalidInput: there is no reason.
    """
    note = reason_of(reason)
    proposal = moving.locked(proposal_id=proposal_id, version=version)
    if not _is_proposer(proposal, by):
        raise rights.NotAllowed("Only who proposed this can withdraw it; you can reject it.")
    moving.move(proposal, proposal.withdraw, cause=f"withdrawn:{version}", by=by, note=note, now=now)
    return proposal


@transaction.atomic
def overtake(*, kind: str, subject: Subject, why: str, by: Actor, now: datetime) -> Proposal | None:
    """End the open proposal of a kind about a thing that needs no decision any more: it goes stale, if there is one.

    Locks the proposal and emits ``casework.stale``.
    """
    about = Proposal.objects.undecided().about(subject.type, subject.id).filter(kind=kind)
    proposal = about.select_for_update(of=("self",)).first()
    if proposal is None:
        return None
    cause = f"stale:{proposal.version}"
    moving.move(proposal, lambda: proposal.go_stale(why=why), cause=cause, by=by, note=why, now=now)
    return proposal


def _second_person(proposal: Proposal, by: Actor) -> User:
    """Return the person, as stored now, if they may decide on this proposal."""
    person = rights.require_person(actor=by, permission=kinds.registered.named(proposal.kind).may_approve)
    if _is_proposer(proposal, by):
        raise OwnProposal("You proposed this yourself; ask a colleague to decide on it, or withdraw it.")
    return person


def _is_proposer(proposal: Proposal, by: Actor) -> bool:
    if by.user is not None:
        return proposal.proposed_by_id == by.user.pk
    return proposal.proposed_by_id is None and (proposal.proposer_kind, proposal.proposer) == (by.kind, by.name)


def _carried_out[T](proposal: Proposal, carry_out: Callable[[Proposal], T], *, by: Actor, now: datetime) -> Decision[T]:
    try:
        with transaction.atomic():
            effect = carry_out(proposal)
    except Unavailable:
        raise
    except ApplicationError as refusal:
        why = f"{refusal.code}: {refusal.detail}"
        moving.move(proposal, lambda: proposal.refuse(why=why), cause=_after(proposal, "refused"), by=by, now=now)
        return Decision(proposal, refusal=refusal)
    made = str(effect) if effect is not None else ""
    moving.move(proposal, lambda: proposal.carry_out(made=made), cause=_after(proposal, "carried_out"), by=by, now=now)
    return Decision(proposal, effect=effect)


def _after(proposal: Proposal, what: str) -> str:
    return f"{what}:{proposal.version}"
