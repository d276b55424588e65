"""What people do to an incident. Each deed names the version it was decided on and leaves its audit row."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from paymentops.access import operations as access
from paymentops.casework import operations as casework
from paymentops.casework.operations.proposing import reason_of
from paymentops.core import ids
from paymentops.core.errors import Conflict, InvalidInput, NotFound
from paymentops.incidents.models import Incident, IncidentPayment
from paymentops.incidents.operations import moving
from paymentops.incidents.operations.moving import Deed
from paymentops.incidents.states import UNFINISHED, WORKED_ON, State

_NAMED: Final = 10


class PaymentsUnresolved(Conflict):
    """Payments of the incident are still at risk."""

    code = "incident.payments_unresolved"
    title = "Affected payments are not resolved"


class PaymentNotLinked(NotFound):
    """The payment does not belong to the incident."""

    code = "incident.payment_not_linked"


@transaction.atomic
def acknowledge(deed: Deed, *, now: datetime) -> Incident:
    """Say that one has seen it and works on it; whoever does so owns it, if nobody does. Emits its move.

    It counts for as long as the setting INCIDENT_ACKNOWLEDGED_MINUTES says for its severity. What is not open stays as
    it is: a late acknowledgement never opens a resolved incident.

    Raises:
        NotAllowed: the person may not work on incidents.
        IncidentNotFound: there is none.
        IncidentChanged: it moved since, or is not open.
    """
    person = moving.worker(deed.by)
    incident = moving.locked(deed, allowed=(State.OPEN,))
    ownership = incident.ownership
    if ownership is None or ownership.owner_id is None:
        incident.ownership = casework.claim(
            subject=incident.subject, version=ownership.version if ownership else 0, by=deed.by, now=now
        )
        incident.save(update_fields=["ownership"])
    counts = timedelta(minutes=settings.INCIDENT_ACKNOWLEDGED_MINUTES[incident.severity])
    incident.acknowledge(until=now + counts)
    _save(incident, deed, before=State.OPEN, reason=deed.reason.strip() or f"Seen by {person}.", now=now)
    return incident


@transaction.atomic
def mitigate(deed: Deed, *, now: datetime) -> Incident:
    """Limit the harm, also when it came back while it was watched; errors as with ``acknowledge``."""
    moving.worker(deed.by)
    incident = moving.locked(deed, allowed=(State.ACKNOWLEDGED, State.MONITORING))
    before = incident.state
    incident.mitigate()
    _save(incident, deed, before=before, reason=deed.reason.strip(), now=now)
    return incident


@transaction.atomic
def monitor(deed: Deed, *, now: datetime) -> Incident:
    """Watch whether the harm stays away; errors as with ``acknowledge``."""
    moving.worker(deed.by)
    incident = moving.locked(deed, allowed=(State.MITIGATING,))
    incident.monitor()
    _save(incident, deed, before=State.MITIGATING, reason=deed.reason.strip(), now=now)
    return incident


@transaction.atomic
def resolve(deed: Deed, *, now: datetime) -> Incident:
    """Say that it is over; takes a reason.

    Raises:
        NotAllowed, IncidentNotFound, IncidentChanged: see ``acknowledge``.
        InvalidInput: there is no reason.
        PaymentsUnresolved: payments are still at risk; they are named.
    """
    moving.worker(deed.by)
    reason = reason_of(deed.reason)
    incident = moving.locked(deed, allowed=(State.MONITORING,))
    _require_settled(incident)
    incident.resolve()
    _save(incident, deed, before=State.MONITORING, reason=reason, now=now)
    return incident


@transaction.atomic
def close(deed: Deed, *, now: datetime) -> Incident:
    """Close a resolved incident: what fires from now on is another one; errors as with ``resolve``."""
    moving.worker(deed.by)
    reason = reason_of(deed.reason)
    incident = moving.locked(deed, allowed=(State.RESOLVED,))
    _require_settled(incident)
    incident.close()
    _save(incident, deed, before=State.RESOLVED, reason=reason, now=now)
    return incident


@transaction.atomic
def suppress(deed: Deed, *, until: datetime, now: datetime) -> Incident:
    """Put a known incident aside until a moment; what fires is counted all the same. Takes a reason.

    Raises:
        NotAllowed, IncidentNotFound, IncidentChanged: see ``acknowledge``.
        InvalidInput: there is no reason, or the moment is past or further away than INCIDENT_SUPPRESSED_DAYS.
    """
    moving.worker(deed.by)
    reason = reason_of(deed.reason)
    longest = timedelta(days=settings.INCIDENT_SUPPRESSED_DAYS)
    if not now < until <= now + longest:
        raise InvalidInput(f"Suppress it until a moment within the next {longest.days} days.")
    incident = moving.locked(deed, allowed=WORKED_ON)
    before = incident.state
    incident.suppress(until=until)
    _save(incident, deed, before=before, reason=reason, now=now)
    return incident


@transaction.atomic
def merge(deed: Deed, *, into: UUID, now: datetime) -> Incident:
    """End an incident as part of another, which takes over its unresolved payments and its later signals.

    Locks both. Returns the merged one.

    Raises:
        NotAllowed, IncidentNotFound, IncidentChanged: see ``acknowledge``; also where the other is not worked on.
        InvalidInput: there is no reason, or both are the same.
    """
    moving.worker(deed.by)
    reason = reason_of(deed.reason)
    if into == deed.incident_id:
        raise InvalidInput("An incident cannot be merged into itself; name another.")
    # Both rows in the order of their ids, so that two people who merge crosswise do not wait for each other.
    both = Incident.objects.select_for_update().filter(pk__in=[deed.incident_id, into])
    home = {row.pk: row for row in both.order_by("pk")}.get(into)
    incident = moving.locked(deed, allowed=UNFINISHED)
    if home is None:
        raise moving.IncidentNotFound("There is no incident to merge this into.")
    if home.state not in WORKED_ON:
        raise moving.IncidentChanged(f"{home} is {home.get_state_display()}; merge into one that is worked on.")
    _take_over(incident, home, now=now)
    before = incident.state
    incident.merge(into=home)
    _save(incident, deed, before=before, reason=reason, now=now)
    return incident


@transaction.atomic
def settle_payment(deed: Deed, *, payment_id: UUID, now: datetime) -> IncidentPayment:
    """Say that nothing is at risk on a payment any more, and why; a settled one stays as it is. Locks the incident.

    Raises:
        NotAllowed, IncidentNotFound, IncidentChanged: see ``acknowledge``.
        InvalidInput: there is no reason.
        PaymentNotLinked: the payment does not belong to the incident.
    """
    moving.worker(deed.by)
    reason = reason_of(deed.reason)
    incident = moving.locked(deed, allowed=UNFINISHED)
    link = IncidentPayment.objects.filter(incident=incident, payment=payment_id).select_related("payment").first()
    if link is None:
        raise PaymentNotLinked("This payment does not belong to the incident.")
    if link.resolved_at is None:
        link.resolved_at, link.resolution = now, reason
        link.save(update_fields=["resolved_at", "resolution"])
        access.audit(
            action="incident.settle_payment",
            actor=deed.by,
            object_type="incident",
            object_id=incident.public_id,
            before={"payment": link.payment.public_id, "resolved_at": None},
            after={"payment": link.payment.public_id, "resolved_at": now.isoformat()},
            reason=reason,
            now=now,
        )
    return link


def _save(incident: Incident, deed: Deed, *, before: str, reason: str, now: datetime) -> None:
    cause = f"{incident.state.lower()}:{deed.version}"
    moving.save_moved(incident, before=before, cause=cause, by=deed.by, reason=reason, now=now)


def _require_settled(incident: Incident) -> None:
    links = incident.payments.filter(resolved_at=None).select_related("payment").order_by("payment")
    named = [link.payment.public_id for link in links[: _NAMED + 1]]
    if named:
        more = " and more" if len(named) > _NAMED else ""
        raise PaymentsUnresolved(
            f"Still at risk: {', '.join(named[:_NAMED])}{more}. Settle each of them, with a reason, first.",
            extra={"payments": named[:_NAMED]},
        )


def _take_over(incident: Incident, home: Incident, *, now: datetime) -> None:
    """Link the unresolved payments to the incident that goes on, and settle them here."""
    unresolved = list(incident.payments.filter(resolved_at=None))
    known = set(home.payments.filter(resolved_at=None).values_list("payment_id", flat=True))
    for link in unresolved:
        if link.payment_id not in known:
            at_risk = {"amount": link.amount, "currency": link.currency, "reason": link.reason}
            IncidentPayment.objects.update_or_create(
                incident=home,
                payment_id=link.payment_id,
                defaults={**at_risk, "resolved_at": None, "resolution": ""},
                create_defaults={**at_risk, "id": ids.new(now), "linked_at": now},
            )
    incident.payments.filter(pk__in=[link.pk for link in unresolved]).update(
        resolved_at=now, resolution=f"Taken over by {home}."
    )
