"""Dead letters: what could not be handled, by what it has in common, and having it handled again or given up."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from paymentops.access import pages as access
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal, ProposalState
from paymentops.console import queries as reading
from paymentops.console.pages import shell
from paymentops.core import clock
from paymentops.core.errors import ApplicationError, InvalidInput, NotFound
from paymentops.events import operations, queries
from paymentops.events.models import DeadLetter
from paymentops.events.operations import Preview
from paymentops.incidents.operations import discarding
from paymentops.incidents.proposals import DISCARD

VIEW: Final = "events.view_deadletter"
MAY_REPLAY: Final = "events.replay_deadletter"
PER_PAGE: Final = 50


def dead_letters(request: HttpRequest) -> TemplateResponse:
    """List the kinds of trouble, or the letters of one: ``?group=…&source=…``; ``?dry_run=1`` previews them.

    Raises:
        PermissionDenied: the person may not look at dead letters.
    """
    shell.require(request, VIEW)
    group, source = request.GET.get("group", ""), request.GET.get("source", "")
    letters = list(queries.open_letters(fingerprint=group, source=source)[:PER_PAGE]) if source else []
    may_replay = request.user.has_perm(MAY_REPLAY)
    previews = _previews(letters) if may_replay and "dry_run" in request.GET else []
    context = {
        "troubles": queries.troubles(),
        "group": group,
        "source": source,
        "letters": letters,
        "previews": previews,
        "may_replay": may_replay,
        "last": DeadLetter.objects.exclude(resolved_at=None).order_by("-resolved_at").first(),
    }
    return shell.page(request, "console/dead_letters/list.html", title="Dead letters", context=context)


def dead_letter(request: HttpRequest, letter_id: str) -> TemplateResponse:
    """Show one dead letter with what it holds; ``?dry_run=1`` also what handling it again would do.

    Raises:
        PermissionDenied: the person may not look at dead letters.
        Http404: there is no such letter.
    """
    return _shown(request, letter_id)


def replay_all(request: HttpRequest) -> HttpResponse:
    """Have the letters of a group handled again, each by itself.

    Raises:
        PermissionDenied: the person may not have dead letters handled again.
    """
    shell.require_post(request)
    shell.require(request, MAY_REPLAY)
    now, source = clock.now(), request.POST.get("source", "")

    def work() -> str:
        if not source:
            raise InvalidInput("Choose a group.")
        chosen = queries.open_letters(fingerprint=request.POST.get("group", ""), source=source)
        done = operations.replay_dead_letters(
            dead_letter_ids=list(chosen.values_list("pk", flat=True)[: operations.MOST_AT_ONCE]),
            actor=access.person(request),
            reason=_reason(request),
            now=now,
        )
        failed = sum(bool(result.error) for result in done)
        return f"{len(done) - failed} handled, {failed} failed again and stay here."

    try:
        messages.success(request, shell.once(request, action="dead_letter.replay_all", work=work, now=now).result)
    except ApplicationError as refusal:
        messages.error(request, refusal.detail)
    return redirect(reverse("admin:dead_letters"))


def do(request: HttpRequest, letter_id: str, deed: str) -> HttpResponse:
    """Do what a form on the page asks for, once: replay, discard, approve, reject or withdraw.

    Raises:
        PermissionDenied: the person may not look at dead letters, or not do this.
        Http404: there is no such letter, or no such deed.
    """
    shell.require_post(request)
    shell.require(request, VIEW)
    found, work = _find(letter_id), _DEEDS.get(deed)
    if work is None:
        raise Http404("There is nothing of this name to do.")
    shell.require(request, DISCARD.may_approve if deed in ("approve", "reject") else MAY_REPLAY)
    now = clock.now()
    try:
        if deed == "replay":
            # Not in one transaction with the form's token: a try that fails leaves its reason on the letter.
            told = work(request, found, now)
        else:
            told = shell.once(
                request, action=f"dead_letter.{deed}", work=lambda: work(request, found, now), now=now
            ).result
    except ApplicationError as refusal:
        return _shown(request, letter_id, refusal=refusal)
    messages.success(request, told)
    return redirect(reverse("admin:dead_letter", args=[letter_id]))


def addresses(site: AdminSite) -> list[URLPattern]:
    """Return the addresses below ``dead-letters/``, for members of staff only."""
    return [
        path("dead-letters/", site.admin_view(dead_letters), name="dead_letters"),
        path("dead-letters/replay", site.admin_view(replay_all), name="dead_letters_replay"),
        path("dead-letters/<str:letter_id>", site.admin_view(dead_letter), name="dead_letter"),
        path("dead-letters/<str:letter_id>/<str:deed>", site.admin_view(do), name="dead_letter_do"),
    ]


def _shown(request: HttpRequest, letter_id: str, *, refusal: ApplicationError | None = None) -> TemplateResponse:
    shell.require(request, VIEW)
    letter = _find(letter_id)
    user = access.person(request).user
    proposal = _open_proposal(letter)
    is_own = proposal is not None and user is not None and proposal.proposed_by_id == user.pk
    may_replay = request.user.has_perm(MAY_REPLAY) and letter.resolved_at is None
    context = {
        "letter": letter,
        "payload": reading.payload_of(letter),
        "preview": _previews([letter])[0] if may_replay and "dry_run" in request.GET else None,
        "may_replay": may_replay,
        "proposal": proposal,
        "is_own": is_own,
        "may_decide": proposal is not None and not is_own and request.user.has_perm(DISCARD.may_approve),
    }
    template = "console/dead_letters/letter.html"
    return shell.page(request, template, title="Dead letter", context=context, refusal=refusal)


def _previews(letters: list[DeadLetter]) -> list[Preview]:
    return [operations.preview_dead_letter(dead_letter_id=letter.pk, now=clock.now()) for letter in letters]


def _find(letter_id: str) -> DeadLetter:
    try:
        return queries.letter(letter_id)
    except NotFound as error:
        raise Http404(error.detail) from error


def _open_proposal(letter: DeadLetter) -> Proposal | None:
    about = Proposal.objects.about(discarding.SUBJECT, letter.public_id)
    return about.filter(kind=DISCARD.name, state=ProposalState.PROPOSED).first()


def _reason(request: HttpRequest) -> str:
    reason = request.POST.get("reason", "").strip()
    if not reason:
        raise InvalidInput("Say why.")
    return reason[:500]


def _replay(request: HttpRequest, letter: DeadLetter, now: datetime) -> str:
    operations.replay_dead_letter(
        dead_letter_id=letter.pk, actor=access.person(request), reason=_reason(request), now=now
    )
    return "It was handled; the dead letter is closed."


def _discard(request: HttpRequest, letter: DeadLetter, now: datetime) -> str:
    discarding.propose_discard(letter, reason=request.POST.get("reason", ""), by=access.person(request), now=now)
    return "Proposed. It is discarded when a second person agrees."


def _approve(request: HttpRequest, letter: DeadLetter, now: datetime) -> str:
    decided = discarding.approve_discard(
        proposal_id=_waiting(letter), version=_version(request), by=access.person(request), now=now
    )
    told = {ProposalState.CARRIED_OUT: "Discarded.", ProposalState.STALE: "Nothing was done: it changed meanwhile."}
    return told.get(ProposalState(decided.proposal.state), "Nothing was done.")


def _reject(request: HttpRequest, letter: DeadLetter, now: datetime) -> str:
    by, reason = access.person(request), request.POST.get("reason", "")
    casework.reject(proposal_id=_waiting(letter), version=_version(request), by=by, reason=reason, now=now)
    return "Returned. The dead letter stays open."


def _withdraw(request: HttpRequest, letter: DeadLetter, now: datetime) -> str:
    by, reason = access.person(request), request.POST.get("reason", "")
    casework.withdraw(proposal_id=_waiting(letter), version=_version(request), by=by, reason=reason, now=now)
    return "Withdrawn. The dead letter stays open."


def _waiting(letter: DeadLetter) -> UUID:
    proposal = _open_proposal(letter)
    if proposal is None:
        raise casework.ProposalChanged("Somebody decided on it meanwhile; look at the page again.")
    return proposal.pk


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


_DEEDS: Final[Mapping[str, Callable[[HttpRequest, DeadLetter, datetime], str]]] = {
    "replay": _replay,
    "discard": _discard,
    "approve": _approve,
    "reject": _reject,
    "withdraw": _withdraw,
}
