"""Two people decide what became of an attempt that nothing else can tell (SEMANTICS section 2, point 5).

One proposes, another approves, and the approval records the decision in the same transaction, exactly as an answer of
the provider would be recorded: with a cause of its own, postings and events. So nothing lies between approval and
effect in which a process could die. A provider that later says otherwise is late evidence.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal, Subject
from paymentops.casework.operations import Decision as Approval
from paymentops.casework.operations import Draft
from paymentops.core import ids
from paymentops.core.errors import Conflict, NotFound
from paymentops.payments import decisions
from paymentops.payments.decisions import Decision, ItHappened
from paymentops.payments.models import Attempt, Payment, ProviderCall
from paymentops.payments.operations import outcomes
from paymentops.payments.operations.outcomes import Answer, DidNotHappen
from paymentops.payments.proposals import OUTCOME, SUBJECT_TYPE
from paymentops.payments.queries import ambiguity as reading
from paymentops.payments.states import AttemptState, CaptureMode
from paymentops.providers.contract import Approved, Operation


class NotUnknown(Conflict):
    """It is known what became of the attempt, or it is being found out at this moment."""

    code = "payment.not_unknown"
    title = "There is nothing to decide about this attempt"


@transaction.atomic
def propose_outcome(
    attempt_id: UUID,
    decision: Decision,
    *,
    reason: str,
    attachment_ids: Sequence[UUID] = (),
    by: Actor,
    now: datetime,
) -> Proposal:
    """Propose what became of an unknown attempt; a second person records it by approving. Emits ``casework.proposed``.

    Args:
        attempt_id: which attempt.
        decision: that it happened, or that it did not.
        reason: why nobody else can tell.
        attachment_ids: files that ``by`` uploaded and that prove it.
        by: a person with ``payments.propose_outcome``.
        now: when.

    Raises:
        NotFound, NotUnknown: there is no such attempt, or its outcome is not unknown.
        DecisionNotUsable, NotForPeople: see ``decisions.check`` and ``decisions.check_timing``.
        AlreadyProposed, NotAllowed, InvalidInput, AttachmentNotUsable: see the casework.
    """
    attempt = _locked(attempt_id)
    _require_unknown(attempt)
    [found] = reading.judged([attempt], now=now)
    decisions.check(
        decision,
        operation=Operation(attempt.operation),
        asked=attempt.money,
        sent_at=attempt.first_dispatched_at or attempt.created_at,
        now=now,
    )
    decisions.check_timing(decision, found.verdict)
    subject = Subject(SUBJECT_TYPE, attempt.public_id)
    files = casework.bind(attachment_ids, subject=subject, by=by, now=now)
    draft = Draft(
        kind=OUTCOME.name,
        subject=subject,
        payload={
            **decisions.as_payload(decision),
            "attachments": [{"id": file.public_id, "name": file.name, "sha256": file.sha256} for file in files],
        },
        snapshot=reading.decision_facts(attempt),
        reason=reason,
    )
    proposal = casework.propose(draft, by=by, now=now)
    _tell(attempt, "payment.outcome_proposed", decision, proposal=proposal, words=proposal.reason, by=by, now=now)
    return proposal


def approve_outcome(*, proposal_id: UUID, version: int, by: Actor, note: str = "", now: datetime) -> Approval[Attempt]:
    """Approve a decision and record it, in one transaction. Locks the payment, the attempt and the proposal.

    The approval says whether it was recorded, went stale because the attempt or its payment moved since, or was
    refused; ``carried_out()`` returns the attempt or raises why not. See ``casework.approve`` for what is raised.
    """
    proposal = Proposal.objects.filter(pk=proposal_id, kind=OUTCOME.name).first()
    if proposal is None:
        raise casework.ProposalNotFound("Nobody proposed what became of an attempt under this id.")
    attempt_id = ids.parse(ids.Prefix.ATTEMPT, proposal.subject_id)
    with transaction.atomic():
        # The order in which everything locks: the payment first.
        attempt = _locked(attempt_id)
        return casework.approve(
            proposal_id=proposal_id,
            version=version,
            by=by,
            look=lambda _: reading.decision_facts(attempt),
            carry_out=lambda agreed: _record(attempt, agreed, by=by, now=now),
            note=note,
            now=now,
        )


def _record(attempt: Attempt, proposal: Proposal, *, by: Actor, now: datetime) -> Attempt:
    decision = decisions.from_payload(proposal.payload)
    _require_unknown(attempt)
    outcomes.record(
        answer=Answer(
            attempt_id=attempt.pk,
            kind=ProviderCall.Kind.DECISION,
            number=attempt.calls.filter(kind=ProviderCall.Kind.DECISION).count() + 1,
            fence=None,
            started_at=proposal.proposed_at,
            reference=proposal.public_id,
            outcome=_outcome(attempt, decision, now),
            actor=by.name,
            reason=proposal.reason,
        ),
        now=now,
    )
    _tell(attempt, "payment.outcome_decided", decision, proposal=proposal, words=proposal.reason, by=by, now=now)
    return Attempt.objects.get(pk=attempt.pk)


def _outcome(attempt: Attempt, decision: Decision, now: datetime) -> Approved | DidNotHappen:
    if not isinstance(decision, ItHappened):
        return DidNotHappen(at=now, evidence=decision.evidence)
    takes_money = attempt.operation == Operation.AUTHORIZE and attempt.payment.capture_mode == CaptureMode.AUTOMATIC
    return Approved(
        provider_reference=decision.provider_reference,
        amount=decision.amount,
        captured=decision.amount if takes_money else None,
        at=decision.occurred_at,
    )


def _locked(attempt_id: UUID) -> Attempt:
    payment_id = Attempt.objects.filter(pk=attempt_id).values_list("payment_id", flat=True).first()
    if payment_id is None:
        raise NotFound("There is no attempt under this id.")
    Payment.lock(payment_id)
    return Attempt.lock(attempt_id)


def _require_unknown(attempt: Attempt) -> None:
    if attempt.state != AttemptState.UNKNOWN:
        raise NotUnknown(
            f"The {attempt.operation.lower()} is {attempt.get_state_display()}; people decide only what is unknown."
        )


def _tell(
    attempt: Attempt, action: str, decision: Decision, *, proposal: Proposal, words: str, by: Actor, now: datetime
) -> None:
    """Leave the row by which the payment's story tells who did what, and why."""
    access.audit(
        action=action,
        actor=by,
        object_type="payment",
        object_id=attempt.payment.public_id,
        after={
            "attempt": attempt.public_id,
            "proposal": proposal.public_id,
            "decision": decisions.in_words(decision),
            "evidence": decision.evidence,
        },
        reason=words,
        now=now,
    )
