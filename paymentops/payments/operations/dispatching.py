"""Taking on due attempts: claim under a lease, commit that it is being sent, and only then call the provider.

Three transactions guard one call, and the process may die between any two of them:

* after the claim: the lease runs out and another worker claims; nothing was sent;
* after DISPATCHED, before or after the call: the lease runs out and the attempt becomes UNKNOWN; an inquiry tells;
* after the outcome was recorded: nothing is left to do.

What a payer brought back is handed in, and what nobody wants any more is taken back, in the same three steps. There a
worker that dies is followed by another that does the same again, because a provider lets it have one effect only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction

from paymentops.core import failpoints
from paymentops.core.failpoints import Point
from paymentops.payments import retry
from paymentops.payments.models import Attempt, Cause, Payment, Resumption
from paymentops.payments.operations import breaking, moving, payer, trying, waiting, withdrawing
from paymentops.payments.queries import ambiguity as reading
from paymentops.payments.states import SUCCESSFUL_ATTEMPT_STATES, AttemptState, CaptureMode, PaymentState
from paymentops.providers import registry
from paymentops.providers.contract import Completion, Instruction, Method, Operation, Question, Withdrawal

# Whoever holds this advisory lock keeps every worker from taking on work; it ends with the holder's connection.
HOLD_LOCK: Final = 0x7061796F  # "payo"
# A provider that cannot be asked is given this long to tell what a payer did before their time was over.
_NEWS_MAY_TAKE: Final = timedelta(days=1)
# Losing a claim in a crash loses nothing: whatever follows it commits durably and so flushes it too.
_CLAIM: Final = """
WITH quick AS (
    SELECT set_config('synchronous_commit', 'off', true), pg_try_advisory_xact_lock_shared(%(hold)s) AS free
), due AS MATERIALIZED (
    -- Evaluated once: the planner may run a plain subquery again for each row it joins, and claim beyond the limit.
    SELECT id FROM payments_attempt WHERE next_action_at <= %(now)s
    ORDER BY next_action_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE payments_attempt SET fence = fence + 1, lease_expires_at = %(until)s, next_action_at = %(until)s
FROM quick, due
WHERE quick.free AND payments_attempt.id = due.id
RETURNING payments_attempt.id, fence
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to take on one attempt until the lease ends; a higher fence ends it sooner."""

    attempt_id: UUID
    fence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """The attempt is DISPATCHED and committed; the instruction may leave now. ``probe`` is its slot at a breaker."""

    claim: Claim
    provider: str
    number: int
    instruction: Instruction
    probe: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Nobody knows what became of the attempt; the provider is to be asked."""

    claim: Claim
    provider: str
    number: int
    question: Question


@dataclass(frozen=True, slots=True, kw_only=True)
class HandIn:
    """That what the payer brought back is handed in is committed; it may leave now."""

    claim: Claim
    provider: str
    number: int
    completion: Completion


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """That the authorisation is to be taken back is committed; the provider may be told now."""

    claim: Claim
    provider: str
    number: int
    withdrawal: Withdrawal


type Step = Send | Ask | HandIn | TakeBack


def claim_due(*, limit: int, now: datetime) -> list[Claim]:
    """Claim up to ``limit`` due attempts for one lease; two workers never get the same one."""
    until = now + timedelta(seconds=settings.LEASE_SECONDS)
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"until": until, "now": now, "limit": limit, "hold": HOLD_LOCK})
        return [Claim(attempt_id, fence) for attempt_id, fence in cursor.fetchall()]


@contextmanager
def held() -> Iterator[None]:
    """Keep all workers from taking on work while the block runs; what they have taken on goes to its end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [HOLD_LOCK])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [HOLD_LOCK])


def begin(*, claim: Claim, now: datetime) -> Step | None:
    """Decide under lock what a claimed attempt needs, and commit it before anything leaves.

    Locks the payment, then the attempt. Returns ``None`` when there is nothing to call: the claim has passed to
    another worker, the attempt has ended, or it was withdrawn.
    """
    payment_id = Attempt.objects.values_list("payment_id", flat=True).get(pk=claim.attempt_id)
    with transaction.atomic():
        payment = Payment.lock(payment_id)
        attempt = Attempt.lock(claim.attempt_id)
        if attempt.fence != claim.fence or not attempt.is_open:
            return None
        match attempt.state:
            case AttemptState.PREPARED:
                return _begin_prepared(payment, attempt, claim, now)
            case AttemptState.DISPATCHED:
                _lose_dead_worker(payment, attempt, claim, now)
                return None
            case _:
                return _begin_open(payment, attempt, claim, now)


def _begin_open(payment: Payment, attempt: Attempt, claim: Claim, now: datetime) -> Step | None:
    """Decide what an attempt needs that waits, or of which nobody knows whether it happened."""
    in_doubt = attempt.state == AttemptState.UNKNOWN
    can_inquire = registry.get(attempt.provider).capabilities.can_inquire
    # A doubt is resolved by asking first; where nobody can be asked, what has one effect only is done again.
    is_ready = not in_doubt or not can_inquire
    if is_ready and payer.is_unwanted(payment, attempt) and (attempt.withdrawals or not in_doubt):
        return _take_back(payment, attempt, claim, now)
    resumption = payer.resumption_of(attempt)
    if resumption is not None and not payer.may_hand_in(payment, attempt, resumption, now=now):
        _set_aside(payment, attempt, resumption, claim, now)
        if not in_doubt:
            return None
    elif is_ready and resumption is not None:
        return _hand_in(payment, attempt, resumption, claim, now)
    if _is_asked(attempt, now):
        return _ask(payment, attempt, claim, now)
    if in_doubt and _may_send_unasked(payment, attempt, now):
        return _dispatch_or_hold(payment, attempt, claim, now)
    _wait_for_news(payment, attempt, claim, now)
    return None


def begin_resend(*, claim: Claim, now: datetime) -> Send | None:
    """Send an UNKNOWN attempt again under the same key, after an inquiry proved that it was not executed."""
    payment_id = Attempt.objects.values_list("payment_id", flat=True).get(pk=claim.attempt_id)
    with transaction.atomic():
        payment = Payment.lock(payment_id)
        attempt = Attempt.lock(claim.attempt_id)
        if attempt.fence != claim.fence or attempt.state != AttemptState.UNKNOWN:
            return None
        return _dispatch_or_hold(payment, attempt, claim, now)


def _is_asked(attempt: Attempt, now: datetime) -> bool:
    """Tell whether the provider is asked now: not by itself past the settlement cut-off, only as planned before it."""
    waits_for_people = (
        attempt.state == AttemptState.UNKNOWN
        and attempt.schedule.get("rule") == retry.BY_HAND
        and reading.is_past_cut_off(attempt, now=now)
    )
    return registry.get(attempt.provider).capabilities.can_inquire and not waits_for_people


def _take_back(payment: Payment, attempt: Attempt, claim: Claim, now: datetime) -> TakeBack:
    withdrawal = payer.withdrawal(payment, attempt, now=now)
    return TakeBack(claim=claim, provider=attempt.provider, number=attempt.withdrawals, withdrawal=withdrawal)


def _hand_in(payment: Payment, attempt: Attempt, resumption: Resumption, claim: Claim, now: datetime) -> HandIn:
    """Hand in what the payer brought back, also after a worker died over it: the same details have one effect."""
    completion = payer.completion(payment, attempt, resumption, now=now)
    return HandIn(claim=claim, provider=attempt.provider, number=attempt.completions, completion=completion)


def _set_aside(payment: Payment, attempt: Attempt, resumption: Resumption, claim: Claim, now: datetime) -> None:
    """Erase what will not be handed in; unless it was and may have counted, the payer has to act again."""
    if attempt.state == AttemptState.UNKNOWN:
        attempt.resumptions.forget(now=now)
        return
    why = "What the payer brought back was not handed in."
    cause = Cause("return", f"{attempt.public_id}/{claim.fence}", reason=why)
    waiting.ask_the_payer_again(payment, attempt, resumption, cause=cause, now=now)


def _may_send_unasked(payment: Payment, attempt: Attempt, now: datetime) -> bool:
    """Tell whether an unknown attempt may be sent again where the provider cannot be asked (SEMANTICS section 2).

    A sale that was cancelled meanwhile is not: if nothing had happened yet, sending would charge it.
    """
    unwanted = (
        attempt.operation == Operation.AUTHORIZE
        and payment.cancel_requested_at is not None
        and payment.capture_mode == CaptureMode.AUTOMATIC
    )
    # What had reached the provider and was in its payer's hands is not made a second time.
    was_there = bool(attempt.completions or attempt.withdrawals)
    capabilities = registry.get(attempt.provider).capabilities
    return (
        not unwanted
        and not was_there
        and not capabilities.can_inquire
        and retry.key_is_safe(
            capabilities=capabilities,
            first_sent_at=attempt.first_dispatched_at or attempt.created_at,
            now=now,
        )
    )


def _wait_for_news(payment: Payment, attempt: Attempt, claim: Claim, now: datetime) -> None:
    """Leave an attempt to the provider's notifications, and to people where nobody knows what became of it."""
    waits_for_payer = attempt.state == AttemptState.ACTION_REQUIRED and attempt.operation == Operation.AUTHORIZE
    if waits_for_payer and payment.expires_at + _NEWS_MAY_TAKE <= now:
        cause = Cause(
            "expiry", f"{attempt.public_id}/{claim.fence}", reason="No news for a day after its time was over."
        )
        withdrawing.lapse(payment, attempt, cause=cause, occurred_at=payment.expires_at, now=now)
        return
    planned = retry.by_hand(schedule=registry.get(attempt.provider).capabilities.inquiry_schedule, now=now)
    attempt.lease_expires_at = None
    attempt.next_action_at = planned.at
    attempt.schedule = planned.inputs
    moving.save_attempt_rescheduled(attempt)


def _begin_prepared(payment: Payment, attempt: Attempt, claim: Claim, now: datetime) -> Send | None:
    if attempt.operation == Operation.AUTHORIZE:
        if payment.cancel_requested_at is not None:
            withdrawing.cancel_unsent(payment, attempt, cause=Cause("cancel", attempt.public_id), now=now)
            return None
        if payment.expires_at <= now:
            withdrawing.expire_unsent(payment, attempt, now=now)
            return None
        if trying.hold_back(payment, attempt, now=now):
            return None
    return _dispatch_or_hold(payment, attempt, claim, now)


def _dispatch_or_hold(payment: Payment, attempt: Attempt, claim: Claim, now: datetime) -> Send | None:
    """Send, unless a breaker holds the attempt back: then it stays as it is and is looked at again later."""
    admission = breaking.admit(payment, attempt, now=now)
    if admission.held is None:
        return _dispatch(payment, attempt, claim, admission.probe, now)
    attempt.lease_expires_at = None
    attempt.next_action_at = admission.held.at
    attempt.schedule = admission.held.inputs
    moving.save_attempt_rescheduled(attempt)
    return None


def _dispatch(payment: Payment, attempt: Attempt, claim: Claim, probe: UUID | None, now: datetime) -> Send:
    before = attempt.state
    attempt.dispatch(now=now)
    cause = Cause("dispatch", f"{attempt.public_id}/{attempt.dispatches}")
    attempt.not_found_at = None
    attempt.unknown_since = None
    moving.save_attempt_moved(attempt, before=before, cause=cause, occurred_at=now, now=now)
    _announce(payment, attempt, cause, now)
    failpoints.reach(Point.DISPATCH_BEFORE_COMMIT)
    return Send(
        claim=claim,
        provider=attempt.provider,
        number=attempt.dispatches,
        instruction=_instruction(payment, attempt, now),
        probe=probe,
    )


def _announce(payment: Payment, attempt: Attempt, cause: Cause, now: datetime) -> None:
    """Move what the attempt stands for: an authorisation is processed, an approved refund is on its way."""
    if attempt.operation == Operation.AUTHORIZE and payment.state != PaymentState.PROCESSING:
        before = payment.state
        payment.start_processing()
        moving.save_payment_moved(payment, before=before, cause=cause, occurred_at=now, now=now)
    if attempt.refund is not None and attempt.refund.state == "APPROVED":
        refund = attempt.refund
        before = refund.state
        refund.dispatch()
        moving.save_refund_moved(refund, before=before, cause=cause, occurred_at=now, now=now)


def _lose_dead_worker(payment: Payment, attempt: Attempt, claim: Claim, now: datetime) -> None:
    """A lease ended while the attempt was being sent: it may have happened."""
    withdrawing.lose_sight(
        payment,
        attempt,
        cause=Cause("lease", f"{attempt.public_id}/{claim.fence}", reason="The worker that sent it did not answer."),
        now=now,
    )


def _ask(payment: Payment, attempt: Attempt, claim: Claim, now: datetime) -> Ask:
    attempt.inquiries += 1
    moving.save_attempt_rescheduled(attempt)
    return Ask(
        claim=claim,
        provider=attempt.provider,
        number=attempt.inquiries,
        question=Question(
            operation=Operation(attempt.operation),
            provider_key=attempt.provider_key,
            reference=_reference(payment, attempt),
            amount=attempt.money,
            at=now,
            submitted_at=attempt.first_dispatched_at or attempt.created_at,
            deadline=_deadline(attempt, now),
            provider_reference=_charge_reference(payment, attempt),
            attempt_reference=attempt.provider_reference,
            capture_now=payment.capture_mode == CaptureMode.AUTOMATIC,
        ),
    )


def _instruction(payment: Payment, attempt: Attempt, now: datetime) -> Instruction:
    operation = Operation(attempt.operation)
    capabilities = registry.get(attempt.provider).capabilities
    return Instruction(
        operation=operation,
        provider_key=attempt.provider_key,
        reference=_reference(payment, attempt),
        amount=attempt.money,
        method=Method(payment.method),
        deadline=_deadline(attempt, now),
        at=now,
        payment_token=payment.payment_token if operation is Operation.AUTHORIZE else "",
        capture_now=operation is Operation.AUTHORIZE and payment.capture_mode == CaptureMode.AUTOMATIC,
        final_capture=operation is Operation.CAPTURE
        and (attempt.amount == payment.uncaptured or not capabilities.multiple_captures),
        provider_reference=_charge_reference(payment, attempt),
    )


def _deadline(attempt: Attempt, now: datetime) -> datetime:
    """Return when a call must end: within the provider's timeout, and before another worker may take over."""
    ends_at = now + registry.get(attempt.provider).capabilities.call_timeout
    return ends_at if attempt.lease_expires_at is None else min(ends_at, attempt.lease_expires_at)


def _reference(payment: Payment, attempt: Attempt) -> str:
    return attempt.refund.public_id if attempt.refund is not None else payment.public_id


def _charge_reference(payment: Payment, attempt: Attempt) -> str:
    """Return the provider's id of the charge that later operations work on."""
    if attempt.operation == Operation.AUTHORIZE:
        return ""
    return (
        payment.attempts.filter(operation=Operation.AUTHORIZE, state__in=SUCCESSFUL_ATTEMPT_STATES)
        .values_list("provider_reference", flat=True)
        .get()
    )
