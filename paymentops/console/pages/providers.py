"""Providers: how each kind of call does, and the breakers that two people open and close."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from paymentops.access import pages as access
from paymentops.casework import operations as casework
from paymentops.casework import queries as papers
from paymentops.casework.models import Proposal, Subject
from paymentops.console.pages import shell
from paymentops.core import clock
from paymentops.core.errors import ApplicationError, NotFound
from paymentops.payments.breaker import Key
from paymentops.payments.operations import breaker_decisions
from paymentops.payments.proposals import BREAKER_OPENING, BREAKER_SUBJECT
from paymentops.payments.queries import breakers as queries

_MAY_LOOK: Final = "payments.view_breaker"
# Minutes that can be looked back over, with their names.
_WINDOWS: Final = {15: "15 minutes", 60: "1 hour", 1440: "24 hours"}
_MOVES_SHOWN: Final = 20


def providers(request: HttpRequest) -> TemplateResponse:
    """List every kind of call with its breaker and figures; ``?minutes=15``, ``60`` or ``1440`` is the window.

    Raises:
        PermissionDenied: the person may not look at breakers.
    """
    shell.require(request, _MAY_LOOK)
    chosen = request.GET.get("minutes", "")
    minutes = int(chosen) if chosen in map(str, _WINDOWS) else min(_WINDOWS)
    context = {
        "rows": queries.health(since=clock.now() - timedelta(minutes=minutes)),
        "minutes": minutes,
        "window": _WINDOWS[minutes],
        "windows": _WINDOWS.items(),
    }
    return shell.page(request, "console/providers/list.html", title="Providers", context=context)


def breaker(request: HttpRequest, key: str) -> TemplateResponse:
    """Show one breaker: its figures, its moves, and what is proposed.

    Raises:
        PermissionDenied: the person may not look at breakers.
        Http404: there is no such provider, operation or method.
    """
    return _shown(request, _key(key))


def do(request: HttpRequest, key: str, deed: str) -> HttpResponse:
    """Propose opening or closing, or decide on what is proposed: ``open``, ``close``, ``approve`` and so on.

    Raises:
        PermissionDenied: the person may not.
        Http404: there is no such breaker or deed.
    """
    shell.require_post(request)
    wanted, now = _key(key), clock.now()
    if deed not in _DEEDS:
        raise Http404("A breaker has no such form.")
    permission, work, told = _DEEDS[deed]
    shell.require(request, permission)
    try:
        shell.once(request, action=f"breaker.{deed}", work=lambda: work(request, wanted, now), now=now)
    except ApplicationError as refusal:
        return _shown(request, wanted, refusal=refusal)
    messages.success(request, told)
    return redirect(reverse("admin:breaker", args=[str(wanted)]))


def addresses(site: AdminSite) -> list[URLPattern]:
    """Return the addresses below ``providers/``, for members of staff only."""
    return [
        path("providers/", site.admin_view(providers), name="providers"),
        path("providers/<path:key>/do/<str:deed>", site.admin_view(do), name="breaker_do"),
        path("providers/<path:key>", site.admin_view(breaker), name="breaker"),
    ]


def _shown(request: HttpRequest, key: Key, *, refusal: ApplicationError | None = None) -> TemplateResponse:
    shell.require(request, _MAY_LOOK)
    since = clock.now() - timedelta(minutes=min(_WINDOWS))
    proposal = _open_proposal(key)
    may_decide = request.user.has_perm(BREAKER_OPENING.may_approve)
    is_own = proposal is not None and proposal.proposed_by_id == request.user.pk
    context = {
        "key": key,
        "row": next((row for row in queries.health(since=since) if row.key == key), None),
        "window": _WINDOWS[min(_WINDOWS)],
        "facts": queries.facts(key),
        "moves": queries.moves(key, limit=_MOVES_SHOWN),
        "proposal": proposal,
        "wants_open": proposal is not None and proposal.kind == BREAKER_OPENING.name,
        "is_own": is_own,
        "may_decide": may_decide and not is_own,
        "may_propose": request.user.has_perm(BREAKER_OPENING.may_propose),
    }
    return shell.page(request, "console/providers/breaker.html", title=str(key), context=context, refusal=refusal)


def _open_proposal(key: Key) -> Proposal | None:
    return papers.open_proposals(Subject(BREAKER_SUBJECT, str(key))).first()


def _open(request: HttpRequest, key: Key, now: datetime) -> str:
    by, reason = access.person(request), request.POST.get("reason", "")
    return str(breaker_decisions.propose_opening(key, reason=reason, by=by, now=now))


def _close(request: HttpRequest, key: Key, now: datetime) -> str:
    by, reason = access.person(request), request.POST.get("reason", "")
    return str(breaker_decisions.propose_closing(key, reason=reason, by=by, now=now))


def _approve(request: HttpRequest, key: Key, now: datetime) -> str:
    proposal, version = _decided_on(request, key)
    by, note = access.person(request), request.POST.get("reason", "").strip()
    approved = breaker_decisions.approve(proposal_id=proposal.pk, version=version, by=by, note=note, now=now)
    return str(approved.proposal)


def _reject(request: HttpRequest, key: Key, now: datetime) -> str:
    proposal, version = _decided_on(request, key)
    by, reason = access.person(request), request.POST.get("reason", "")
    return str(casework.reject(proposal_id=proposal.pk, version=version, by=by, reason=reason, now=now))


def _withdraw(request: HttpRequest, key: Key, now: datetime) -> str:
    proposal, version = _decided_on(request, key)
    by, reason = access.person(request), request.POST.get("reason", "")
    return str(casework.withdraw(proposal_id=proposal.pk, version=version, by=by, reason=reason, now=now))


def _decided_on(request: HttpRequest, key: Key) -> tuple[Proposal, int]:
    proposal = _open_proposal(key)
    if proposal is None:
        raise NotFound("Nothing is proposed for this breaker any more; look at its moves.")
    text = request.POST.get("version", "")
    return proposal, int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _key(text: str) -> Key:
    try:
        return queries.key_of(text)
    except NotFound as error:
        raise Http404(error.detail) from error


# The right, the work and what the person is told afterwards.
_DEEDS: Final[dict[str, tuple[str, Callable[[HttpRequest, Key, datetime], str], str]]] = {
    "open": (BREAKER_OPENING.may_propose, _open, "Proposed. It opens when a second person approves it."),
    "close": (BREAKER_OPENING.may_propose, _close, "Proposed. It closes when a second person approves it."),
    "approve": (BREAKER_OPENING.may_approve, _approve, "Approved; the breaker's moves below say what came of it."),
    "reject": (BREAKER_OPENING.may_approve, _reject, "Rejected. The breaker stays as it is."),
    "withdraw": (BREAKER_OPENING.may_propose, _withdraw, "Withdrawn. The breaker stays as it is."),
}
