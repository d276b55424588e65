"""Reads of the room ``incidents``: lists, one incident's story, and the money at risk."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import Coalesce, Greatest

from paymentops.casework import queries as casework
from paymentops.core import ids
from paymentops.core.errors import NotFound
from paymentops.core.money import Money
from paymentops.incidents.models import Incident, IncidentPayment, IncidentQuerySet
from paymentops.incidents.states import UNFINISHED

SHOWN_SIGNALS: Final = 200


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened to an incident.

    Args:
        at: when.
        kind: ``transition``, ``signal``, ``escalation`` or ``people``: owners, comments and files.
        what: ``acknowledged``, ``fired``, ``hand-over``, ``comment`` and so on.
        actor: who, by user name, or ``incidents`` for the system.
        text: the words that belong to it.
        reference: the state it led to, the cause of a signal, or the public id of a comment.
    """

    at: datetime
    kind: str
    what: str
    actor: str
    text: str
    reference: str


@dataclass(frozen=True, slots=True)
class Risk:
    """What is at risk in one currency, and on how many payments."""

    amount: Money
    payments: int


def incidents() -> IncidentQuerySet:
    """Return every incident with its owner, newest first."""
    found = Incident.objects.select_related("ownership__owner", "ownership__team", "ownership__offered_to")
    return found.order_by("-id")


def incident(public_id: str) -> Incident:
    """Return the incident with this public id, ``inc_…``.

    Raises:
        UnreadableId: the text is no such id.
        NotFound: there is none.
    """
    found = incidents().select_related("merged_into").filter(pk=ids.parse(ids.Prefix.INCIDENT, public_id)).first()
    if found is None:
        raise NotFound("There is no incident under this id.")
    return found


def payments(of: Incident) -> QuerySet[IncidentPayment]:
    """Return the payments an incident touches: those still at risk first, then by id."""
    found = IncidentPayment.objects.filter(incident=of).select_related("payment")
    return found.order_by(F("resolved_at").asc(nulls_first=True), "payment_id")


def at_risk(of: Incident) -> list[Risk]:
    """Return what is at risk in an incident, per currency."""
    return _risks(IncidentPayment.objects.filter(incident=of))


def at_risk_of_all() -> list[Risk]:
    """Return what is at risk in all unfinished incidents, per currency; a payment in two of them counts in each."""
    return _risks(IncidentPayment.objects.filter(incident__state__in=UNFINISHED))


def at_risk_by_incident(found: list[Incident]) -> dict[object, list[Risk]]:
    """Return what is at risk in each of these incidents, in one query."""
    rows = (
        IncidentPayment.objects.filter(incident__in=found, resolved_at=None)
        .values("incident_id", "currency")
        .annotate(sum=Sum("amount"), number=Count("pk"))
        .order_by("incident_id", "currency")
    )
    risks: dict[object, list[Risk]] = {row.pk: [] for row in found}
    for row in rows:
        risks[row["incident_id"]].append(Risk(Money(int(row["sum"]), row["currency"]), row["number"]))
    return risks


def to_escalate(*, before: datetime) -> IncidentQuerySet:
    """Return the incidents that somebody has to work on and nobody owned since before a moment, longest first.

    What escalated after that moment waits for its next turn.
    """
    since = Greatest(
        F("open_since"),
        Coalesce(F("ownership__changed_at"), F("open_since")),
        Coalesce(F("escalated_at"), F("open_since")),
    )
    waiting = Incident.objects.worked_on().unowned().annotate(alone_since=since)
    return waiting.filter(alone_since__lte=before).order_by("alone_since", "id")


def timeline(of: Incident) -> list[Moment]:
    """Return everything that happened to an incident, oldest first; of its signals the newest 200."""
    moments = [*_transitions(of), *_signals(of), *_escalations(of), *_people(of)]
    return sorted(moments, key=lambda moment: moment.at)


def _risks(rows: QuerySet[IncidentPayment]) -> list[Risk]:
    open_ones = rows.filter(resolved_at=None).order_by("currency").values("currency")
    summed = open_ones.annotate(sum=Sum("amount"), number=Count("payment", distinct=True))
    return [Risk(Money(int(row["sum"]), row["currency"]), row["number"]) for row in summed]


def _transitions(of: Incident) -> list[Moment]:
    return [
        Moment(
            row.at,
            "transition",
            row.to_state.lower() if row.from_state else "opened",
            row.actor,
            row.reason,
            row.to_state,
        )
        for row in of.transitions.order_by("sequence")
    ]


def _signals(of: Incident) -> list[Moment]:
    newest = of.fired.order_by("-id")[:SHOWN_SIGNALS]
    return [Moment(row.at, "signal", "fired", "", row.text, row.cause) for row in newest]


def _escalations(of: Incident) -> list[Moment]:
    return [
        Moment(row.at, "escalation", f"escalated to {row.level}", "incidents", row.reason, "")
        for row in of.escalated.order_by("number")
    ]


def _people(of: Incident) -> list[Moment]:
    return [
        Moment(row.at, "people", row.what, row.actor, row.text, row.reference) for row in casework.history(of.subject)
    ]
