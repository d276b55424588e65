"""The breakers at work: counting what failed, holding attempts back, letting probes through, closing again.

Nothing here is touched by a call that works while its breaker is closed, except for one read of a small table. Calls
are counted from the rows that every call leaves anyway, after a failure and by the sweep.

A worker may die between any two lines: a probe it held is freed by its lease, a failure it did not count is counted by
the sweep. Two that count at once move the breaker once, because both lock it first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from paymentops.core import ids, tracing
from paymentops.events import operations as events
from paymentops.payments import breaker as rules
from paymentops.payments import retry
from paymentops.payments.breaker import HELD, Effect, Key, Rule, Tally, Verdict
from paymentops.payments.models import Attempt, Breaker, BreakerProbe, BreakerTransition, Cause, Payment
from paymentops.payments.queries import breakers as queries
from paymentops.payments.retry import Planned
from paymentops.payments.states import AttemptState, BreakerState

# One count in this time is enough, however many calls fail.
_COUNT_GAP: Final = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether an attempt may be sent: it may, it may as a probe, or it is held back until a planned moment."""

    probe: UUID | None = None
    held: Planned | None = None


def rule() -> Rule:
    """Return the figures of this installation."""
    return Rule(
        window=timedelta(seconds=settings.BREAKER_WINDOW_SECONDS),
        least_calls=settings.BREAKER_LEAST_CALLS,
        open_at=settings.BREAKER_OPEN_PERCENT / 100,
        open_for=timedelta(seconds=settings.BREAKER_OPEN_SECONDS),
        probes=tuple(settings.BREAKER_PROBES),
    )


def admit(payment: Payment, attempt: Attempt, *, now: datetime) -> Admission:
    """Ask the breaker whether an attempt may be sent now, in the transaction that would commit its dispatch.

    Locks the breaker only when it is not closed and there may be room for a probe.
    """
    key = Key(attempt.provider, attempt.operation, payment.method)
    found = Breaker.objects.of(key).not_closed().first()
    if found is None:
        return Admission()
    if found.state == BreakerState.OPEN and not _may_probe(found, now):
        return Admission(held=_held(found, payment, attempt, now))
    found = Breaker.lock(found.pk)
    if found.state == BreakerState.CLOSED:
        return Admission()
    if found.state == BreakerState.OPEN and _may_probe(found, now):
        _half_open(found, permitted=rule().probes[0], why="Its time was over.", now=now)
    probe = _take_slot(found, attempt, now) if found.state == BreakerState.HALF_OPEN else None
    return Admission(probe=probe) if probe else Admission(held=_held(found, payment, attempt, now))


def note(*, key: Key, probe: UUID | None, effect: Effect, now: datetime) -> None:
    """Take in what a call that was just recorded says about its provider.

    Call it outside a transaction, after the outcome is committed; if the process dies before, nothing is lost.
    """
    if probe is not None:
        _settle(probe, effect, now)
    elif effect.is_failure:
        _count(key, now)


def sweep(*, now: datetime) -> int:
    """Count every kind of call of the window, and half-open what has been open long enough; return how many moved."""
    figures = rule()
    tallies = queries.tallies(since=now - figures.window)
    moved = sum(
        _open_if_failing(key, now) for key, tally in sorted(tallies.items()) if rules.should_open(tally, figures)
    )
    for pk in list(Breaker.objects.to_half_open(now).order_by("id").values_list("pk", flat=True)):
        moved += _half_open_if_due(pk, now)
    return moved


def open_by_hand(key: Key, *, cause: Cause, now: datetime) -> Breaker:
    """Hold a breaker open until people close it. Emits ``breaker.opened``; the caller's transaction is open."""
    found = _of(key, now)
    before = found.state
    found.open_by_hand(now=now)
    _save_moved(found, before=before, cause=cause, event="opened", figures={}, now=now)
    return found


def close_by_hand(key: Key, *, cause: Cause, now: datetime) -> Breaker:
    """Close a breaker. Emits ``breaker.closed``; the caller's transaction is open and calls ``release`` after it."""
    found = _of(key, now)
    before = found.state
    found.close(now=now)
    _save_moved(found, before=before, cause=cause, event="closed", figures={}, now=now)
    return found


def release(key: Key, *, now: datetime) -> int:
    """Make due at once what a breaker held back; return how many. What a worker holds at this moment is left alone.

    Outside the transaction that closes: a worker may hold such an attempt and wait for the breaker.
    """
    with transaction.atomic():
        held = (
            Attempt.objects.filter(
                provider=key.provider,
                operation=key.operation,
                state=AttemptState.PREPARED,
                next_action_at__gt=now,
                lease_expires_at__isnull=True,
                schedule__rule=HELD,
                schedule__breaker=str(key),
            )
            .select_for_update(skip_locked=True)
            .values_list("pk", flat=True)
        )
        return Attempt.objects.filter(pk__in=list(held)).update(next_action_at=now)


def _may_probe(found: Breaker, now: datetime) -> bool:
    return not found.by_hand and found.probes_from is not None and found.probes_from <= now


def _held(found: Breaker, payment: Payment, attempt: Attempt, now: datetime) -> Planned:
    return rules.hold(
        key=found.key,
        version=found.version,
        probes_from=now + rule().open_for if found.by_hand else found.probes_from,
        fraction=retry.jitter(policy_version=payment.policy_version, attempt_id=attempt.id, number=found.version),
        now=now,
    )


def _take_slot(found: Breaker, attempt: Attempt, now: datetime) -> UUID | None:
    """Take a free slot of the present round, a new one or one whose worker died. The breaker is locked."""
    until = now + timedelta(seconds=settings.LEASE_SECONDS)
    probes = list(found.probes.filter(round=found.round))
    lost = next((probe for probe in probes if not probe.effect and probe.lease_expires_at <= now), None)
    if lost is not None:
        lost.attempt, lost.taken_at, lost.lease_expires_at = attempt, now, until
        lost.save(update_fields=["attempt", "taken_at", "lease_expires_at"])
        return lost.pk
    if len(probes) >= found.permitted:
        return None
    probe = BreakerProbe.objects.create(
        id=ids.new(now),
        breaker=found,
        round=found.round,
        number=len(probes) + 1,
        attempt=attempt,
        taken_at=now,
        lease_expires_at=until,
    )
    return probe.pk


def _settle(probe_id: UUID, effect: Effect, now: datetime) -> None:
    """Record what a probe says and judge its round; a probe that says nothing gives its slot back."""
    breaker_id = BreakerProbe.objects.values_list("breaker_id", flat=True).get(pk=probe_id)
    with transaction.atomic():
        found = Breaker.lock(breaker_id)
        probe = BreakerProbe.objects.get(pk=probe_id)
        if probe.effect:
            return
        if effect is Effect.NOTHING:
            probe.lease_expires_at = now
            probe.save(update_fields=["lease_expires_at"])
            return
        probe.effect, probe.ended_at = effect, now
        probe.save(update_fields=["effect", "ended_at"])
        if found.state == BreakerState.HALF_OPEN and probe.round == found.round:
            _judge(found, now)
    if found.state == BreakerState.CLOSED:
        release(found.key, now=now)


def _judge(found: Breaker, now: datetime) -> None:
    effects = [Effect(probe.effect) for probe in found.probes.filter(round=found.round) if probe.effect]
    tally = Tally()
    for effect in effects:
        tally = tally.plus(effect)
    figures = rule()
    judgement = rules.judge(
        permitted=found.permitted, worked=tally.worked, failed=tally.failed + tally.unknown, rule=figures
    )
    match judgement.verdict:
        case Verdict.OPEN:
            _open(found, tally, why="A probe failed.", now=now)
        case Verdict.WIDEN:
            _half_open(found, permitted=judgement.permitted, why=f"{found.permitted} of its probes worked.", now=now)
        case Verdict.CLOSE:
            before = found.state
            cause = _cause("probes", found, f"All {found.permitted} probes worked.")
            found.close(now=now)
            _save_moved(found, before=before, cause=cause, event="closed", figures=tally.as_json(), now=now)
        case Verdict.WAIT:
            pass


def _count(key: Key, now: datetime) -> None:
    """Count after a failure, unless somebody did a moment ago; the sweep counts what comes in between."""
    _make(key, now)
    due = Breaker.objects.of(key).filter(state=BreakerState.CLOSED, evaluated_at__lte=now - _COUNT_GAP)
    if due.update(evaluated_at=now):
        _open_if_failing(key, now)


def _open_if_failing(key: Key, now: datetime) -> bool:
    with transaction.atomic():
        found = _of(key, now)
        if found.state != BreakerState.CLOSED:
            return False
        figures = rule()
        since = max(now - figures.window, found.counted_from)
        tally = queries.tallies(since=since, key=key).get(key, Tally())
        if not rules.should_open(tally, figures):
            return False
        _open(found, tally, why=f"{tally.share:.0%} of {tally.calls} calls failed.", now=now)
        return True


def _half_open_if_due(pk: UUID, now: datetime) -> bool:
    with transaction.atomic():
        found = Breaker.lock(pk)
        if found.state != BreakerState.OPEN or not _may_probe(found, now):
            return False
        _half_open(found, permitted=rule().probes[0], why="Its time was over.", now=now)
        return True


def _open(found: Breaker, tally: Tally, *, why: str, now: datetime) -> None:
    before = found.state
    cause = _cause("calls" if before == BreakerState.CLOSED else "probes", found, why)
    found.open(probes_from=now + rule().open_for, now=now)
    _save_moved(found, before=before, cause=cause, event="opened", figures=tally.as_json(), now=now)


def _half_open(found: Breaker, *, permitted: int, why: str, now: datetime) -> None:
    before = found.state
    cause = _cause("probes" if before == BreakerState.HALF_OPEN else "time", found, why)
    found.let_through(permitted=permitted)
    _save_moved(found, before=before, cause=cause, event="half_opened", figures={"permitted": permitted}, now=now)


def _cause(kind: str, found: Breaker, why: str) -> Cause:
    # The version it had makes the cause unique; the row is locked.
    return Cause(kind, str(found.version), reason=why)


def _make(key: Key, now: datetime) -> None:
    if Breaker.objects.of(key).exists():
        return
    fresh = Breaker(
        id=ids.new(now),
        provider=key.provider,
        operation=key.operation,
        method=key.method,
        counted_from=now - rule().window,
        evaluated_at=now - _COUNT_GAP,
        updated_at=now,
    )
    Breaker.objects.bulk_create([fresh], ignore_conflicts=True)


def _of(key: Key, now: datetime) -> Breaker:
    """Return the breaker of a key under its lock, made if there was none."""
    _make(key, now)
    return Breaker.lock(Breaker.objects.of(key).values_list("pk", flat=True).get())


def _save_moved(
    found: Breaker, *, before: str, cause: Cause, event: str, figures: Mapping[str, Any], now: datetime
) -> None:
    """Save a breaker that moved: version + 1, one transition, one event."""
    found.version += 1
    found.updated_at = now
    found.save()
    BreakerTransition.objects.create(
        id=ids.new(now),
        breaker=found,
        sequence=found.version,
        from_state=before,
        to_state=found.state,
        cause=cause.key,
        actor=cause.actor,
        reason=cause.reason[:300],
        occurred_at=now,
        recorded_at=now,
        trace_id=tracing.current_trace_id(),
        figures=dict(figures),
    )
    events.record(
        aggregate_type="breaker",
        aggregate_id=found.id,
        sequence=found.version,
        type=f"breaker.{event}",
        data={
            "provider": found.provider,
            "operation": found.operation,
            "method": found.method,
            "state": found.state,
            "by_hand": found.by_hand,
            "reason": cause.reason,
            **figures,
        },
        occurred_at=now,
        now=now,
    )
