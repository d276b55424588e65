"""Two people hold a breaker open or close it: one proposes with a reason, another approves and it moves."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from paymentops.access.actors import Actor
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal, Subject
from paymentops.casework.operations import Decision, Draft
from paymentops.core.errors import Conflict
from paymentops.payments.breaker import Key
from paymentops.payments.models import Breaker, Cause
from paymentops.payments.operations import breaking
from paymentops.payments.proposals import BREAKER_CLOSING, BREAKER_OPENING, BREAKER_SUBJECT
from paymentops.payments.queries import breakers as queries
from paymentops.payments.states import BreakerState

_KINDS = (BREAKER_OPENING.name, BREAKER_CLOSING.name)


class BreakerAsWanted(Conflict):
    """The breaker stands already as it would be put."""

    code = "payment.breaker_as_wanted"
    title = "The breaker needs no move"


def propose_opening(key: Key, *, reason: str, by: Actor, now: datetime) -> Proposal:
    """Propose to hold a breaker open until people close it. Emits ``casework.proposed``.

    Raises:
        BreakerAsWanted: people hold it open already.
        NotFound: no provider of this name is known, or it has no such method.
        AlreadyProposed, NotAllowed, InvalidInput: see ``casework.propose``.
    """
    facts = queries.facts(key)
    if facts["by_hand"]:
        raise BreakerAsWanted(f"People hold {key} open already; close it when the provider works again.")
    return _propose(BREAKER_OPENING.name, key, facts={"by_hand": False}, reason=reason, by=by, now=now)


def propose_closing(key: Key, *, reason: str, by: Actor, now: datetime) -> Proposal:
    """Propose to close a breaker at once, whatever its probes say. Emits ``casework.proposed``; raises as the other."""
    facts = queries.facts(key)
    if facts["closed"]:
        raise BreakerAsWanted(f"{key} is closed: calls go through.")
    return _propose(BREAKER_CLOSING.name, key, facts={"closed": False}, reason=reason, by=by, now=now)


def approve(*, proposal_id: UUID, version: int, by: Actor, note: str = "", now: datetime) -> Decision[Breaker]:
    """Agree to opening or closing and do it, in one transaction. Locks the proposal, then the breaker.

    A closed breaker then lets what it held back go at once; if the process dies before, each attempt's own time comes.
    See ``casework.approve`` for what is raised.
    """
    proposal = Proposal.objects.filter(pk=proposal_id, kind__in=_KINDS).first()
    if proposal is None:
        raise casework.ProposalNotFound("Nobody proposed to open or close a breaker under this id.")
    key = Key.parse(proposal.subject_id)
    decision = casework.approve(
        proposal_id=proposal_id,
        version=version,
        by=by,
        look=lambda agreed: {name: queries.facts(key)[name] for name in agreed.snapshot},
        carry_out=lambda agreed: _move(agreed, key, by=by, now=now),
        note=note,
        now=now,
    )
    if decision.effect is not None and decision.effect.state == BreakerState.CLOSED:
        breaking.release(key, now=now)
    return decision


def _move(proposal: Proposal, key: Key, *, by: Actor, now: datetime) -> Breaker:
    cause = Cause("proposal", proposal.public_id, actor=by.name, reason=proposal.reason)
    if proposal.kind == BREAKER_OPENING.name:
        return breaking.open_by_hand(key, cause=cause, now=now)
    return breaking.close_by_hand(key, cause=cause, now=now)


@transaction.atomic
def _propose(kind: str, key: Key, *, facts: dict[str, bool], reason: str, by: Actor, now: datetime) -> Proposal:
    draft = Draft(
        kind=kind,
        subject=Subject(BREAKER_SUBJECT, str(key)),
        payload={"breaker": str(key)},
        snapshot=facts,
        reason=reason,
    )
    return casework.propose(draft, by=by, now=now)
