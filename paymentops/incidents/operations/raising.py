"""Something fired: it opens an incident, or is one more signal of the one that is open already.

The database decides which: one unfinished incident per fingerprint, and one signal per fingerprint and cause.
"""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Final

from django.db import transaction

from paymentops.access.actors import Actor
from paymentops.access.models import Team
from paymentops.casework import operations as casework
from paymentops.core import ids, tracing
from paymentops.core.errors import InvalidInput, Unavailable
from paymentops.core.money import Money
from paymentops.incidents import rules
from paymentops.incidents.models import Incident, IncidentPayment, Signal
from paymentops.incidents.operations import moving
from paymentops.incidents.rules import Dimensions
from paymentops.incidents.states import Severity, State
from paymentops.payments.models import Payment

SYSTEM: Final = Actor.system("incidents")
LONGEST_CAUSE: Final = 150
_TRIES: Final = 10


@dataclass(frozen=True, slots=True)
class Affected:
    """A payment that is touched, what is at risk on it, and why."""

    payment: Payment
    amount: Money
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One thing that fired.

    Args:
        rule: the name of the rule.
        severity: how bad it is.
        dimensions: what it is about; with the rule it makes the fingerprint.
        cause: what made it fire, unique per firing: the public id of an event, an alert, a file. The same cause
            counts once.
        title: what people read; the rule's own title where it is empty.
        text: one line about this firing; no personal data, no payload.
        affected: the payment it touches, where it is one.
    """

    rule: str
    severity: Severity
    dimensions: Dimensions = field(default_factory=Dimensions)
    cause: str
    title: str = ""
    text: str = ""
    affected: Affected | None = None

    @property
    def fingerprint(self) -> str:
        """Under which it meets other reports of the same trouble."""
        return rules.fingerprint(rule=self.rule, dimensions=self.dimensions)


@transaction.atomic
def raise_incident(report: Report, *, now: datetime) -> Incident:
    """Open an incident, or count one more signal of the unfinished one; the same cause a second time changes nothing.

    A resolved incident opens again; one that was merged passes the signal on. Locks the incident. Emits
    ``incident.opened`` or ``incident.reopened``.

    Raises:
        InvalidInput: the report has no rule or no cause.
        Unavailable: others open and close the same incident faster than it can be joined; report it again.
    """
    if not report.rule or not 1 <= len(report.cause) <= LONGEST_CAUSE:
        raise InvalidInput(f"A report names its rule, and its cause in 1 to {LONGEST_CAUSE} characters.")
    if (known := _counted(report)) is not None:
        return known.incident
    incident = _joined(report, now=now)
    if (known := _counted(report)) is not None:  # a twin with the same cause was first
        return known.incident
    _count(incident, report, now=now)
    if report.affected is not None:
        _link(incident, report.affected, now=now)
    if incident.state == State.RESOLVED:
        incident.reopen(at=now)
        moving.save_moved(
            incident,
            before=State.RESOLVED,
            cause=f"signal:{report.cause}",
            by=SYSTEM,
            reason="It fired again before it was closed.",
            event="reopened",
            now=now,
        )
    return incident


def _counted(report: Report) -> Signal | None:
    found = Signal.objects.filter(fingerprint=report.fingerprint, cause=report.cause)
    return found.select_related("incident__ownership").first()


def _joined(report: Report, *, now: datetime) -> Incident:
    """Return the unfinished incident of the report under its lock, opening it where there is none."""
    for _ in range(_TRIES):
        if (found := _unfinished(report.fingerprint)) is not None:
            return found
        wanted = _blank(report, now=now)
        # ON CONFLICT DO NOTHING waits for a twin that is opening the same incident.
        Incident.objects.bulk_create([wanted], ignore_conflicts=True)
        found = _unfinished(report.fingerprint)
        if found is not None and found.pk == wanted.pk:
            return _opened(found, report, now=now)
        if found is not None:
            return found
    raise Unavailable("This incident is opened and closed at the same moment by others; report it again.")


def _unfinished(fingerprint: str) -> Incident | None:
    """Return the incident that a signal of this fingerprint belongs to, locked: its own, or the one it went into."""
    own = (
        Incident.objects.select_for_update(of=("self",))
        .select_related("ownership__owner", "ownership__team")
        .unfinished()
        .filter(fingerprint=fingerprint)
        .first()
    )
    if own is not None:
        return own
    home = Incident.objects.filter(fingerprint=fingerprint).order_by("-id").first()
    if home is None or home.state != State.MERGED:
        return None
    while home.merged_into_id is not None:
        home = Incident.lock(home.merged_into_id)
    return home if home.state != State.CLOSED else None


def _blank(report: Report, *, now: datetime) -> Incident:
    return Incident(
        id=ids.new(now),
        fingerprint=report.fingerprint,
        rule=report.rule[:60],
        title=(report.title or rules.named(report.rule).title)[:200],
        severity=report.severity,
        opened_at=now,
        open_since=now,
        last_fired_at=now,
        updated_at=now,
        **asdict(report.dimensions),
    )


def _opened(incident: Incident, report: Report, *, now: datetime) -> Incident:
    """Give a new incident its team and tell of it."""
    team, _ = Team.objects.get_or_create(name=rules.named(report.rule).team)
    incident.ownership = casework.assign(
        subject=incident.subject, version=0, team=team, owner=None, by=SYSTEM, note="By its rule.", now=now
    )
    incident.save(update_fields=["ownership"])
    moving.tell(incident, before="", cause=f"signal:{report.cause}", by=SYSTEM, event="opened", now=now)
    return incident


def _count(incident: Incident, report: Report, *, now: datetime) -> None:
    Signal.objects.create(
        id=ids.new(now),
        incident=incident,
        fingerprint=report.fingerprint,
        cause=report.cause,
        severity=report.severity,
        text=report.text[:300],
        at=now,
        trace_id=tracing.current_trace_id(),
    )
    incident.signals += 1
    incident.last_fired_at = now
    # The texts sort from worst to least: it is as bad as its worst signal.
    incident.severity = min(incident.severity, report.severity)
    incident.updated_at = now
    incident.save(update_fields=["signals", "last_fired_at", "severity", "updated_at"])


def _link(incident: Incident, affected: Affected, *, now: datetime) -> None:
    """Link a payment, or put it at risk again with the newest amount."""
    at_risk = {
        "amount": affected.amount.minor,
        "currency": affected.amount.currency,
        "reason": affected.reason[:300],
        "resolved_at": None,
        "resolution": "",
    }
    IncidentPayment.objects.update_or_create(
        incident=incident,
        payment=affected.payment,
        defaults=at_risk,
        create_defaults={**at_risk, "id": ids.new(now), "linked_at": now},
    )
