"""What time does to an incident: acknowledgements and suppressions end, and what nobody owns escalates."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from paymentops.core import ids
from paymentops.events import operations as events
from paymentops.incidents import queries
from paymentops.incidents.models import Escalation, Incident
from paymentops.incidents.operations import moving
from paymentops.incidents.operations.raising import SYSTEM
from paymentops.incidents.states import State

# Who is told first, second and from then on.
LEVELS: Final = ("on call", "second on call", "manager")


def watch(*, now: datetime, limit: int) -> int:
    """Carry out what is due, at most ``limit`` of each kind and each in a transaction of its own; returns how many.

    May run twice and beside itself: each incident is looked at again under its lock.
    """
    acknowledged = Incident.objects.acknowledgement_expired(now).order_by("expires_at", "id")
    suppressed = Incident.objects.suppression_expired(now).order_by("expires_at", "id")
    done = sum(_open_again(pk, now=now) for pk in acknowledged.values_list("pk", flat=True)[:limit])
    done += sum(_open_again(pk, now=now) for pk in suppressed.values_list("pk", flat=True)[:limit])
    unowned = queries.to_escalate(before=now - _patience())
    return done + sum(_escalate(pk, now=now) for pk in unowned.values_list("pk", flat=True)[:limit])


@transaction.atomic
def _open_again(incident_id: UUID, *, now: datetime) -> bool:
    incident = Incident.lock(incident_id)
    if incident.expires_at is None or incident.expires_at > now:
        return False
    before = incident.state
    if before == State.ACKNOWLEDGED:
        incident.let_acknowledgement_expire(at=now)
        reason, event = "It was acknowledged and nothing followed.", "acknowledgement_expired"
    else:
        incident.reopen(at=now)
        reason, event = "It was suppressed until now.", "reopened"
    moving.save_moved(
        incident, before=before, cause=f"expiry:{incident.version}", by=SYSTEM, reason=reason, event=event, now=now
    )
    return True


@transaction.atomic
def _escalate(incident_id: UUID, *, now: datetime) -> bool:
    incident = Incident.lock(incident_id)
    if not queries.to_escalate(before=now - _patience()).filter(pk=incident.pk).exists():
        return False
    incident.escalations += 1
    incident.escalated_at = now
    incident.save(update_fields=["escalations", "escalated_at"])
    minutes = int(_patience().total_seconds()) // 60
    escalation = Escalation.objects.create(
        id=ids.new(now),
        incident=incident,
        number=incident.escalations,
        level=LEVELS[min(incident.escalations, len(LEVELS)) - 1],
        reason=f"Nobody has owned it for {minutes} minutes.",
        at=now,
    )
    # An aggregate of its own: the incident's version grows with its moves only.
    events.record(
        aggregate_type="escalation",
        aggregate_id=escalation.id,
        sequence=1,
        type="incident.escalated",
        data=moving.event_data(incident) | {"level": escalation.level, "escalation": escalation.number},
        occurred_at=now,
        now=now,
    )
    return True


def _patience() -> timedelta:
    return timedelta(minutes=settings.INCIDENT_UNOWNED_MINUTES)
