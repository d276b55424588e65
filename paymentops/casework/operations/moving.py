"""What every move of a proposal does: check who and which version, save, and tell it in three places."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.casework.models import Proposal, ProposalState, ProposalTransition
from paymentops.core import ids, tracing
from paymentops.core.errors import Conflict, NotFound
from paymentops.events import operations as events


class ProposalNotFound(NotFound):
    """There is no such proposal."""

    code = "casework.proposal_not_found"


class ProposalChanged(Conflict):
    """Somebody moved the proposal since it was read."""

    code = "casework.proposal_changed"
    title = "The proposal is no longer what you saw"


def locked(*, proposal_id: UUID, version: int) -> Proposal:
    """Read a proposal under its lock, as the caller saw it.

    Raises:
        ProposalNotFound: there is none.
        ProposalChanged: it has moved since.
    """
    proposal = Proposal.objects.select_for_update(of=("self",)).filter(pk=proposal_id).first()
    if proposal is None:
        raise ProposalNotFound("There is no proposal under this id.")
    if proposal.version != version or proposal.state != ProposalState.PROPOSED:
        raise ProposalChanged(_what_happened(proposal), extra={"version": proposal.version, "state": proposal.state})
    return proposal


def move(proposal: Proposal, step: Callable[[], None], *, cause: str, by: Actor, note: str = "", now: datetime) -> None:
    """Make one move of a locked proposal; writes its transition, its audit row and its event."""
    before = proposal.state
    step()
    proposal.version += 1
    proposal.save(update_fields=["state", "version", "decided_by", "decided_at", "outcome"])
    tell(proposal, before=before, cause=cause, by=by, note=note, now=now)


def tell(proposal: Proposal, *, before: str, cause: str, by: Actor, note: str, now: datetime) -> None:
    """Write the transition, the audit row and the event of a move that was just made."""
    ProposalTransition.objects.create(
        id=ids.new(now),
        proposal=proposal,
        sequence=proposal.version,
        from_state=before,
        to_state=proposal.state,
        cause=cause,
        actor=by.name,
        note=note,
        recorded_at=now,
        trace_id=tracing.current_trace_id(),
    )
    access.audit(
        action=f"proposal.{proposal.state.lower()}",
        actor=by,
        object_type="proposal",
        object_id=proposal.public_id,
        before={"state": before} if before else {},
        after={
            "state": str(proposal.state),
            "kind": proposal.kind,
            "subject": str(proposal.subject),
            "outcome": proposal.outcome,
        },
        reason=note,
        now=now,
    )
    events.record(
        aggregate_type="proposal",
        aggregate_id=proposal.id,
        sequence=proposal.version,
        type=f"casework.{proposal.state.lower()}",
        data={
            "id": proposal.public_id,
            "kind": proposal.kind,
            "subject_type": proposal.subject_type,
            "subject_id": proposal.subject_id,
            "state": str(proposal.state),
        },
        occurred_at=now,
        now=now,
    )


def _what_happened(proposal: Proposal) -> str:
    last = proposal.transitions.order_by("sequence").last()
    who = f" by {last.actor}" if last is not None else ""
    return f"It is {proposal.get_state_display()}{who} since you read it. Read it again; nothing was changed."
