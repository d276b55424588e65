"""Reads of unknown outcomes: which there are, how much is exposed, and the verdict on each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q, QuerySet, Sum

from paymentops.casework.models import OPEN as OPEN_PROPOSALS
from paymentops.casework.models import Proposal
from paymentops.core import ids
from paymentops.core.errors import NotFound
from paymentops.core.money import Money
from paymentops.payments import ambiguity
from paymentops.payments.ambiguity import Facts, Verdict
from paymentops.payments.models import Attempt, ProviderCall
from paymentops.payments.proposals import OUTCOME, SUBJECT_TYPE
from paymentops.payments.states import OPEN_ATTEMPT_STATES, AttemptState
from paymentops.providers import registry
from paymentops.providers.contract import Operation, RetryClass

# The states in which an attempt may have happened; the partial index of the queue names the same.
IN_DOUBT: Final = (
    AttemptState.DISPATCHED,
    AttemptState.UNKNOWN,
    AttemptState.PENDING,
    AttemptState.ACTION_REQUIRED,
)
# Two leases: a sweep has surely been there in between, if any worker runs.
_LEASES_BEFORE_OVERDUE: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """An attempt of which nobody knows whether it happened, with all that is known of it.

    Args:
        attempt: with its payment, and its refund where it is one.
        calls: what was asked and answered, oldest first.
        verdict: whether it may safely be tried again.
        age: since it was sent first.
        cut_off_at: from when on only evidence and people decide.
        proposal: the public id of a decision that waits for its second person, or empty.
    """

    attempt: Attempt
    calls: Sequence[ProviderCall]
    verdict: Verdict
    age: timedelta
    cut_off_at: datetime | None
    proposal: str

    @property
    def is_past_cut_off(self) -> bool:
        """Whether it waits for people."""
        return self.verdict.reason is ambiguity.Reason.PAST_CUT_OFF


@dataclass(frozen=True, slots=True)
class Exposure:
    """What is at stake in one currency: the sum asked for, on how many attempts, and since when the oldest."""

    amount: Money
    attempts: int


def ambiguous(*, now: datetime) -> QuerySet[Attempt]:
    """Return the attempts whose outcome is unknown, or that wait beyond their limit, the oldest first.

    Beyond its limit waits what a dead worker left behind and nobody took over, what a provider has had in hand for
    ``WAITING_LIMIT_HOURS``, and what a payer has not completed that long after their time was over.
    """
    waiting = now - timedelta(hours=settings.WAITING_LIMIT_HOURS)
    abandoned = now - timedelta(seconds=_LEASES_BEFORE_OVERDUE * settings.LEASE_SECONDS)
    limits = (
        Q(state=AttemptState.UNKNOWN)
        | Q(state=AttemptState.DISPATCHED, lease_expires_at__lt=abandoned)
        | Q(state=AttemptState.PENDING, last_dispatched_at__lt=waiting)
        | Q(state=AttemptState.ACTION_REQUIRED, payment__expires_at__lt=waiting, last_dispatched_at__lt=waiting)
    )
    found = Attempt.objects.filter(limits, state__in=IN_DOUBT, first_dispatched_at__isnull=False)
    return found.select_related("payment", "refund").order_by("first_dispatched_at", "id")


def after(attempts: QuerySet[Attempt], *, public_id: str) -> QuerySet[Attempt]:
    """Keep what stands behind an attempt in the order of the queue, also when that one has left the queue.

    Raises:
        UnreadableId, NotFound: there is no such attempt.
    """
    last = Attempt.objects.filter(pk=ids.parse(ids.Prefix.ATTEMPT, public_id)).first()
    if last is None or last.first_dispatched_at is None:
        raise NotFound("There is no attempt under this id that was ever sent.")
    sent_at = last.first_dispatched_at
    return attempts.filter(Q(first_dispatched_at__gt=sent_at) | Q(first_dispatched_at=sent_at, pk__gt=last.pk))


def exposures(attempts: QuerySet[Attempt]) -> list[Exposure]:
    """Return what is at stake per currency."""
    sums = attempts.order_by("currency").values("currency").annotate(sum=Sum("amount"), number=Count("pk"))
    return [Exposure(Money(row["sum"], row["currency"]), row["number"]) for row in sums]


def to_tell_of(*, now: datetime) -> QuerySet[Attempt]:
    """Return unknown attempts that are due for an alarm: for their age, or maybe for the settlement cut-off.

    A cut-off of so many business days is never sooner than as many days, so few are returned that are not due yet.
    """
    old = now - timedelta(minutes=settings.UNKNOWN_OUTCOME_LIMIT_MINUTES)
    days = min([settings.SETTLEMENT_CUT_OFF_DAYS, *settings.SETTLEMENT_CUT_OFF_DAYS_BY_PROVIDER.values()])
    due = Q(alarms=0, first_dispatched_at__lte=old) | Q(
        alarms__lt=2, last_dispatched_at__lte=now - timedelta(days=days)
    )
    return Attempt.objects.filter(due, state=AttemptState.UNKNOWN).order_by("first_dispatched_at", "id")


def attempt_of(public_id: str) -> Attempt:
    """Return an attempt with its payment and refund by public id.

    Raises:
        UnreadableId, NotFound: there is none.
    """
    found = Attempt.objects.filter(pk=ids.parse(ids.Prefix.ATTEMPT, public_id)).select_related("payment", "refund")
    attempt = found.first()
    if attempt is None:
        raise NotFound("There is no attempt under this id.")
    return attempt


def judged(attempts: Iterable[Attempt], *, now: datetime) -> list[Ambiguous]:
    """Return attempts with their calls and the verdict on each, in three queries however many there are."""
    rows = list(attempts)
    calls: defaultdict[UUID, list[ProviderCall]] = defaultdict(list)
    for call in ProviderCall.objects.filter(attempt__in=[row.pk for row in rows]).order_by("answered_at", "id"):
        calls[call.attempt_id].append(call)
    siblings: defaultdict[UUID, list[Attempt]] = defaultdict(list)
    for sibling in Attempt.objects.filter(payment__in={row.payment_id for row in rows}).order_by("id"):
        siblings[sibling.payment_id].append(sibling)
    proposals = _open_proposals([row.public_id for row in rows])
    return [
        Ambiguous(
            attempt=row,
            calls=calls[row.pk],
            verdict=ambiguity.judge(facts(row, calls=calls[row.pk], siblings=siblings[row.payment_id], now=now)),
            age=now - (row.first_dispatched_at or row.created_at),
            cut_off_at=cut_off_at(row),
            proposal=proposals.get(row.public_id, ""),
        )
        for row in rows
    ]


def facts(attempt: Attempt, *, calls: Sequence[ProviderCall], siblings: Iterable[Attempt], now: datetime) -> Facts:
    """Return what the verdict is made of; ``siblings`` are all attempts of the payment."""
    others = [other for other in siblings if other.pk != attempt.pk]
    inquiries = [call for call in calls if call.kind == ProviderCall.Kind.INQUIRY]
    answered = sum(call.kind == ProviderCall.Kind.DISPATCH for call in calls)
    return Facts(
        state=AttemptState(attempt.state),
        operation=Operation(attempt.operation),
        provider=attempt.provider,
        capabilities=registry.get(attempt.provider).capabilities,
        dispatches=attempt.dispatches,
        unanswered_sends=answered < attempt.dispatches,
        sent_at=attempt.first_dispatched_at,
        last_sent_at=attempt.last_dispatched_at,
        last_inquiry=inquiries[-1].outcome if inquiries else "",
        not_found_at=attempt.not_found_at,
        next_action_at=attempt.next_action_at,
        leased_until=attempt.lease_expires_at,
        rule=str(attempt.schedule.get("rule", "")),
        result_class=RetryClass(attempt.result_class) if attempt.result_class in list(RetryClass) else None,
        decided_by_people=any(call.kind == ProviderCall.Kind.DECISION and call.applied for call in calls),
        contrary_evidence=any(call.outcome == "Approved" and not call.applied for call in calls),
        another_open=any(_competes(other, attempt) and other.state in OPEN_ATTEMPT_STATES for other in others),
        another_succeeded=any(_does_the_same(other, attempt) and other.state == "SUCCEEDED" for other in others),
        cut_off_at=cut_off_at(attempt),
        now=now,
    )


def decision_facts(attempt: Attempt) -> dict[str, Any]:
    """Return the facts on which people decide about an attempt; a decision is stale once one of them has changed.

    A further answer of a kind that was there before changes nothing, so that a daily inquiry does not undo a proposal.
    """
    payment = attempt.payment
    answers = ProviderCall.objects.filter(attempt=attempt).values_list("outcome", flat=True)
    return {
        "attempt": {
            "state": str(attempt.state),
            "sent": attempt.dispatches,
            "provider_reference": attempt.provider_reference,
            "answers": ", ".join(sorted(set(answers))) or "none",
        },
        "payment": {
            "state": str(payment.state),
            "authorized": str(payment.authorized),
            "captured": str(payment.captured),
            "voided": str(payment.voided),
            "refunded": str(payment.refunded),
            "refund_reserved": str(payment.refund_reserved),
            "cancel_requested": payment.cancel_requested_at is not None,
        },
        "refund": str(attempt.refund.state) if attempt.refund is not None else "",
    }


def cut_off_at(attempt: Attempt) -> datetime | None:
    """Return from when on nothing but evidence and people decide what became of an attempt.

    So many business days after it was sent last: by then a provider has settled what happened, and an inquiry that
    finds nothing may only mean that the provider has forgotten. Set per provider.
    """
    if attempt.last_dispatched_at is None:
        return None
    days = settings.SETTLEMENT_CUT_OFF_DAYS_BY_PROVIDER.get(attempt.provider, settings.SETTLEMENT_CUT_OFF_DAYS)
    return ambiguity.business_days_after(attempt.last_dispatched_at, days=days)


def is_past_cut_off(attempt: Attempt, *, now: datetime) -> bool:
    """Tell whether nothing but evidence and people decide what became of an attempt."""
    at = cut_off_at(attempt)
    return at is not None and at <= now


def _competes(other: Attempt, attempt: Attempt) -> bool:
    """Tell whether two attempts of one payment work on the same hold, or are the same refund."""
    if attempt.operation == Operation.REFUND:
        return other.refund_id == attempt.refund_id
    return other.operation != Operation.REFUND


def _does_the_same(other: Attempt, attempt: Attempt) -> bool:
    same = (other.operation, other.capture_id, other.refund_id)
    return same == (attempt.operation, attempt.capture_id, attempt.refund_id)


def _open_proposals(public_ids: list[str]) -> dict[str, str]:
    found = Proposal.objects.filter(
        kind=OUTCOME.name, subject_type=SUBJECT_TYPE, subject_id__in=public_ids, state__in=OPEN_PROPOSALS
    )
    return {proposal.subject_id: proposal.public_id for proposal in found}
