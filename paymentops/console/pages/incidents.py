"""Incidents: who answers for which, and one incident's story with what is at risk and what can be done next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from paymentops.access import pages as access
from paymentops.access.models import Team, User
from paymentops.casework import operations as casework
from paymentops.console import formats
from paymentops.console.pages import shell
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError, InvalidInput, NotFound
from paymentops.incidents import operations, queries
from paymentops.incidents.models import Incident, IncidentQuerySet
from paymentops.incidents.operations import Deed
from paymentops.incidents.queries import Risk
from paymentops.incidents.states import UNFINISHED, State

PER_PAGE: Final = 50
VIEW: Final = "incidents.view_incident"
VIEWS: Final = (
    ("mine", "Mine"),
    ("team", "My teams"),
    ("unowned", "Unowned"),
    ("open", "All unfinished"),
    ("all", "All"),
)
# The next step of the usual way, by state: the deed, its button, and whether it needs words.
_NEXT: Final[Mapping[str, tuple[tuple[str, str, bool], ...]]] = {
    State.OPEN: (("acknowledge", "Acknowledge", False),),
    State.ACKNOWLEDGED: (("mitigate", "Start mitigating", False),),
    State.MITIGATING: (("monitor", "Harm stopped, monitor", False),),
    State.MONITORING: (("resolve", "Resolve", True), ("mitigate", "It is back, mitigate", False)),
    State.RESOLVED: (("close", "Close", True),),
}
_DONE: Final = {
    "acknowledge": "Acknowledged.",
    "claim": "It is yours.",
    "hand-over": "Offered. You answer for it until it is accepted.",
    "accept": "It is yours.",
    "decline": "Declined. Its owner keeps it.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    incident: Incident
    age: str
    risks: list[Risk]


def incidents(request: HttpRequest) -> TemplateResponse:
    """List incidents, newest first: ``?view=mine``, ``team``, ``unowned``, ``open`` or ``all``; ``?severity=SEV1``.

    Raises:
        PermissionDenied: the person may not look at incidents.
    """
    shell.require(request, VIEW)
    now, user = clock.now(), _user(request)
    chosen = request.GET.get("view", "open")
    shown = _of_view(chosen, user)
    severity = request.GET.get("severity", "")
    if severity:
        shown = shown.filter(severity=severity)
    if before := request.GET.get("before", ""):
        shown = shown.filter(pk__lt=shell.parse(ids.Prefix.INCIDENT, before))
    found = list(shown[: PER_PAGE + 1])
    risks = queries.at_risk_by_incident(found[:PER_PAGE])
    context = {
        "rows": [Row(row, formats.duration(now - row.opened_at), risks[row.pk]) for row in found[:PER_PAGE]],
        "more": found[PER_PAGE - 1].public_id if len(found) > PER_PAGE else "",
        "views": VIEWS,
        "view": chosen if chosen in dict(VIEWS) else "open",
        "severity": severity,
        "total": queries.at_risk_of_all(),
    }
    return shell.page(request, "console/incidents/list.html", title="Incidents", context=context)


def incident(request: HttpRequest, incident_id: str) -> TemplateResponse:
    """Show one incident: where it stands, who answers for it, what happened, and which payments are at risk.

    Raises:
        PermissionDenied: the person may not look at incidents.
        Http404: there is no such incident.
    """
    return _shown(request, incident_id)


def do(request: HttpRequest, incident_id: str, deed: str) -> HttpResponse:
    """Do what a form on the page asks for, once.

    Raises:
        PermissionDenied: the person may not look at incidents, or what the deed needs.
        Http404: there is no such incident, or no such deed.
    """
    shell.require_post(request)
    shell.require(request, VIEW)
    found, work = _find(incident_id), _DEEDS.get(deed)
    if work is None:
        raise Http404("There is nothing of this name to do.")
    if deed != "comment":
        shell.require(request, operations.MAY_WORK)
    now = clock.now()

    def carry_out() -> str:
        work(request, found, now)
        return found.public_id

    try:
        shell.once(request, action=f"incident.{deed}", work=carry_out, now=now)
    except ApplicationError as refusal:
        return _shown(request, incident_id, refusal=refusal)
    messages.success(request, _DONE.get(deed, "Done."))
    return redirect(reverse("admin:incident", args=[incident_id]))


def addresses(site: AdminSite) -> list[URLPattern]:
    """Return the addresses below ``incidents/``, for members of staff only."""
    return [
        path("incidents/", site.admin_view(incidents), name="incidents"),
        path("incidents/<str:incident_id>", site.admin_view(incident), name="incident"),
        path("incidents/<str:incident_id>/<str:deed>", site.admin_view(do), name="incident_do"),
    ]


def _of_view(name: str, user: User) -> IncidentQuerySet:
    everything = queries.incidents()
    match name:
        case "mine":
            return everything.unfinished().owned_by(user)
        case "team":
            return everything.unfinished().of_teams_of(user)
        case "unowned":
            return everything.worked_on().unowned()
        case "all":
            return everything
        case _:
            return everything.unfinished()


def _shown(request: HttpRequest, incident_id: str, *, refusal: ApplicationError | None = None) -> TemplateResponse:
    shell.require(request, VIEW)
    found, user, now = _find(incident_id), _user(request), clock.now()
    ownership = found.ownership
    may_work = user.has_perm(operations.MAY_WORK) and found.state in UNFINISHED
    owner = ownership.owner if ownership else None
    context = {
        "incident": found,
        "age": formats.duration(now - found.opened_at),
        "ownership": ownership,
        "risks": queries.at_risk(found),
        "links": list(queries.payments(found)[:PER_PAGE]),
        "timeline": queries.timeline(found),
        "may_work": may_work,
        "may_claim": may_work and owner is None,
        "is_owner": may_work and owner == user,
        "is_offered": may_work and ownership is not None and ownership.offered_to == user,
        "next": _NEXT.get(found.state, ()) if may_work else (),
        "may_suppress": may_work and found.state not in (State.RESOLVED, State.SUPPRESSED),
        "people": _colleagues(user) if may_work else (),
        "teams": Team.objects.filter(is_active=True) if may_work else (),
        "may_comment": user.has_perm("casework.add_comment"),
    }
    return shell.page(request, "console/incidents/incident.html", title=found.title, context=context, refusal=refusal)


def _find(incident_id: str) -> Incident:
    try:
        return queries.incident(incident_id)
    except (NotFound, ids.UnreadableId) as error:
        raise Http404(error.detail) from error


def _user(request: HttpRequest) -> User:
    user = access.person(request).user
    assert user is not None  # noqa: S101 - the console is for people
    return user


def _colleagues(user: User) -> "QuerySet[User]":
    """Return who may take an incident over."""
    able = User.objects.with_perm(operations.MAY_WORK, include_superusers=False)
    found: QuerySet[User] = able.exclude(pk=user.pk).order_by("username", "pk")
    return found


# --- What forms do ----------------------------------------------------------------------------------------------


def _deed(request: HttpRequest, found: Incident) -> Deed:
    return Deed(
        incident_id=found.pk,
        version=_number(request, "version"),
        by=access.person(request),
        reason=request.POST.get("reason", ""),
    )


def _number(request: HttpRequest, name: str) -> int:
    text = request.POST.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidInput("The form is not whole; open the page again.")
    return int(text)


def _step(operation: Callable[..., object]) -> Callable[[HttpRequest, Incident, datetime], None]:
    def work(request: HttpRequest, found: Incident, now: datetime) -> None:
        operation(_deed(request, found), now=now)

    return work


def _owning(operation: Callable[..., object], *, note: bool) -> Callable[[HttpRequest, Incident, datetime], None]:
    def work(request: HttpRequest, found: Incident, now: datetime) -> None:
        words = {"note": request.POST.get("reason", "")} if note else {}
        version, by = _number(request, "ownership_version"), access.person(request)
        operation(incident_id=found.pk, version=version, by=by, now=now, **words)

    return work


def _hand_over(request: HttpRequest, found: Incident, now: datetime) -> None:
    to = User.objects.filter(pk=_number(request, "to"), is_active=True).first()
    if to is None:
        raise InvalidInput("Choose who is to take it over.")
    operations.hand_over(
        incident_id=found.pk,
        version=_number(request, "ownership_version"),
        to=to,
        by=access.person(request),
        note=request.POST.get("reason", ""),
        now=now,
    )


def _assign(request: HttpRequest, found: Incident, now: datetime) -> None:
    team = Team.objects.filter(pk=_number(request, "team"), is_active=True).first()
    if team is None:
        raise InvalidInput("Choose a team.")
    operations.assign(
        incident_id=found.pk,
        version=_number(request, "ownership_version"),
        team=team,
        by=access.person(request),
        note=request.POST.get("reason", ""),
        now=now,
    )


def _suppress(request: HttpRequest, found: Incident, now: datetime) -> None:
    until = now + timedelta(hours=_number(request, "hours"))
    operations.suppress(_deed(request, found), until=until, now=now)


def _merge(request: HttpRequest, found: Incident, now: datetime) -> None:
    try:
        into = ids.parse(ids.Prefix.INCIDENT, request.POST.get("into", "").strip())
    except ids.UnreadableId as error:
        raise InvalidInput("Give the id of the other incident, inc_…") from error
    operations.merge(_deed(request, found), into=into, now=now)


def _settle(request: HttpRequest, found: Incident, now: datetime) -> None:
    payment_id = shell.parse(ids.Prefix.PAYMENT, request.POST.get("payment", ""))
    operations.settle_payment(_deed(request, found), payment_id=payment_id, now=now)


def _comment(request: HttpRequest, found: Incident, now: datetime) -> None:
    casework.comment(subject=found.subject, text=request.POST.get("reason", ""), by=access.person(request), now=now)


_DEEDS: Final[Mapping[str, Callable[[HttpRequest, Incident, datetime], None]]] = {
    "acknowledge": _step(operations.acknowledge),
    "mitigate": _step(operations.mitigate),
    "monitor": _step(operations.monitor),
    "resolve": _step(operations.resolve),
    "close": _step(operations.close),
    "suppress": _suppress,
    "merge": _merge,
    "settle": _settle,
    "claim": _owning(operations.claim, note=False),
    "accept": _owning(operations.accept, note=False),
    "decline": _owning(operations.decline, note=True),
    "release": _owning(operations.release, note=True),
    "hand-over": _hand_over,
    "assign": _assign,
    "comment": _comment,
}
