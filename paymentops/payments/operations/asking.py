"""Asking a provider what became of an attempt: when next, and out of turn because somebody wants to know.

Nothing here calls a provider. Asking out of turn makes the inquiry due; whichever worker comes next carries it out.
It moves no inquiry of the schedule: an answer that brings no end leaves the next one when it was planned.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.core.errors import Conflict, NotFound
from paymentops.payments import retry
from paymentops.payments.ambiguity import ASKED_FOR
from paymentops.payments.models import Attempt, Payment, ProviderCall
from paymentops.payments.operations import moving
from paymentops.payments.queries import ambiguity as reading
from paymentops.payments.retry import Planned
from paymentops.payments.states import AttemptState
from paymentops.providers import registry

# What an inquiry can tell something about; what was not sent needs none, and what is being sent tells itself.
ASKABLE: Final = (AttemptState.UNKNOWN, AttemptState.PENDING, AttemptState.ACTION_REQUIRED)


class NothingToAsk(Conflict):
    """The attempt has ended, or was not sent: an inquiry could tell nothing."""

    code = "payment.nothing_to_ask"
    title = "There is nothing to ask about this attempt"


class CannotBeAsked(Conflict):
    """The provider has no way to ask."""

    code = "payment.cannot_be_asked"
    title = "This provider cannot be asked"


@dataclass(frozen=True, slots=True)
class Asked:
    """An inquiry that is due. ``is_new`` says that this request made it so."""

    attempt: Attempt
    is_new: bool


def ask_now(*, attempt_id: UUID, by: Actor, now: datetime) -> Asked:
    """Make the inquiry about an attempt due at once; one that is due or under way stays as it is.

    Locks the payment, then the attempt. Leaves an audit row where it changed something.

    Raises:
        NotFound: there is no such attempt.
        NothingToAsk: it has ended or was not sent.
        CannotBeAsked: the provider cannot be asked.
    """
    payment_id = Attempt.objects.filter(pk=attempt_id).values_list("payment_id", flat=True).first()
    if payment_id is None:
        raise NotFound("There is no attempt under this id.")
    with transaction.atomic():
        payment = Payment.lock(payment_id)
        attempt = Attempt.lock(attempt_id)
        _require_askable(attempt)
        if not _make_due(attempt, at=now, now=now):
            return Asked(attempt, is_new=False)
        access.audit(
            action="payment.inquiry_asked_for",
            actor=by,
            object_type="payment",
            object_id=payment.public_id,
            after={"attempt": attempt.public_id, "operation": str(attempt.operation), "provider": attempt.provider},
            now=now,
        )
        return Asked(attempt, is_new=True)


def ask_soon(*, payment_id: UUID, now: datetime) -> int:
    """Make the inquiries about a payment's open attempts due, for a service that waits for news.

    Not sooner after the last answer than the first step of the provider's schedule, so that no service can make us
    press a provider. Locks the payment, then its attempts. Returns how many inquiries were moved forward.
    """
    with transaction.atomic():
        payment = Payment.lock(payment_id)
        attempts = payment.attempts.select_for_update(of=("self",)).filter(state__in=ASKABLE).order_by("id")
        return sum(_make_due(attempt, at=_soonest(attempt, now), now=now) for attempt in attempts if can_ask(attempt))


def can_ask(attempt: Attempt) -> bool:
    """Tell whether its provider can be asked about it now."""
    return attempt.state in ASKABLE and registry.get(attempt.provider).capabilities.can_inquire


def next_look(attempt: Attempt, *, now: datetime) -> Planned:
    """Plan the next look at an open attempt after an inquiry that brought no end.

    By the provider's schedule; not at all by itself once an unknown outcome is past its settlement cut-off. Inquiries
    out of turn are not counted as steps of the schedule.
    """
    schedule = registry.get(attempt.provider).capabilities.inquiry_schedule
    if attempt.state == AttemptState.UNKNOWN and reading.is_past_cut_off(attempt, now=now):
        return retry.by_hand(schedule=schedule, now=now)
    out_of_turn = int(attempt.schedule.get("out_of_turn", 0))
    was_planned = attempt.schedule.get("was_planned_at") if attempt.schedule.get("rule") == ASKED_FOR else None
    if was_planned and (at := datetime.fromisoformat(was_planned)) > now:
        planned = Planned(at=at, inputs={"rule": "inquiry", "as_planned": was_planned})
    else:
        planned = retry.next_inquiry(schedule=schedule, asked=attempt.inquiries - out_of_turn, now=now)
    return Planned(at=planned.at, inputs={**planned.inputs, "out_of_turn": out_of_turn}) if out_of_turn else planned


def _require_askable(attempt: Attempt) -> None:
    if attempt.state not in ASKABLE:
        raise NothingToAsk(
            f"The {attempt.operation.lower()} is {attempt.get_state_display()}; there is nothing to ask."
        )
    if not can_ask(attempt):
        raise CannotBeAsked(
            f"{attempt.provider} cannot be asked; its notification tells, the same request is sent again while that "
            "is safe, and then two people decide."
        )


def _make_due(attempt: Attempt, *, at: datetime, now: datetime) -> bool:
    """Bring the next inquiry forward; tell whether it was."""
    is_in_hand = attempt.lease_expires_at is not None and attempt.lease_expires_at > now
    was_planned = attempt.next_action_at
    is_planned = was_planned is not None and was_planned <= at and attempt.schedule.get("rule") != retry.BY_HAND
    if is_in_hand or is_planned:
        return False
    if attempt.schedule.get("rule") != ASKED_FOR:
        attempt.schedule = {
            "rule": ASKED_FOR,
            "was_planned_at": was_planned.isoformat() if was_planned else None,
            "out_of_turn": int(attempt.schedule.get("out_of_turn", 0)) + 1,
        }
    attempt.next_action_at = at
    moving.save_attempt_rescheduled(attempt)
    return True


def _soonest(attempt: Attempt, now: datetime) -> datetime:
    calls = attempt.calls.exclude(kind=ProviderCall.Kind.NOTIFICATION).order_by("-answered_at")
    last = calls.values_list("answered_at", flat=True).first()
    pause = registry.get(attempt.provider).capabilities.inquiry_schedule[0]
    return now if last is None else max(now, last + pause)
