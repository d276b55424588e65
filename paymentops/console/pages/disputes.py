"""Disputes in the console: what evidence is due next, whose they are, and one dispute's story."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.db.models import F, Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from paymentops.access import pages as access
from paymentops.casework import operations as casework
from paymentops.casework import queries as papers
from paymentops.casework.models import Ownership
from paymentops.console import formats
from paymentops.console.pages import shell
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError, InvalidInput
from paymentops.core.money import Money
from paymentops.payments.models import Dispute
from paymentops.payments.models.dispute import DisputeQuerySet
from paymentops.payments.queries import disputes as queries
from paymentops.payments.states import DisputeState

PER_PAGE: Final = 50
VIEW: Final = "payments.view_dispute"
VIEWS: Final = (
    ("due", "Evidence due"),
    ("open", "All open"),
    ("unlinked", "Unknown charge"),
    ("excess", "Excess"),
    ("all", "All"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the list."""

    dispute: Dispute
    left: str
    ownership: Ownership | None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to a dispute: a move, or what somebody said."""

    at: datetime
    what: str
    actor: str
    text: str
    state: str = ""
    amount: Money | None = None


def disputes(request: HttpRequest) -> TemplateResponse:
    """List disputes, those whose evidence is due first: ``?view=due``, ``open``, ``unlinked``, ``excess`` or ``all``.

    Raises:
        PermissionDenied: the person may not look at disputes.
    """
    shell.require(request, VIEW)
    chosen = request.GET.get("view", "open")
    chosen = chosen if chosen in dict(VIEWS) else "open"
    provider, state = request.GET.get("provider", ""), request.GET.get("state", "")
    shown = _of_view(chosen).filter(
        **{name: value for name, value in (("provider", provider), ("state", state)) if value}
    )
    page = _number(request.GET.get("page", "1")) or 1
    first = (page - 1) * PER_PAGE
    ordered = shown.order_by(F("evidence_due_at").asc(nulls_last=True), "-id")
    found = list(ordered[first : first + PER_PAGE + 1])
    context = {
        "rows": _rows(found[:PER_PAGE], clock.now()),
        "more": page + 1 if len(found) > PER_PAGE else 0,
        "views": VIEWS,
        "view": chosen,
        "provider": provider,
        "state": state,
        "states": DisputeState.choices,
    }
    return shell.page(request, "console/disputes/list.html", title="Disputes", context=context)


def dispute(request: HttpRequest, dispute_id: str) -> TemplateResponse:
    """Show one dispute: where it stands, what was told, who answers for it, and what people wrote.

    Raises:
        PermissionDenied: the person may not look at disputes.
        Http404: there is no such dispute.
    """
    return _shown(request, dispute_id)


def do(request: HttpRequest, dispute_id: str, deed: str) -> HttpResponse:
    """Take a dispute, or comment on it, once.

    Raises:
        PermissionDenied: the person may not look at disputes, or may not do it.
        Http404: there is no such dispute, or no such deed.
    """
    shell.require_post(request)
    shell.require(request, VIEW)
    found, work, now = _find(dispute_id), _DEEDS.get(deed), clock.now()
    if work is None:
        raise Http404("There is nothing of this name to do.")

    def carry_out() -> str:
        work(request, found, now)
        return found.public_id

    try:
        shell.once(request, action=f"dispute.{deed}", work=carry_out, now=now)
    except ApplicationError as refusal:
        return _shown(request, dispute_id, refusal=refusal)
    messages.success(request, "It is yours." if deed == "claim" else "Written down.")
    return redirect(reverse("admin:dispute", args=[dispute_id]))


def addresses(site: AdminSite) -> list[URLPattern]:
    """Return the addresses below ``disputes/``, for members of staff only."""
    return [
        path("disputes/", site.admin_view(disputes), name="disputes"),
        path("disputes/<str:dispute_id>", site.admin_view(dispute), name="dispute"),
        path("disputes/<str:dispute_id>/<str:deed>", site.admin_view(do), name="dispute_do"),
    ]


def _of_view(name: str) -> DisputeQuerySet:
    everything = queries.disputes()
    match name:
        case "due":
            return everything.awaiting_evidence()
        case "unlinked":
            return everything.unlinked()
        case "excess":
            return everything.filter(excess__gt=0)
        case "all":
            return everything
        case _:
            return everything.open()


def _rows(found: list[Dispute], now: datetime) -> list[Row]:
    owned = Ownership.objects.filter(Q(subject_type="dispute", subject_id__in=[str(row) for row in found]))
    owners = {row.subject_id: row for row in owned.select_related("owner", "team")}
    return [Row(row, _left(row, now), owners.get(row.public_id)) for row in found]


def _left(row: Dispute, now: datetime) -> str:
    if row.evidence_due_at is None or not row.takes_evidence or row.evidence_due_at <= now:
        return ""
    return f"in {formats.duration(row.evidence_due_at - now)}"


def _shown(request: HttpRequest, dispute_id: str, *, refusal: ApplicationError | None = None) -> TemplateResponse:
    shell.require(request, VIEW)
    found = _find(dispute_id)
    ownership = papers.ownership(found.subject)
    may_own = request.user.has_perm("casework.change_ownership")
    context = {
        "dispute": found,
        "left": _left(found, clock.now()),
        "steps": sorted([*_moves(found), *_notices(found), *_people(found)], key=attrgetter("at")),
        "ownership": ownership,
        "may_claim": may_own and (ownership is None or ownership.owner is None),
        "may_comment": request.user.has_perm("casework.add_comment"),
    }
    return shell.page(
        request,
        "console/disputes/dispute.html",
        title=f"Dispute {found.provider_reference}",
        context=context,
        refusal=refusal,
    )


def _moves(found: Dispute) -> list[Step]:
    return [
        Step(move.occurred_at, "", move.actor, move.reason, state=move.to_state)
        for move in found.transitions.order_by("sequence", "id")
    ]


def _notices(found: Dispute) -> list[Step]:
    return [
        Step(
            row.occurred_at,
            f"{found.provider} told: {row.kind}",
            found.provider,
            "" if row.applied else "Recorded; its state did not follow.",
            amount=Money(row.amount, row.currency),
        )
        for row in found.notices.order_by("id")
    ]


def _people(found: Dispute) -> list[Step]:
    return [Step(row.at, row.what, row.actor, row.text) for row in papers.history(found.subject)]


def _find(dispute_id: str) -> Dispute:
    found = queries.disputes().filter(pk=shell.parse(ids.Prefix.DISPUTE, dispute_id)).first()
    if found is None:
        raise Http404("There is no dispute under this id.")
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def _claim(request: HttpRequest, found: Dispute, now: datetime) -> None:
    version = request.POST.get("ownership_version", "")
    if not version.isascii() or not version.isdigit() or len(version) > 9:
        raise InvalidInput("The form is not whole; open the page again.")
    casework.claim(subject=found.subject, version=int(version), by=access.person(request), now=now)


def _comment(request: HttpRequest, found: Dispute, now: datetime) -> None:
    casework.comment(subject=found.subject, text=request.POST.get("reason", ""), by=access.person(request), now=now)


_DEEDS: Final[Mapping[str, Callable[[HttpRequest, Dispute, datetime], None]]] = {"claim": _claim, "comment": _comment}
