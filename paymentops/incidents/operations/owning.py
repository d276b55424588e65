"""Who answers for an incident: the casework's rules of owners, for those who may work on incidents.

``version`` is that of the ownership, not of the incident: a signal or a move does not get in the way of a hand-over.
"""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from paymentops.access.actors import Actor
from paymentops.access.models import Team, User
from paymentops.casework import operations as casework
from paymentops.casework.models import Ownership, Subject
from paymentops.casework.operations import NotAllowed
from paymentops.core.errors import InvalidInput
from paymentops.incidents.models import Incident
from paymentops.incidents.operations import moving
from paymentops.incidents.states import FINISHED


@transaction.atomic
def claim(*, incident_id: UUID, version: int, by: Actor, now: datetime) -> Ownership:
    """Take an incident that nobody owns. Emits ``casework.owner_changed``.

    Raises:
        NotAllowed: the person may not work on incidents.
        IncidentNotFound, IncidentChanged: there is none, or it is finished.
        OwnerChanged: somebody else owns it, or its owner changed since ``version``.
    """
    moving.worker(by)
    return casework.claim(subject=_subject(incident_id), version=version, by=by, now=now)


@transaction.atomic
def assign(*, incident_id: UUID, version: int, team: Team, by: Actor, note: str, now: datetime) -> Ownership:
    """Give an incident to another team, which nobody of it owns then; takes a note. Errors as with ``claim``."""
    moving.worker(by)
    subject = _subject(incident_id)
    if not note.strip():
        raise InvalidInput("Say why the other team should answer for it.")
    return casework.assign(subject=subject, version=version, team=team, owner=None, by=by, note=note.strip(), now=now)


@transaction.atomic
def hand_over(*, incident_id: UUID, version: int, to: User, by: Actor, note: str, now: datetime) -> Ownership:
    """Ask somebody to take over; one answers for it until they accept. Errors as with ``claim``.

    Raises:
        InvalidInput: there is no note for who takes over.
        NotAllowed: they may not work on incidents.
    """
    moving.worker(by)
    if not to.has_perm(moving.MAY_WORK):
        raise NotAllowed(f"{to} may not work on incidents; choose somebody who may.")
    return casework.hand_over(subject=_subject(incident_id), version=version, to=to, by=by, note=note, now=now)


@transaction.atomic
def accept(*, incident_id: UUID, version: int, by: Actor, now: datetime) -> Ownership:
    """Take over what one was offered. Errors as with ``claim``."""
    moving.worker(by)
    return casework.accept(subject=_subject(incident_id), version=version, by=by, now=now)


@transaction.atomic
def decline(*, incident_id: UUID, version: int, by: Actor, note: str, now: datetime) -> Ownership:
    """Do not take over what one was offered; who offered it keeps it. Takes a note. Errors as with ``claim``."""
    moving.worker(by)
    return casework.decline(subject=_subject(incident_id), version=version, by=by, note=note, now=now)


@transaction.atomic
def release(*, incident_id: UUID, version: int, by: Actor, note: str, now: datetime) -> Ownership:
    """No longer own it; its team keeps it. Takes a note. Errors as with ``claim``."""
    moving.worker(by)
    return casework.release(subject=_subject(incident_id), version=version, by=by, note=note, now=now)


def _subject(incident_id: UUID) -> Subject:
    """Return what is owned, under the incident's lock, so that it is not finished meanwhile."""
    incident = Incident.objects.select_for_update().filter(pk=incident_id).first()
    if incident is None:
        raise moving.IncidentNotFound("There is no incident under this id.")
    if incident.state in FINISHED:
        raise moving.IncidentChanged(f"It is {incident.get_state_display()}; nobody has to answer for it any more.")
    return incident.subject
