"""Refunds that a second person decides on: asked for with the refund, decided once, and then sent like any other.

Nothing is sent in the decision: it commits the refund APPROVED with a prepared attempt, which the sweep finds if the
process dies right after. Locks, always in this order: the payment, the refund, the proposal.
"""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum

from paymentops.access.actors import Actor
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal
from paymentops.casework.operations import Decision, Draft
from paymentops.core import ids
from paymentops.core.errors import Conflict, NotFound
from paymentops.payments import approvals
from paymentops.payments.approvals import Approval
from paymentops.payments.models import Cause, Payment, Refund
from paymentops.payments.operations import moving, preparing, refunding
from paymentops.payments.proposals import REFUND
from paymentops.payments.states import RefundState

_CAME_TO_NOTHING = (RefundState.REJECTED, RefundState.CANCELED, RefundState.FAILED)


class RefundNotCancelable(Conflict):
    """The refund may have left already, or has ended."""

    code = "payment.refund_not_cancelable"
    title = "This refund can no longer be cancelled"


def needed(payment: Payment, amount: int) -> Approval:
    """Tell whether a new refund of a locked payment needs a second person, counting those that needed none."""
    unseen = payment.refunds.filter(approval=Approval.NOT_NEEDED).exclude(state__in=_CAME_TO_NOTHING)
    return approvals.needed(
        amount=amount,
        unseen=unseen.aggregate(total=Sum(F("amount") - F("reversed")))["total"] or 0,
        limit=approvals.limit_of(
            settings.REFUND_APPROVAL_LIMITS,
            client=ids.public(ids.Prefix.CLIENT, payment.client_id),
            currency=payment.currency,
        ),
    )


def ask(refund: Refund, *, by: Actor, now: datetime) -> Proposal:
    """Ask for a second person's decision on a refund that was just made. Emits ``casework.proposed``."""
    draft = Draft(
        kind=REFUND.name,
        subject=refunding.subject(refund),
        payload={"refund": refund.public_id},
        snapshot=_facts(refund),
        reason=f"{Approval(refund.approval).label.capitalize()}. Reason given: {refund.reason or 'none'}",
    )
    return casework.propose(draft, by=by, now=now)


@transaction.atomic
def approve(*, proposal_id: UUID, version: int, by: Actor, note: str = "", now: datetime) -> Decision[Refund]:
    """Approve a refund and prepare its attempt, in one transaction. See ``casework.approve`` for what is raised."""
    payment, refund = _locked(_refund_of(proposal_id))

    def send(proposal: Proposal) -> Refund:
        before = refund.state
        refund.approve()
        cause = Cause("proposal", proposal.public_id, actor=by.name, reason=note)
        moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=now, now=now)
        preparing.prepare_refund(payment, refund, now=now)
        return refund

    return casework.approve(
        proposal_id=proposal_id,
        version=version,
        by=by,
        look=lambda _: _facts(refund),
        carry_out=send,
        note=note,
        now=now,
    )


@transaction.atomic
def reject(*, proposal_id: UUID, version: int, by: Actor, reason: str, now: datetime) -> Proposal:
    """Reject a refund and give its sum back. See ``casework.reject`` for what is raised."""
    payment, refund = _locked(_refund_of(proposal_id))
    proposal = casework.reject(proposal_id=proposal_id, version=version, by=by, reason=reason, now=now)
    before = refund.state
    refund.reject(code="rejected", message="A second person did not approve it.")
    refunding.free(payment, refund, occurred_at=now, now=now)
    cause = Cause("proposal", proposal.public_id, actor=by.name, reason=reason)
    moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=now, now=now)
    return proposal


@transaction.atomic
def cancel(*, client_id: UUID, refund_id: UUID, now: datetime) -> Refund:
    """Cancel a refund of a client that has not left; one that is cancelled already stays as it is.

    Raises:
        NotFound: this client has no such refund.
        RefundNotCancelable: it may have left, or it has ended otherwise.
    """
    if not Refund.objects.filter(pk=refund_id, payment__client_id=client_id).exists():
        raise NotFound("This API client has no refund under this id.")
    payment, refund = _locked(refund_id)
    if refund.state == RefundState.CANCELED:
        return refund
    cause = Cause("cancel", refund.public_id, actor=ids.public(ids.Prefix.CLIENT, client_id), reason="Cancelled.")
    if not refunding.withdraw(payment, refund, cause=cause, code="canceled", now=now):
        raise RefundNotCancelable(f"The refund is {refund.get_state_display()}; only one that has not left can be.")
    return refund


def _locked(refund_id: UUID) -> tuple[Payment, Refund]:
    payment = Payment.lock(Refund.objects.values_list("payment_id", flat=True).get(pk=refund_id))
    return payment, Refund.lock(refund_id)


def _refund_of(proposal_id: UUID) -> UUID:
    found = Proposal.objects.filter(pk=proposal_id, kind=REFUND.name).first()
    if found is None:
        raise casework.ProposalNotFound("There is no proposed refund under this id.")
    return ids.parse(ids.Prefix.REFUND, found.subject_id)


def _facts(refund: Refund) -> dict[str, str]:
    return {
        "amount": str(refund.amount),
        "currency": refund.currency,
        "payment": ids.public(ids.Prefix.PAYMENT, refund.payment_id),
        "state": str(refund.state),
    }
