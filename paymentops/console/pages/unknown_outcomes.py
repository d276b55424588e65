"""Outcomes that nobody knows: the queue with what is at stake, one attempt's questions and answers, the decision."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from paymentops.access import pages as access
from paymentops.casework import facts
from paymentops.casework import operations as casework
from paymentops.casework import queries as papers
from paymentops.casework.facts import Change
from paymentops.casework.models import Proposal, ProposalState, Subject
from paymentops.console import formats
from paymentops.console.pages import shell
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError, InvalidInput, NotFound
from paymentops.core.money import Money
from paymentops.payments import decisions, doorbell
from paymentops.payments.ambiguity import Step
from paymentops.payments.decisions import Decision, ItDidNotHappen, ItHappened
from paymentops.payments.models import Attempt
from paymentops.payments.operations import asking, deciding
from paymentops.payments.proposals import OUTCOME, SUBJECT_TYPE
from paymentops.payments.queries import ambiguity as reading
from paymentops.payments.queries.ambiguity import Ambiguous
from paymentops.payments.states import AttemptState

PER_PAGE: Final = 50
VIEW: Final = "payments.view_payment"
ASK: Final = "payments.ask_provider"
_STEPS: Final[Mapping[Step, str]] = {
    Step.SEND: "is sent by itself",
    Step.SEND_AGAIN: "the same request is sent again",
    Step.ASK: "the provider is asked",
    Step.NEWS_OR_PEOPLE: "nothing by itself; news of the provider or two people decide",
    Step.NOTHING: "nothing; it has ended",
}
_TOLD: Final[Mapping[str, tuple[int, str]]] = {
    ProposalState.PROPOSED: (messages.SUCCESS, "Proposed. A second person decides on it."),
    ProposalState.CARRIED_OUT: (messages.SUCCESS, "Approved and recorded."),
    ProposalState.REFUSED: (messages.ERROR, "Approved, but it could not be recorded; the reason stands below."),
    ProposalState.STALE: (messages.WARNING, "Nothing was done: the facts changed since it was proposed."),
    ProposalState.REJECTED: (messages.SUCCESS, "Returned. Whoever proposed it can propose it anew."),
    ProposalState.WITHDRAWN: (messages.SUCCESS, "Withdrawn."),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the queue."""

    found: Ambiguous
    age: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Told:
    """A proposal with its decision in words, and what changed since while it waits."""

    proposal: Proposal
    decision: str
    evidence: str
    changes: tuple[Change, ...]


def unknown_outcomes(request: HttpRequest) -> TemplateResponse:
    """List what nobody knows, the oldest first; ``?provider=stripe``, ``?after=att_…``.

    Raises:
        PermissionDenied: the person may not look at payments.
    """
    shell.require(request, VIEW)
    now = clock.now()
    everything = reading.ambiguous(now=now)
    provider = request.GET.get("provider", "")
    found = everything.filter(provider=provider) if provider else everything
    rows = list(_behind(found, request.GET.get("after", ""))[: PER_PAGE + 1])
    context = {
        "rows": [_row(row) for row in reading.judged(rows[:PER_PAGE], now=now)],
        "more": rows[PER_PAGE - 1].public_id if len(rows) > PER_PAGE else "",
        "exposures": reading.exposures(found),
        "providers": everything.order_by("provider").values_list("provider", flat=True).distinct(),
        "provider": provider,
    }
    return shell.page(request, "console/unknown_outcomes/list.html", title="Unknown outcomes", context=context)


def unknown_outcome(request: HttpRequest, attempt_id: str) -> TemplateResponse:
    """Show one attempt: whether it is safe to retry, what was asked and answered, and what people propose.

    Raises:
        PermissionDenied: the person may not look at payments.
        Http404: there is no such attempt.
    """
    return _shown(request, attempt_id)


def do(request: HttpRequest, attempt_id: str, deed: str) -> HttpResponse:
    """Do what a form on the page asks for, once: ``ask``, ``propose``, ``approve``, ``return`` or ``withdraw``.

    Raises:
        PermissionDenied: the person may not do it.
        Http404: there is no such attempt, or no such deed.
    """
    shell.require_post(request)
    shell.require(request, VIEW)
    attempt, (right, work) = _find(attempt_id), _DEEDS.get(deed, ("", None))
    if work is None:
        raise Http404("There is nothing of this name to do.")
    if right:
        shell.require(request, right)
    now = clock.now()
    try:
        result = shell.once(request, action=f"outcome.{deed}", work=lambda: work(request, attempt, now), now=now).result
    except ApplicationError as refusal:
        return _shown(request, attempt_id, refusal=refusal)
    level, text = _told(result)
    messages.add_message(request, level, text)
    return redirect(reverse("admin:unknown_outcome", args=[attempt_id]))


def addresses(site: AdminSite) -> list[URLPattern]:
    """Return the addresses below ``unknown-outcomes/``, for members of staff only."""
    return [
        path("unknown-outcomes/", site.admin_view(unknown_outcomes), name="unknown_outcomes"),
        path("unknown-outcomes/<str:attempt_id>", site.admin_view(unknown_outcome), name="unknown_outcome"),
        path("unknown-outcomes/<str:attempt_id>/<str:deed>", site.admin_view(do), name="unknown_outcome_do"),
    ]


def _shown(request: HttpRequest, attempt_id: str, *, refusal: ApplicationError | None = None) -> TemplateResponse:
    shell.require(request, VIEW)
    attempt = _find(attempt_id)
    [found] = reading.judged([attempt], now=clock.now())
    told = [_tell(proposal, attempt) for proposal in _proposals(attempt)]
    waiting = next((one for one in told if one.proposal.state == ProposalState.PROPOSED), None)
    user = access.person(request).user
    is_own = waiting is not None and user is not None and waiting.proposal.proposed_by_id == user.pk
    is_unknown = attempt.state == AttemptState.UNKNOWN
    context = {
        "row": _row(found),
        "found": found,
        "attempt": attempt,
        "told": told,
        "waiting": waiting,
        "is_own": is_own,
        "may_ask": request.user.has_perm(ASK) and asking.can_ask(attempt),
        "may_propose": is_unknown and waiting is None and request.user.has_perm(OUTCOME.may_propose),
        "may_decide": waiting is not None and not is_own and request.user.has_perm(OUTCOME.may_approve),
        "may_say_no": decisions.may_say_no(found.verdict),
        "right": OUTCOME.may_approve,
        "form": request.POST,
        "amount": request.POST.get("amount") or formats.amount(attempt.amount, attempt.currency),
    }
    title = f"{formats.operation_name(attempt.operation).capitalize()} of {attempt.money} at {attempt.provider}"
    return shell.page(request, "console/unknown_outcomes/outcome.html", title=title, context=context, refusal=refusal)


def _row(found: Ambiguous) -> Row:
    return Row(found, formats.duration(found.age), _STEPS[found.verdict.next_step])


def _tell(proposal: Proposal, attempt: Attempt) -> Told:
    decision = decisions.from_payload(proposal.payload)
    waits = proposal.state == ProposalState.PROPOSED
    changes = facts.changes(proposal.snapshot, facts.plain(reading.decision_facts(attempt))) if waits else ()
    return Told(proposal, decisions.in_words(decision), decision.evidence, changes)


def _proposals(attempt: Attempt) -> list[Proposal]:
    subject = Subject(SUBJECT_TYPE, attempt.public_id)
    return list(papers.proposals().filter(kind=OUTCOME.name, subject_type=subject.type, subject_id=subject.id))


def _ask(request: HttpRequest, attempt: Attempt, now: datetime) -> str:
    asking.ask_now(attempt_id=attempt.pk, by=access.person(request), now=now)
    doorbell.ring()
    return ""


def _propose(request: HttpRequest, attempt: Attempt, now: datetime) -> str:
    proposal = deciding.propose_outcome(
        attempt.pk,
        _decision(request, attempt),
        reason=request.POST.get("reason", ""),
        by=access.person(request),
        now=now,
    )
    return proposal.public_id


def _approve(request: HttpRequest, attempt: Attempt, now: datetime) -> str:
    decided = deciding.approve_outcome(
        proposal_id=_waiting(attempt).pk,
        version=_version(request),
        by=access.person(request),
        note=request.POST.get("reason", "").strip(),
        now=now,
    )
    return decided.proposal.public_id


def _return(request: HttpRequest, attempt: Attempt, now: datetime) -> str:
    return _end(casework.reject, request, attempt, now)


def _withdraw(request: HttpRequest, attempt: Attempt, now: datetime) -> str:
    return _end(casework.withdraw, request, attempt, now)


def _end(step: Callable[..., Proposal], request: HttpRequest, attempt: Attempt, now: datetime) -> str:
    ended = step(
        proposal_id=_waiting(attempt).pk,
        version=_version(request),
        by=access.person(request),
        reason=request.POST.get("reason", ""),
        now=now,
    )
    return ended.public_id


_DEEDS: Final[Mapping[str, tuple[str, Callable[[HttpRequest, Attempt, datetime], str]]]] = {
    "ask": (ASK, _ask),
    "propose": (OUTCOME.may_propose, _propose),
    "approve": (OUTCOME.may_approve, _approve),
    "return": (OUTCOME.may_approve, _return),
    "withdraw": ("", _withdraw),
}


def _decision(request: HttpRequest, attempt: Attempt) -> Decision:
    """Read the decision from the form.

    Raises:
        InvalidInput: something is missing or cannot be read.
    """
    evidence = request.POST.get("evidence", "")
    if request.POST.get("happened") == "no":
        return ItDidNotHappen(evidence=evidence)
    if request.POST.get("happened") != "yes":
        raise InvalidInput("Say whether it happened or not.")
    return ItHappened(
        amount=Money(formats.minor_units(request.POST.get("amount", ""), attempt.currency), attempt.currency),
        provider_reference=request.POST.get("provider_reference", ""),
        occurred_at=_moment(request.POST.get("occurred_at", "")),
        evidence=evidence,
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput("Give when it happened as a moment in UTC, like 2026-11-21T09:30:00.") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _waiting(attempt: Attempt) -> Proposal:
    found = [proposal for proposal in _proposals(attempt) if proposal.state == ProposalState.PROPOSED]
    if not found:
        raise casework.ProposalNotFound("Nothing waits for a decision about this attempt any more.")
    return found[0]


def _told(result: str) -> tuple[int, str]:
    if not result:
        return messages.SUCCESS, "The provider is being asked; its answer stands below in a moment."
    proposal = papers.proposal(result)
    return _TOLD[proposal.state] if proposal is not None else (messages.SUCCESS, "Done.")


def _behind(found: Any, after: str) -> Any:
    if not after:
        return found
    try:
        return reading.after(found, public_id=after)
    except (ids.UnreadableId, NotFound) as error:
        raise Http404(error.detail) from error


def _find(attempt_id: str) -> Attempt:
    try:
        return reading.attempt_of(attempt_id)
    except (ids.UnreadableId, NotFound) as error:
        raise Http404(error.detail) from error


def _version(request: HttpRequest) -> int:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
