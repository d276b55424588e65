"""What every move of an incident does: check which version, save, and tell it in three places."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework.operations import rights
from paymentops.core import ids, tracing
from paymentops.core.errors import Conflict, NotFound
from paymentops.events import operations as events
from paymentops.incidents.models import Incident, IncidentTransition
from paymentops.incidents.states import State

MAY_WORK: Final = "incidents.work_incident"
_MOVED_FIELDS: Final = ["state", "version", "merged_into", "open_since", "expires_at", "updated_at"]


class IncidentNotFound(NotFound):
    """There is no such incident."""

    code = "incident.not_found"


class IncidentChanged(Conflict):
    """The incident moved since it was read, or is not where this can be done."""

    code = "incident.changed"
    title = "The incident is no longer what you saw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a person does to an incident: to which, as seen in which version, who, and why.

    ``reason`` may be empty where the deed needs none.
    """

    incident_id: UUID
    version: int
    by: Actor
    reason: str = ""


def worker(by: Actor) -> User:
    """Return the person as stored now, who may work on incidents.

    Raises:
        NotAllowed: it is no person, or they may not.
    """
    return rights.require_person(actor=by, permission=MAY_WORK)


def locked(deed: Deed, *, allowed: tuple[State, ...]) -> Incident:
    """Read an incident under its lock, as the person saw it and where the deed is possible.

    Raises:
        IncidentNotFound: there is none.
        IncidentChanged: it moved since, or its state does not allow this; the sentence says where it stands.
    """
    incident = (
        Incident.objects.select_for_update(of=("self",))
        .select_related("ownership__owner", "ownership__team")
        .filter(pk=deed.incident_id)
        .first()
    )
    if incident is None:
        raise IncidentNotFound("There is no incident under this id.")
    if incident.version != deed.version or incident.state not in allowed:
        raise IncidentChanged(
            _what_happened(incident), extra={"version": incident.version, "state": str(incident.state)}
        )
    return incident


def save_moved(
    incident: Incident, *, before: str, cause: str, by: Actor, reason: str = "", event: str = "", now: datetime
) -> None:
    """Save a move of a locked incident: version + 1, one transition, its audit row where a person moved, one event.

    Args:
        incident: after its move.
        before: the state before it.
        cause: unique for this incident.
        by: who.
        reason: their words.
        event: the name of the event where it is not that of the new state.
        now: when.
    """
    incident.version += 1
    incident.updated_at = now
    incident.save(update_fields=_MOVED_FIELDS)
    tell(incident, before=before, cause=cause, by=by, reason=reason, event=event, now=now)


def tell(
    incident: Incident, *, before: str, cause: str, by: Actor, reason: str = "", event: str = "", now: datetime
) -> None:
    """Write the transition, the audit row of a person and the event of a move that was just saved."""
    IncidentTransition.objects.create(
        id=ids.new(now),
        incident=incident,
        sequence=incident.version,
        from_state=before,
        to_state=incident.state,
        cause=cause,
        actor=by.name,
        reason=reason,
        at=now,
        trace_id=tracing.current_trace_id(),
    )
    if by.user is not None:
        access.audit(
            action=f"incident.{incident.state.lower()}",
            actor=by,
            object_type="incident",
            object_id=incident.public_id,
            before={"state": before},
            after={"state": str(incident.state), "version": incident.version},
            reason=reason,
            now=now,
        )
    events.record(
        aggregate_type="incident",
        aggregate_id=incident.id,
        sequence=incident.version,
        type=f"incident.{event or incident.state.lower()}",
        data=event_data(incident),
        occurred_at=now,
        now=now,
    )


def event_data(incident: Incident) -> dict[str, object]:
    """Return what events say about an incident."""
    return {
        "id": incident.public_id,
        "rule": incident.rule,
        "severity": incident.severity,
        "state": str(incident.state),
        "title": incident.title,
        "provider": incident.provider,
        "method": incident.method,
        "operation": incident.operation,
        "failure_class": incident.failure_class,
        "currency": incident.currency,
        "signals": incident.signals,
        "is_owned": incident.ownership is not None and incident.ownership.owner_id is not None,
    }


def _what_happened(incident: Incident) -> str:
    last = incident.transitions.order_by("sequence").last()
    who = f" since {last.actor} moved it" if last is not None else ""
    return f"It is {incident.get_state_display()}{who}. Read it again; nothing was changed."
