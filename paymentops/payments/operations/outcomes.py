"""Recording what a provider answered: payment, attempt, ledger and event move in one transaction, once per answer.

Which answers count (SEMANTICS section 2, "the sleeping worker"): a definitive yes or no about our key counts whenever
it arrives and whoever brings it; "not sent", "unknown" and "pending" count only from the holder of the present fence.
What does not count is kept as a call with ``applied`` false.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from paymentops.core import failpoints
from paymentops.core.failpoints import Point
from paymentops.core.money import Money
from paymentops.payments import retry
from paymentops.payments.models import Attempt, Cause, Payment, ProviderCall
from paymentops.payments.operations import (
    answers,
    asking,
    concluding,
    contradictions,
    duplicates,
    excess,
    expiring,
    giving_up,
    late_evidence,
    moving,
    payer,
    reversing,
    trying,
    unmatched,
    waiting,
    withdrawing,
)
from paymentops.payments.operations.answers import Answer, DidNotHappen, Told
from paymentops.payments.queries import ambiguity as reading
from paymentops.payments.retry import Again, Later, NotFoundVerdict, Stop
from paymentops.payments.states import AttemptState
from paymentops.providers import registry
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Pending,
    RetryClass,
    Reversed,
    Unknown,
)

__all__ = ["Answer", "DidNotHappen", "Recorded", "Told", "record"]

_IN_DOUBT = (AttemptState.DISPATCHED, AttemptState.UNKNOWN, AttemptState.PENDING, AttemptState.ACTION_REQUIRED)
_WAITING = (AttemptState.PENDING, AttemptState.ACTION_REQUIRED)
# Calls about an authorisation that waits already; what they bring may be nothing but news of the call itself.
_ABOUT_THE_PAYER = (ProviderCall.Kind.COMPLETION, ProviderCall.Kind.WITHDRAWAL)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of an answer; ``resend`` says that it was proven not executed and may be sent again now."""

    applied: bool
    resend: bool = False


def record(*, answer: Answer, now: datetime) -> Recorded:
    """Apply one answer to its attempt and payment.

    Locks the payment, then the attempt. Emits the events of every move. An answer that was recorded before changes
    nothing.
    """
    payment_id = Attempt.objects.values_list("payment_id", flat=True).get(pk=answer.attempt_id)
    with transaction.atomic():
        payment = Payment.lock(payment_id)
        attempt = Attempt.lock(answer.attempt_id)
        if _seen_before(answer):
            return Recorded(applied=False)
        if contradictions.says_otherwise(attempt, answer.outcome):
            answers.keep(answer, attempt=attempt, outcome=answer.outcome, applied=False, now=now)
            contradictions.tell(payment, attempt, answer.outcome, now=now)
            return Recorded(applied=False)
        known_as = attempt.provider_reference
        if isinstance(answer.outcome, Reversed):
            recorded = _taken_back(payment, attempt, answer, answer.outcome, now)
        else:
            recorded = _record(payment, attempt, answer, now)
        if attempt.provider_reference != known_as:
            unmatched.wake(provider=attempt.provider, reference=attempt.provider_reference, now=now)
        failpoints.reach(Point.OUTCOME_BEFORE_COMMIT)
        return recorded


def _record(payment: Payment, attempt: Attempt, answer: Answer, now: datetime) -> Recorded:
    if _paid_again(payment, attempt, answer, now):
        return Recorded(applied=True)
    outcome, beyond = _believable(payment, attempt, answer.outcome)
    recorded = _apply(payment, attempt, answer, outcome, now)
    answers.keep(answer, attempt=attempt, outcome=outcome, applied=recorded.applied, now=now)
    duplicates.notice_at_provider(payment, attempt, outcome, now=now)
    if beyond is not None and recorded.applied:
        excess.record(payment, beyond, reference=answers.reference(outcome), occurred_at=outcome.at, now=now)
    return recorded


def _taken_back(payment: Payment, attempt: Attempt, answer: Answer, outcome: Reversed, now: datetime) -> Recorded:
    """Record that a success did not last.

    A success that nobody here knew of is recorded first where it is told along: whatever is still in doubt then, and of
    what was believed not to have happened whatever was not taken back. What is told without it is a no while in doubt.
    """
    is_whole = outcome.amount.currency == attempt.currency and attempt.money <= outcome.amount
    news = attempt.state in _IN_DOUBT or (attempt.has_failed and not is_whole)
    if outcome.success is not None and news:
        _record(payment, attempt, replace(answer, outcome=outcome.success), now)
        # The number of the call stands for the success now.
        answer = replace(answer, kind=ProviderCall.Kind.NOTIFICATION, number=0)
    cause = Cause("reversal", f"{attempt.public_id}/{answer.reference}", reason=outcome.message)
    if attempt.state in _IN_DOUBT and is_whole:
        concluding.decline(payment, attempt, _as_decline(outcome), cause=cause, now=now)
        applied = True
    else:
        applied = reversing.apply(payment, attempt, outcome, cause=cause, now=now)
    if not applied and reversing.has_no_room(attempt, outcome):
        moving.tell_late_evidence(
            payment, attempt, amount=outcome.amount, applied=False, occurred_at=outcome.at, now=now
        )
    answers.keep(answer, attempt=attempt, outcome=outcome, applied=applied, now=now)
    return Recorded(applied=applied)


def _as_decline(outcome: Reversed) -> Declined:
    return Declined(
        code=outcome.code,
        retry_class=outcome.retry_class,
        message=outcome.message,
        at=outcome.at,
        provider_reference=outcome.provider_reference,
    )


def _paid_again(payment: Payment, attempt: Attempt, answer: Answer, now: datetime) -> bool:
    """Record money that came for a payment that was paid already; tell whether that is what the answer says."""
    outcome = answer.outcome
    amount = excess.paid_again(payment, attempt, outcome) if isinstance(outcome, Approved) else None
    if amount is None:
        return False
    excess.record(payment, amount, reference=answers.reference(outcome), occurred_at=outcome.at, now=now)
    answers.keep(answer, attempt=attempt, outcome=outcome, applied=True, now=now, kept_as=excess.OUTCOME)
    return True


def _seen_before(answer: Answer) -> bool:
    if answer.kind == ProviderCall.Kind.NOTIFICATION:
        return False
    calls = ProviderCall.objects.filter(attempt_id=answer.attempt_id, kind=answer.kind, number=answer.number)
    return calls.exists()


def _believable(payment: Payment, attempt: Attempt, outcome: Told) -> tuple[Told, Money | None]:
    """Treat an approval of another currency, or of more than was asked for, as an answer nobody can act on.

    Less than was asked for is a partial approval, but no refund was asked for in parts. A void releases all there is,
    whatever amount it is told with. What a payer sent beyond is taken off and returned beside the approval.
    """
    if not isinstance(outcome, Approved) or attempt.operation == Operation.VOID:
        return outcome, None
    beyond = excess.beyond(payment, attempt, outcome)
    if beyond is not None:
        return replace(outcome, amount=attempt.money, captured=attempt.money), beyond
    return _of_plausible_amount(attempt, outcome), None


def _of_plausible_amount(attempt: Attempt, outcome: Approved) -> Approved | Unknown:
    amounts = [outcome.amount] if outcome.captured is None else [outcome.amount, outcome.captured]
    least = attempt.amount if attempt.operation == Operation.REFUND else 1
    if all(amount.currency == attempt.currency and least <= amount.minor <= attempt.amount for amount in amounts):
        return outcome
    return Unknown(
        reason=f"asked for {attempt.money}, answered {', '.join(map(str, amounts))}",
        at=outcome.at,
        provider_reference=outcome.provider_reference,
    )


def _apply(payment: Payment, attempt: Attempt, answer: Answer, outcome: Told, now: datetime) -> Recorded:
    reference = f"{attempt.public_id}/{answer.reference}"
    cause = Cause(_cause_kind(answer), reference, actor=answer.actor, reason=answer.reason)
    match outcome:
        case Approved():
            return Recorded(applied=_approved(payment, attempt, outcome, cause, now))
        case Declined():
            return Recorded(applied=_declined(payment, attempt, answer, outcome, cause, now))
        case DidNotHappen():
            return Recorded(applied=_decided_negative(payment, attempt, outcome, cause, now))
        case _ if answer.fence is None or answer.fence == attempt.fence:
            return _apply_indefinite(payment, attempt, answer, outcome, cause, now)
        case _:
            return Recorded(applied=False)


def _approved(payment: Payment, attempt: Attempt, outcome: Approved, cause: Cause, now: datetime) -> bool:
    if attempt.state in _IN_DOUBT:
        concluding.succeed(payment, attempt, outcome, cause=cause, now=now)
        return True
    if not attempt.has_failed or reversing.undone(attempt):
        return False
    return late_evidence.apply(payment, attempt, outcome, cause=cause, now=now)


def _declined(  # noqa: PLR0917 - what every answer is applied to
    payment: Payment, attempt: Attempt, answer: Answer, outcome: Declined, cause: Cause, now: datetime
) -> bool:
    if attempt.state == AttemptState.SUCCEEDED and outcome.lapsed and attempt.operation == Operation.AUTHORIZE:
        told = Cause("expiry", f"{attempt.public_id}/{answer.reference}", reason="The provider let the hold lapse.")
        return expiring.let_go(payment, cause=told, occurred_at=outcome.at, now=now)
    if attempt.state not in _IN_DOUBT:
        return False
    if answer.kind in _ABOUT_THE_PAYER and outcome.retry_class is RetryClass.INVALID and not outcome.withdrawn:
        return answer.fence == attempt.fence and _not_taken(payment, attempt, answer, outcome, cause, now)
    if _says_nothing(attempt, answer, outcome):
        attempt.result_message = f"{outcome.code}: {outcome.message}"[:300]
        withdrawing.lose_sight(payment, attempt, cause=cause, now=now)
    else:
        concluding.decline(payment, attempt, outcome, cause=cause, now=now)
    return True


def _not_taken(  # noqa: PLR0917 - what every answer is applied to
    payment: Payment, attempt: Attempt, answer: Answer, outcome: Declined, cause: Cause, now: datetime
) -> bool:
    """Follow a provider that refused to look at what the payer brought back, or at a withdrawal, as invalid.

    It says nothing about the authorisation, which still waits: the payer may act again, or an inquiry tells.
    """
    attempt.result_message = f"{outcome.code}: {outcome.message}"[:300]
    resumption = payer.resumption_of(attempt)
    if attempt.state == AttemptState.UNKNOWN:
        _ask_again(attempt, now)
    elif answer.kind == ProviderCall.Kind.COMPLETION and resumption is not None:
        told = Cause(cause.kind, cause.reference, reason=f"The provider did not take it: {outcome.message}")
        waiting.ask_the_payer_again(payment, attempt, resumption, cause=told, now=now)
    else:
        withdrawing.lose_sight(payment, attempt, cause=cause, now=now)
    return True


def _decided_negative(payment: Payment, attempt: Attempt, outcome: DidNotHappen, cause: Cause, now: datetime) -> bool:
    if attempt.state != AttemptState.UNKNOWN:
        return False
    attempt.result_code = "decided_not_executed"
    concluding.give_up(payment, attempt, why=f"Two people decided: {outcome.evidence}", cause=cause, now=now)
    return True


def _apply_indefinite(  # noqa: PLR0917 - what every answer is applied to
    payment: Payment,
    attempt: Attempt,
    answer: Answer,
    outcome: Told,
    cause: Cause,
    now: datetime,
) -> Recorded:
    """Apply what neither says yes nor no; it counts from the holder of the present fence only."""
    in_doubt = attempt.state in _IN_DOUBT
    about_payer = answer.kind in _ABOUT_THE_PAYER and attempt.state in _WAITING
    match outcome:
        case ActionRequired() if in_doubt:
            return Recorded(applied=waiting.require_action(payment, attempt, outcome, cause=cause, now=now))
        case Pending() if in_doubt:
            waiting.pend(payment, attempt, outcome, cause=cause, now=now)
        case NotSent() if answer.kind in _ABOUT_THE_PAYER and in_doubt:
            waiting.put_off(payment, attempt, outcome, number=answer.number, now=now)
        case NotSent() if attempt.state == AttemptState.DISPATCHED:
            _not_sent(payment, attempt, outcome, cause, now)
        case Unknown() if attempt.state == AttemptState.DISPATCHED or about_payer:
            attempt.provider_reference = outcome.provider_reference or attempt.provider_reference
            attempt.result_message = outcome.reason[:300]
            withdrawing.lose_sight(payment, attempt, cause=cause, now=now)
        case Unknown() if in_doubt:
            _ask_again(attempt, now)
        case NotFound() if in_doubt:
            return _not_found(payment, attempt, cause, now)
        case _:
            return Recorded(applied=False)
    return Recorded(applied=True)


def _says_nothing(attempt: Attempt, answer: Answer, outcome: Declined) -> bool:
    """Tell whether a refusal is about this resend only, while an earlier dispatch may have happened.

    Where the provider cannot be asked, nobody has proved that the earlier one did not: credentials that were replaced
    since, or a stricter check, refuse the request before the provider looks at its key.
    """
    return (
        answer.kind == ProviderCall.Kind.DISPATCH
        and outcome.retry_class is RetryClass.INVALID
        and attempt.state == AttemptState.DISPATCHED
        and attempt.was_unknown
        and not registry.get(attempt.provider).capabilities.can_inquire
    )


def _not_sent(payment: Payment, attempt: Attempt, outcome: NotSent, cause: Cause, now: datetime) -> None:
    """Put an attempt that provably did not leave off; if an earlier dispatch is in doubt, the doubt remains."""
    if attempt.was_unknown:
        withdrawing.lose_sight(payment, attempt, cause=cause, now=now)
        return
    match trying.after_not_sent(payment, attempt, outcome, now=now):
        case Later(planned):
            before = attempt.state
            attempt.defer()
            attempt.lease_expires_at = None
            attempt.next_action_at = planned.at
            moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=outcome.at, now=now)
        case Again() as again:
            concluding.fail_over(payment, attempt, again, cause=cause, now=now)
        case Stop():
            _give_up(payment, attempt, cause, now)


def _give_up(payment: Payment, attempt: Attempt, cause: Cause, now: datetime) -> None:
    """End what can never be carried out, and tell somebody."""
    concluding.give_up(payment, attempt, cause=cause, now=now)
    giving_up.record(payment, attempt, reason=attempt.result_message, now=now)


def _ask_again(attempt: Attempt, now: datetime) -> None:
    planned = asking.next_look(attempt, now=now)
    attempt.lease_expires_at = None
    attempt.next_action_at = planned.at
    attempt.schedule = planned.inputs
    moving.save_attempt_rescheduled(attempt)


def _not_found(payment: Payment, attempt: Attempt, cause: Cause, now: datetime) -> Recorded:
    capabilities = registry.get(attempt.provider).capabilities
    verdict = retry.judge_not_found(
        capabilities=capabilities,
        last_sent_at=attempt.last_dispatched_at or attempt.created_at,
        first_not_found_at=attempt.not_found_at,
        now=now,
    )
    past_cut_off = attempt.state == AttemptState.UNKNOWN and reading.is_past_cut_off(attempt, now=now)
    if verdict is not NotFoundVerdict.PROVEN or past_cut_off:
        # Past the cut-off it may only mean that the provider has forgotten.
        if verdict is NotFoundVerdict.FIRST and attempt.not_found_at is None:
            attempt.not_found_at = now
        _ask_again(attempt, now)
        return Recorded(applied=True)
    may_resend = retry.may_resend(
        policy=retry.policy(payment.policy_version),
        capabilities=capabilities,
        sends=attempt.dispatches,
        first_sent_at=attempt.first_dispatched_at or attempt.created_at,
        now=now,
    )
    # What had reached the provider before is not sent a second time because the provider forgot it.
    was_there = attempt.completions or attempt.withdrawals
    if may_resend and not was_there and attempt.state == AttemptState.UNKNOWN and payment.cancel_requested_at is None:
        return Recorded(applied=True, resend=True)
    if attempt.state == AttemptState.ACTION_REQUIRED and payment.expires_at <= now:
        withdrawing.lapse(payment, attempt, cause=cause, occurred_at=payment.expires_at, now=now)
    else:
        _give_up(payment, attempt, cause, now)
    return Recorded(applied=True)


def _cause_kind(answer: Answer) -> str:
    return {
        ProviderCall.Kind.DISPATCH: "outcome",
        ProviderCall.Kind.INQUIRY: "inquiry",
        ProviderCall.Kind.COMPLETION: "completion",
        ProviderCall.Kind.WITHDRAWAL: "withdrawal",
        ProviderCall.Kind.NOTIFICATION: "notification",
        ProviderCall.Kind.DECISION: "decision",
    }[answer.kind]
