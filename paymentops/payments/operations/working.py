"""Carrying out what is due: claim, call the provider with no transaction open, record what came back."""

import logging
from collections.abc import Callable
from datetime import datetime

from paymentops.core import failpoints
from paymentops.core.failpoints import Point
from paymentops.payments import breaker
from paymentops.payments.breaker import Key
from paymentops.payments.models import ProviderCall
from paymentops.payments.operations import breaking, dispatching, outcomes
from paymentops.payments.operations.dispatching import Ask, Claim, HandIn, Send, TakeBack
from paymentops.payments.operations.outcomes import Answer, Recorded
from paymentops.providers import registry
from paymentops.providers.contract import (
    Completing,
    InquiryOutcome,
    NotSent,
    Operation,
    Outcome,
    Provider,
    RetryClass,
    Unknown,
    Withdrawing,
)
from paymentops.providers.outside import require_no_transaction

type Clock = Callable[[], datetime]

_log = logging.getLogger(__name__)


def work_off(*, limit: int, clock: Clock) -> int:
    """Take on due attempts one after the other, at most ``limit``; return how many were taken on.

    May run in any number of processes at once. A process that dies in between loses nothing: its lease runs out.
    """
    done = 0
    while done < limit:
        claims = dispatching.claim_due(limit=1, now=clock())
        if not claims:
            break
        failpoints.reach(Point.DISPATCH_CLAIMED)
        for claim in claims:
            carry_out(claim=claim, clock=clock)
        done += len(claims)
    return done


def carry_out(*, claim: Claim, clock: Clock) -> None:
    """Do what one claimed attempt needs: send it, ask about it, hand in what its payer brought, or take it back."""
    step = dispatching.begin(claim=claim, now=clock())
    if step is None:
        failpoints.reach(Point.DISPATCH_SET_ASIDE)
    if isinstance(step, Ask):
        recorded = _ask(step, clock)
        failpoints.reach(Point.INQUIRY_RECORDED)
        step = dispatching.begin_resend(claim=claim, now=clock()) if recorded.resend else None
    match step:
        case Send():
            outcome = _send(step, clock)
            failpoints.reach(Point.OUTCOME_COMMITTED)
            _tell_breaker(step, outcome, clock)
        case HandIn():
            _hand_in(step, clock)
        case TakeBack():
            _take_back(step, clock)


def _send(step: Send, clock: Clock) -> Outcome:
    started_at = clock()
    deadline = step.instruction.deadline
    failpoints.reach(Point.DISPATCH_COMMITTED)
    provider = registry.get(step.provider)
    outcome = _call(provider, step) if _in_time(provider, started_at, deadline) else _too_late(deadline)
    failpoints.reach(Point.DISPATCH_ANSWERED)
    _log.info(
        "%s %s of %s: %s",
        step.provider,
        step.instruction.operation.lower(),
        step.instruction.reference,
        type(outcome).__name__,
    )
    outcomes.record(
        answer=Answer(
            attempt_id=step.claim.attempt_id,
            kind=ProviderCall.Kind.DISPATCH,
            number=step.number,
            fence=step.claim.fence,
            started_at=started_at,
            reference=str(step.number),
            outcome=outcome,
        ),
        now=clock(),
    )
    return outcome


def _tell_breaker(step: Send, outcome: Outcome, clock: Clock) -> None:
    breaking.note(
        key=Key(step.provider, step.instruction.operation, step.instruction.method),
        probe=step.probe,
        effect=breaker.effect_of(type(outcome).__name__, reason=getattr(outcome, "reason", "")),
        now=clock(),
    )


def _ask(step: Ask, clock: Clock) -> Recorded:
    started_at = clock()
    require_no_transaction()
    failpoints.reach(Point.INQUIRY_COMMITTED)
    outcome: InquiryOutcome = registry.get(step.provider).inquire(step.question)
    failpoints.reach(Point.INQUIRY_ANSWERED)
    _log.info("%s inquiry %d about %s: %s", step.provider, step.number, step.question.reference, type(outcome).__name__)
    return outcomes.record(
        answer=Answer(
            attempt_id=step.claim.attempt_id,
            kind=ProviderCall.Kind.INQUIRY,
            number=step.number,
            fence=step.claim.fence,
            started_at=started_at,
            reference=str(step.number),
            outcome=outcome,
        ),
        now=clock(),
    )


def _hand_in(step: HandIn, clock: Clock) -> Recorded:
    """Hand in what the payer brought back; what that was stands in no log."""
    started_at = clock()
    require_no_transaction()
    provider = registry.get(step.provider)
    if not _in_time(provider, started_at, step.completion.deadline):
        outcome: Outcome = _too_late(step.completion.deadline)
    elif isinstance(provider, Completing):
        outcome = provider.complete(step.completion)
    else:
        # It did when the payer came back. Whoever changed it is told by the inquiry that follows.
        outcome = Unknown(reason="cannot_complete", at=started_at)
    _log.info("%s completion of %s: %s", step.provider, step.completion.reference, type(outcome).__name__)
    return _record(step, ProviderCall.Kind.COMPLETION, outcome, started_at, clock)


def _take_back(step: TakeBack, clock: Clock) -> Recorded:
    started_at = clock()
    require_no_transaction()
    provider = registry.get(step.provider)
    if not _in_time(provider, started_at, step.withdrawal.deadline):
        outcome: Outcome = _too_late(step.withdrawal.deadline)
    elif isinstance(provider, Withdrawing):
        outcome = provider.withdraw(step.withdrawal)
    else:
        outcome = Unknown(reason="cannot_withdraw", at=started_at)
    _log.info("%s withdrawal of %s: %s", step.provider, step.withdrawal.reference, type(outcome).__name__)
    return _record(step, ProviderCall.Kind.WITHDRAWAL, outcome, started_at, clock)


def _record(
    step: HandIn | TakeBack, kind: ProviderCall.Kind, outcome: Outcome, started_at: datetime, clock: Clock
) -> Recorded:
    return outcomes.record(
        answer=Answer(
            attempt_id=step.claim.attempt_id,
            kind=kind,
            number=step.number,
            fence=step.claim.fence,
            started_at=started_at,
            reference=str(step.number),
            outcome=outcome,
        ),
        now=clock(),
    )


def _in_time(provider: Provider, started_at: datetime, deadline: datetime) -> bool:
    """Tell whether enough time is left for a call, slow ones included."""
    return started_at + provider.capabilities.slow_call <= deadline


def _too_late(deadline: datetime) -> NotSent:
    """Refuse to send with too little time left: this worker slept, and another may have taken the attempt over."""
    return NotSent(reason=breaker.TOO_LATE, retry_class=RetryClass.NOT_SENT, at=deadline)


def _call(provider: Provider, step: Send) -> Outcome:
    require_no_transaction()
    match step.instruction.operation:
        case Operation.AUTHORIZE:
            return provider.authorize(step.instruction)
        case Operation.CAPTURE:
            return provider.capture(step.instruction)
        case Operation.VOID:
            return provider.void(step.instruction)
        case Operation.REFUND:
            return provider.refund(step.instruction)
