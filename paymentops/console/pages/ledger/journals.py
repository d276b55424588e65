"""What people proposed to the ledger, and the second person's decision: journals, reversals, opening a month again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from ledger import journals as values
from ledger import operations as ledger
from ledger.operations import periods as closing
from ledger.periods import Month
from ledger.proposals import JOURNAL, KINDS, REOPENING, REVERSAL
from ledger.queries import journals as reading
from ledger.queries import periods as months
from paymentops.access import pages as access
from paymentops.access.models import User
from paymentops.casework import facts, kinds
from paymentops.casework import operations as casework
from paymentops.casework import queries as papers
from paymentops.casework.facts import Change
from paymentops.casework.models import Proposal, ProposalState
from paymentops.console.pages import shell
from paymentops.console.pages.ledger import entries, proposing
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money

PER_PAGE: Final = 50
_TOLD: Final[Mapping[str, tuple[int, str]]] = {
    ProposalState.CARRIED_OUT: (messages.SUCCESS, "Approved and carried out."),
    ProposalState.REFUSED: (
        messages.ERROR,
        "Approved, but the books refused it; nothing was posted. The reason stands below.",
    ),
    ProposalState.STALE: (
        messages.WARNING,
        "Nothing was done: the facts changed since it was proposed, as told below.",
    ),
    ProposalState.REJECTED: (messages.SUCCESS, "Returned. Whoever proposed it can propose it anew."),
    ProposalState.WITHDRAWN: (messages.SUCCESS, "Withdrawn."),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A proposal in the list: what it is about in words, and the sum of its debits per currency."""

    proposal: Proposal
    title: str
    text: str
    sums: tuple[Money, ...]


def journals(request: HttpRequest) -> TemplateResponse:
    """List what was proposed, newest first: ``?view=waiting`` for one's approval, ``mine`` or ``all``.

    Raises:
        PermissionDenied: the person may not look at entries.
    """
    shell.require(request, "ledger.view_entry")
    user = _user(request)
    names = [kind.name for kind in KINDS]
    waiting = papers.waiting_for(user).filter(kind__in=names)
    may_approve = any(user.has_perm(kind.may_approve) for kind in KINDS)
    chosen = request.GET.get("view", "waiting" if may_approve else "all")
    shown = {"waiting": waiting.order_by("-id"), "mine": reading.journal_proposals().filter(proposed_by=user)}.get(
        chosen, reading.journal_proposals()
    )
    if before := request.GET.get("before", ""):
        shown = shown.filter(pk__lt=shell.parse(ids.Prefix.PROPOSAL, before))
    rows = list(shown[: PER_PAGE + 1])
    context = {
        "rows": [_listed(proposal) for proposal in rows[:PER_PAGE]],
        "more": rows[PER_PAGE - 1].public_id if len(rows) > PER_PAGE else "",
        "view": chosen if chosen in ("waiting", "mine") else "all",
        "may_propose": user.has_perm(JOURNAL.may_propose),
        "may_approve": may_approve,
    }
    return shell.page(request, "console/ledger/journals.html", title="Journals", context=context)


def journal(request: HttpRequest, proposal_id: str) -> TemplateResponse:
    """Show one proposal: what it would post, why, on which facts, and what became of it.

    Raises:
        PermissionDenied: the person may not look at entries.
        Http404: there is no such proposal.
    """
    return _shown(request, proposal_id)


def approve(request: HttpRequest, proposal_id: str) -> HttpResponse:
    """Agree to a proposal and carry it out.

    Raises:
        PermissionDenied: the person may not approve this kind.
        Http404: there is no such proposal.
    """
    steps = {
        JOURNAL.name: ledger.approve_journal,
        REVERSAL.name: ledger.approve_reversal,
        REOPENING.name: closing.approve_reopening,
    }

    def work(proposal: Proposal, now: datetime) -> str:
        decided = steps[proposal.kind](
            proposal_id=proposal.pk,
            version=_version(request),
            by=access.person(request),
            note=request.POST.get("reason", "").strip(),
            now=now,
        )
        return str(decided.proposal)

    return _decide(request, proposal_id, work, needs_right=True)


def reject(request: HttpRequest, proposal_id: str) -> HttpResponse:
    """Return a proposal with a reason; see ``approve``."""

    def work(proposal: Proposal, now: datetime) -> str:
        by, reason = access.person(request), request.POST.get("reason", "")
        return str(casework.reject(proposal_id=proposal.pk, version=_version(request), by=by, reason=reason, now=now))

    return _decide(request, proposal_id, work, needs_right=True)


def withdraw(request: HttpRequest, proposal_id: str) -> HttpResponse:
    """Take back what one proposed oneself, with a reason."""

    def work(proposal: Proposal, now: datetime) -> str:
        by, reason = access.person(request), request.POST.get("reason", "")
        return str(casework.withdraw(proposal_id=proposal.pk, version=_version(request), by=by, reason=reason, now=now))

    return _decide(request, proposal_id, work, needs_right=False)


def _decide(
    request: HttpRequest, proposal_id: str, work: Callable[[Proposal, datetime], str], *, needs_right: bool
) -> HttpResponse:
    shell.require_post(request)
    shell.require(request, "ledger.view_entry")
    proposal = _find(proposal_id)
    if needs_right:
        shell.require(request, kinds.registered.named(proposal.kind).may_approve)
    now = clock.now()
    try:
        shell.once(request, action="ledger.decide", work=lambda: work(proposal, now), now=now)
    except ApplicationError as refusal:
        return _shown(request, proposal_id, refusal=refusal)
    level, text = _TOLD[_find(proposal_id).state]
    messages.add_message(request, level, text)
    return redirect(reverse("admin:ledger_journal", args=[proposal_id]))


def _shown(request: HttpRequest, proposal_id: str, *, refusal: ApplicationError | None = None) -> TemplateResponse:
    shell.require(request, "ledger.view_entry")
    proposal = _find(proposal_id)
    user = _user(request)
    waits = proposal.state == ProposalState.PROPOSED
    is_own = proposal.proposed_by_id == user.pk
    kind = kinds.registered.named(proposal.kind)
    changes = _changes(proposal) if waits else ()
    context = {
        "proposal": proposal,
        "listed": _listed(proposal),
        "changes": changes,
        "attachments": _attachments(proposal),
        "made": proposal.outcome if proposal.outcome.startswith(f"{ids.Prefix.ENTRY}_") else "",
        "waits": waits,
        "is_own": is_own,
        "may_decide": waits and not is_own and user.has_perm(kind.may_approve),
        "may_withdraw": waits and is_own,
        "right": kind.may_approve,
        **_contents(proposal),
    }
    title = kind.title if proposal.kind != JOURNAL.name else f"Journal: {proposal.payload['description']}"
    return shell.page(request, "console/ledger/journal.html", title=title, context=context, refusal=refusal)


def _contents(proposal: Proposal) -> dict[str, Any]:
    """Return what a proposal of each kind would do."""
    if proposal.kind == JOURNAL.name:
        journal = values.from_payload(proposal.payload)
        corrects = ids.public(ids.Prefix.ENTRY, journal.corrects) if journal.corrects else ""
        return {
            "lines": proposing.shown_lines(journal),
            "happened_at": journal.occurred_at,
            "template": values.template(journal.template).title,
            "about": corrects,
        }
    if proposal.kind == REVERSAL.name:
        entry = entries.find(proposal.payload["entry"])
        return {
            "lines": proposing.opposite_lines(entry),
            "happened_at": datetime.fromisoformat(proposal.payload["occurred_at"]),
            "about": str(entry),
        }
    return {"month": proposal.payload["month"]}


def _changes(proposal: Proposal) -> tuple[Change, ...]:
    """Return what is no longer as it was when it was proposed."""
    return facts.changes(proposal.snapshot, facts.plain(_present(proposal)))


def _present(proposal: Proposal) -> Mapping[str, Any]:
    if proposal.kind == JOURNAL.name:
        return reading.journal_facts(values.from_payload(proposal.payload))
    if proposal.kind == REVERSAL.name:
        occurred_at = datetime.fromisoformat(proposal.payload["occurred_at"])
        return reading.reversal_facts(ids.parse(ids.Prefix.ENTRY, proposal.payload["entry"]), occurred_at=occurred_at)
    period = months.period(Month.parse(proposal.payload["month"]))
    return {"state": str(period.state), "closing": period.closing, "hash": period.hash}


def _attachments(proposal: Proposal) -> list[Any]:
    """Return the files named in the proposal: those of its own journal, not of other proposals about the same entry."""
    named = [ids.parse(ids.Prefix.ATTACHMENT, file["id"]) for file in proposal.payload.get("attachments", ())]
    return papers.attachments_by_id(named)


def _listed(proposal: Proposal) -> Listed:
    payload = proposal.payload
    sums: dict[str, int] = {}
    for line in payload.get("lines", ()):
        sums[line["currency"]] = sums.get(line["currency"], 0) + max(0, int(line["amount"]))
    title = kinds.registered.named(proposal.kind).title
    return Listed(proposal, title, _text(proposal), tuple(Money(minor, currency) for currency, minor in sums.items()))


def _text(proposal: Proposal) -> str:
    payload = proposal.payload
    if proposal.kind == REVERSAL.name:
        return f"Take back {payload['entry']}"
    return str(payload["description"]) if proposal.kind == JOURNAL.name else f"Open {payload['month']} again"


def _find(proposal_id: str) -> Proposal:
    shell.parse(ids.Prefix.PROPOSAL, proposal_id)
    found = papers.proposal(proposal_id)
    if found is None or found.kind not in [kind.name for kind in KINDS]:
        raise Http404("Nobody proposed anything to the ledger under this id.")
    return found


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _user(request: HttpRequest) -> User:
    user = access.person(request).user
    if user is None:
        raise Http404
    return user
