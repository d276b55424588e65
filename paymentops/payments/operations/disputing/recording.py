"""What a provider tells about a dispute: never refused, kept once, and applied in whatever order it comes.

News that are older than those its state follows, or that its table of moves cannot reach, are kept and move nothing;
what they tell of amounts, fees and deadlines counts as far as nothing newer told of it. The dispute is locked before
its payment, and nobody locks a dispute who holds a payment.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from paymentops.access.actors import Actor
from paymentops.access.models import Team
from paymentops.casework import operations as casework
from paymentops.core import ids, tracing
from paymentops.core.money import Money
from paymentops.payments import disputes
from paymentops.payments.disputes import Facts, Telling
from paymentops.payments.models import Cause, Dispute, DisputeNotice, Payment
from paymentops.payments.operations.disputing import counting, linking, moving
from paymentops.payments.operations.disputing.linking import Charge
from paymentops.payments.states import DisputeStage, DisputeState, EvidenceState, ReasonClass
from paymentops.providers.disputes import DisputeNews

# Who answers for every dispute from the first moment.
TEAM: Final = "Finance"
_SYSTEM: Final = Actor.system("payments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One verified notification about a dispute: who told it, under which id and kind, when it happened."""

    provider: str
    event_id: str
    kind: str
    occurred_at: datetime
    news: DisputeNews
    charge: Charge


@dataclass(frozen=True, slots=True)
class Recorded:
    """The dispute, and whether its state follows the news."""

    dispute: Dispute
    applied: bool


def record(*, told: Told, now: datetime) -> Recorded:
    """Record news about a dispute; the same notification a second time changes nothing.

    Locks the dispute and its payment. Emits ``dispute.inquiry``, ``dispute.opened`` and so on for each move, and
    ``dispute.unlinked``, ``dispute.linked``, ``dispute.excess_recorded`` or ``dispute.contradicted`` where it applies.
    """
    with transaction.atomic():
        dispute, is_new = _locked(told, now)
        if dispute.notices.filter(event_id=told.event_id).exists():
            return Recorded(dispute, applied=False)
        telling = _telling(told)
        payment = linking.linked(dispute, told.charge, is_new=is_new, now=now)
        known = disputes.facts([*map(_read, dispute.notices.all()), telling])
        steps = _steps(dispute, telling, is_new=is_new)
        _keep(dispute, told, telling, applied=steps is not None, now=now)
        counting.change_currency(dispute, payment, known.amount, occurred_at=told.occurred_at, now=now)
        _learn(dispute, known)
        if is_new:
            _give_to_its_team(dispute, now=now)
            moving.begun(dispute, cause=_cause(told, step=str(dispute.state)), occurred_at=told.occurred_at, now=now)
        counting.settle(dispute, payment, occurred_at=told.occurred_at, now=now)
        if not steps:
            moving.changed(dispute, now=now)
        if steps is None:
            _note_contradiction(dispute, telling, now=now)
        else:
            _follow(dispute, payment, told, steps, now=now)
        counting.charge_fee(dispute, known.fee, occurred_at=told.occurred_at, now=now)
        if is_new and payment is None:
            moving.tell(dispute, "dispute.unlinked", occurred_at=told.occurred_at, now=now)
        return Recorded(dispute, applied=steps is not None)


def _locked(told: Told, now: datetime) -> tuple[Dispute, bool]:
    """Return the dispute under its lock, made now if nobody told of it before."""
    telling, news = _telling(told), told.news
    blank = Dispute(
        id=ids.new(now),
        provider=told.provider,
        provider_reference=news.dispute[:120],
        charge_reference=told.charge.provider_reference[:120],
        our_reference=(told.charge.provider_key or told.charge.reference)[:120],
        state=disputes.first_state(telling),
        stage=DisputeStage.INQUIRY,
        amount=0,
        currency=news.amount.currency,
        opened_at=told.occurred_at,
        told_at=told.occurred_at,
        created_at=now,
        updated_at=now,
    )
    # ON CONFLICT DO NOTHING waits for a twin that tells of the same dispute for the first time.
    Dispute.objects.bulk_create([blank], ignore_conflicts=True)
    found = Dispute.objects.select_for_update(of=("self",)).get(
        provider=told.provider, provider_reference=news.dispute[:120]
    )
    return found, found.pk == blank.pk


def _give_to_its_team(dispute: Dispute, *, now: datetime) -> None:
    team, _ = Team.objects.get_or_create(name=TEAM)
    casework.assign(
        subject=dispute.subject, version=0, team=team, owner=None, by=_SYSTEM, note="A new dispute.", now=now
    )


def _steps(dispute: Dispute, telling: Telling, *, is_new: bool) -> tuple[DisputeState, ...] | None:
    """Return the moves that the news lead through; ``None`` where its state does not follow them."""
    state = DisputeState(dispute.state)
    if telling.state is None:
        return () if is_new else None
    if not is_new and not disputes.is_newer(telling, than_at=dispute.told_at, than=state):
        return None
    return disputes.way(state, telling.state)


def _follow(
    dispute: Dispute, payment: Payment | None, told: Told, steps: tuple[DisputeState, ...], *, now: datetime
) -> None:
    dispute.told_at = told.occurred_at
    for step in steps:
        before = dispute.state
        dispute.move(step)
        moving.moved(dispute, before=before, cause=_cause(told, step=step), occurred_at=told.occurred_at, now=now)
        counting.settle(dispute, payment, occurred_at=told.occurred_at, now=now)
    moving.save(dispute, now=now)


def _cause(told: Told, *, step: str) -> Cause:
    return Cause("notification", f"{told.event_id[:120]}/{step}", reason=f"{told.provider} told: {told.kind}.")


def _note_contradiction(dispute: Dispute, telling: Telling, *, now: datetime) -> None:
    """Tell of newer news by which the money is elsewhere than the table of moves lets it go."""
    state = DisputeState(dispute.state)
    if telling.state is None or not disputes.is_newer(telling, than_at=dispute.told_at, than=state):
        return
    stage = DisputeStage(dispute.stage)
    if disputes.position(telling.state, stage) is not disputes.position(state, stage):
        moving.tell(
            dispute,
            "dispute.contradicted",
            occurred_at=telling.occurred_at,
            now=now,
            extra={"told": telling.state.value},
        )


def _learn(dispute: Dispute, known: Facts) -> None:
    """Take over what is known; the caller saves."""
    dispute.amount, dispute.currency = known.amount.minor, known.amount.currency
    dispute.stage = known.stage
    dispute.reason_code, dispute.reason_class = known.reason_code[:80], known.reason_class
    dispute.evidence_due_at = known.evidence_due_at
    missed = known.evidence_due_at is not None and dispute.missed_for == known.evidence_due_at
    is_missed = missed and known.evidence is EvidenceState.NONE
    dispute.evidence = EvidenceState.MISSED if is_missed else known.evidence


def _keep(dispute: Dispute, told: Told, telling: Telling, *, applied: bool, now: datetime) -> None:
    DisputeNotice.objects.create(
        id=ids.new(now),
        dispute=dispute,
        event_id=told.event_id,
        kind=told.kind[:80],
        state=telling.state or "",
        stage=telling.stage or "",
        amount=telling.amount.minor,
        currency=telling.amount.currency,
        fee=telling.fee.minor if telling.fee is not None else None,
        fee_currency=telling.fee.currency if telling.fee is not None else "",
        reason_code=telling.reason_code[:80],
        reason_class=telling.reason_class or "",
        evidence_due_at=telling.evidence_due_at,
        evidence=telling.evidence or "",
        applied=applied,
        occurred_at=told.occurred_at,
        recorded_at=now,
        trace_id=tracing.current_trace_id(),
    )


def _telling(told: Told) -> Telling:
    news = told.news
    return Telling(
        event_id=told.event_id,
        occurred_at=told.occurred_at,
        state=DisputeState(news.status.value) if news.status else None,
        stage=DisputeStage(news.stage.value) if news.stage else None,
        amount=news.amount,
        fee=news.fee,
        reason_code=news.reason,
        reason_class=ReasonClass(news.reason_class.value) if news.reason_class else None,
        evidence_due_at=news.evidence_due_at,
        evidence=EvidenceState(news.evidence.value) if news.evidence else None,
    )


def _read(row: DisputeNotice) -> Telling:
    return Telling(
        event_id=row.event_id,
        occurred_at=row.occurred_at,
        state=DisputeState(row.state) if row.state else None,
        stage=DisputeStage(row.stage) if row.stage else None,
        amount=Money(row.amount, row.currency),
        fee=Money(row.fee, row.fee_currency) if row.fee is not None else None,
        reason_code=row.reason_code,
        reason_class=ReasonClass(row.reason_class) if row.reason_class else None,
        evidence_due_at=row.evidence_due_at,
        evidence=EvidenceState(row.evidence) if row.evidence else None,
    )
