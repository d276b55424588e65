"""Refunds that wait for a second person: the list by age, and the decision on one with its reason."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from paymentops.access import pages as access
from paymentops.casework import queries as papers
from paymentops.casework.models import Proposal, ProposalState
from paymentops.console import formats
from paymentops.console.pages import shell
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError
from paymentops.payments import queries
from paymentops.payments.approvals import Approval
from paymentops.payments.models import Refund
from paymentops.payments.operations import approving
from paymentops.payments.proposals import REFUND

VIEW: Final = "payments.view_refund"
PER_PAGE: Final = 100
_DONE: Final = {
    ProposalState.CARRIED_OUT: "Approved. It is sent within seconds.",
    ProposalState.REJECTED: "Rejected. Its sum can be refunded again.",
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One refund that waits, its proposal, why it waits and for how long."""

    refund: Refund
    proposal: Proposal
    why: str
    age: str
    is_overdue: bool


def addresses(site: AdminSite) -> list[URLPattern]:
    """Return the addresses below ``refunds/``, each for members of staff only."""
    view = site.admin_view
    return [
        path("refunds/waiting", view(waiting), name="refunds_waiting"),
        path("refunds/waiting/<str:proposal_id>", view(decision), name="refund_decision"),
        path("refunds/waiting/<str:proposal_id>/approve", view(approve), name="refund_approve"),
        path("refunds/waiting/<str:proposal_id>/reject", view(reject), name="refund_reject"),
    ]


def waiting(request: HttpRequest) -> TemplateResponse:
    """List the refunds that wait for a second person, the oldest first.

    Raises:
        PermissionDenied: the person may not look at refunds.
    """
    shell.require(request, VIEW)
    now = clock.now()
    rows = [_waiting(refund, proposal, now) for refund, proposal in queries.refunds_to_decide(limit=PER_PAGE)]
    context = {
        "rows": rows,
        "overdue": sum(row.is_overdue for row in rows),
        "limits": settings.REFUND_APPROVAL_LIMITS,
        "hours": settings.REFUND_APPROVAL_HOURS,
    }
    return shell.page(request, "console/refunds/waiting.html", title="Refunds waiting for approval", context=context)


def decision(request: HttpRequest, proposal_id: str) -> TemplateResponse:
    """Show one refund with what was asked, and the two forms that decide on it.

    Raises:
        PermissionDenied: the person may not look at refunds.
        Http404: there is no such proposal.
    """
    return _shown(request, proposal_id)


def approve(request: HttpRequest, proposal_id: str) -> HttpResponse:
    """Approve a refund; the worker sends it."""

    def work(proposal: Proposal, now: datetime) -> str:
        note = request.POST.get("reason", "").strip()
        by = access.person(request)
        return str(
            approving.approve(proposal_id=proposal.pk, version=_version(request), by=by, note=note, now=now).proposal
        )

    return _decide(request, proposal_id, work)


def reject(request: HttpRequest, proposal_id: str) -> HttpResponse:
    """Reject a refund with a reason; its sum is free again."""

    def work(proposal: Proposal, now: datetime) -> str:
        by, reason = access.person(request), request.POST.get("reason", "")
        return str(approving.reject(proposal_id=proposal.pk, version=_version(request), by=by, reason=reason, now=now))

    return _decide(request, proposal_id, work)


def _decide(request: HttpRequest, proposal_id: str, work: Callable[[Proposal, datetime], str]) -> HttpResponse:
    shell.require_post(request)
    shell.require(request, REFUND.may_approve)
    proposal, now = _find(proposal_id), clock.now()
    try:
        shell.once(request, action="payments.decide_refund", work=lambda: work(proposal, now), now=now)
    except ApplicationError as refusal:
        return _shown(request, proposal_id, refusal=refusal)
    decided = _find(proposal_id)
    text = _DONE.get(ProposalState(decided.state), f"Nothing was done: {decided.outcome}")
    messages.add_message(request, messages.SUCCESS if decided.state in _DONE else messages.WARNING, text)
    return redirect(reverse("admin:refund_decision", args=[proposal_id]))


def _shown(request: HttpRequest, proposal_id: str, *, refusal: ApplicationError | None = None) -> TemplateResponse:
    shell.require(request, VIEW)
    proposal = _find(proposal_id)
    refund = queries.proposed_refund(proposal)
    user = access.person(request).user
    is_own = user is not None and proposal.proposed_by_id == user.pk
    waits = proposal.state == ProposalState.PROPOSED
    context = {
        "row": _waiting(refund, proposal, clock.now()),
        "proposal": proposal,
        "refund": refund,
        "payment": refund.payment,
        "others": queries.refunds_of(refund.payment),
        "waits": waits,
        "may_decide": waits and not is_own and request.user.has_perm(REFUND.may_approve),
        "right": REFUND.may_approve,
    }
    title = f"Refund of {refund.money}"
    return shell.page(request, "console/refunds/decision.html", title=title, context=context, refusal=refusal)


def _waiting(refund: Refund, proposal: Proposal, now: datetime) -> Waiting:
    age = now - refund.created_at
    return Waiting(
        refund=refund,
        proposal=proposal,
        why=Approval(refund.approval).label,
        age=formats.duration(age),
        is_overdue=age > timedelta(hours=settings.REFUND_APPROVAL_HOURS),
    )


def _find(proposal_id: str) -> Proposal:
    shell.parse(ids.Prefix.PROPOSAL, proposal_id)
    found = papers.proposal(proposal_id)
    if found is None or found.kind != REFUND.name:
        raise Http404("Nobody asked for the approval of a refund under this id.")
    return found


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
