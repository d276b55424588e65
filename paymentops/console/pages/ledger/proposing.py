"""Asking for a journal or for a reversal: a form, what it would post, and one proposal however often it is sent."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from ledger import operations as ledger
from ledger import queries as reading
from ledger.journals import TEMPLATES, Journal
from ledger.models import Account, Entry
from ledger.queries import Balance
from ledger.queries import periods as months
from paymentops.access import pages as access
from paymentops.access.models import User
from paymentops.casework import operations as casework
from paymentops.casework import queries as papers
from paymentops.casework.models import Attachment
from paymentops.console.pages import shell
from paymentops.console.pages.ledger import entries
from paymentops.console.pages.ledger.journal_form import ROWS, JournalForm, ReasonForm
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money

MAY_PROPOSE: Final = "ledger.propose_journal"
_MORE_ROWS: Final = 4


@dataclass(frozen=True, slots=True)
class LineShown:
    """A line as ``components/lines.html`` shows it."""

    account: str
    account_name: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Effect:
    """What a journal does to one account, posted and in minor units, debit positive."""

    code: str
    currency: str
    before: int
    after: int


def new_journal(request: HttpRequest) -> HttpResponse:
    """Offer the templates, show the form of one, preview it and propose it. ``?template=bank_charge`` chooses.

    Raises:
        PermissionDenied: the person may not propose journals.
    """
    shell.require(request, MAY_PROPOSE)
    template = TEMPLATES.get(request.GET.get("template", ""))
    if template is None:
        context = {"templates": TEMPLATES.values()}
        return shell.page(request, "console/ledger/journal_new.html", title="Propose a journal", context=context)
    now = clock.now()
    if request.method != "POST":
        return _form_page(request, JournalForm(template, now=now, initial=request.GET.dict()))
    rows = _number(request.POST.get("rows", ""), otherwise=ROWS)
    if request.POST.get("step") == "more":
        unchecked = JournalForm(template, now=now, initial=request.POST.dict(), rows=rows + _MORE_ROWS)
        return _form_page(request, unchecked, kept=_kept(request))
    return _propose(request, JournalForm(template, request.POST, request.FILES, now=now, rows=rows), now=now)


def reverse_entry(request: HttpRequest, entry_id: str) -> HttpResponse:
    """Show what taking an entry back would post, and propose it.

    Raises:
        PermissionDenied: the person may not propose reversals.
        Http404: there is no such entry.
    """
    shell.require(request, MAY_PROPOSE)
    found = entries.find(entry_id)
    now = clock.now()
    if request.method != "POST":
        return _reversal_page(request, found, ReasonForm(now=now))
    form = ReasonForm(request.POST, request.FILES, now=now)
    if not form.is_valid():
        return _reversal_page(request, found, form)

    def work() -> str:
        by = access.person(request)
        asked = ledger.propose_reversal(
            found.pk,
            occurred_at=form.occurred_at(),
            reason=form.cleaned_data["reason"],
            attachment_ids=[file.pk for file in files],
            by=by,
            now=now,
        )
        return str(asked)

    try:
        files = _uploaded(request, form, now=now)
        proposed = shell.once(request, action="ledger.propose_reversal", work=work, now=now)
    except ApplicationError as refusal:
        return _reversal_page(request, found, form, refusal=refusal)
    return _to_proposal(request, proposed.result)


def shown_lines(journal: Journal) -> list[LineShown]:
    """Return the lines of a journal for people."""
    return [
        LineShown(line.account.code, line.account.name, Money(line.amount, line.account.currency))
        for line in journal.lines
    ]


def opposite_lines(found: Entry) -> list[LineShown]:
    """Return the lines that would take an entry back; load it by ``queries.with_story`` first."""
    return [
        LineShown(line.account.code, line.account.name, Money(-line.amount, line.currency))
        for line in found.lines.all()
    ]


def _propose(request: HttpRequest, form: JournalForm, *, now: datetime) -> HttpResponse:
    """Preview a journal that was typed, or propose it where it is what the preview showed."""
    kept = _kept(request)
    if not form.is_valid() or form.journal is None:
        return _form_page(request, form, kept=kept)
    journal = form.journal
    try:
        kept = [*kept, *_uploaded(request, form, now=now)]
        if form.template.needs_attachment and not kept:
            form.add_error("evidence", "This kind of journal needs a file that proves it; attach one.")
            return _form_page(request, form, kept=kept)
        seen = form.digest([file.pk for file in kept])
        if request.POST.get("step") != "propose" or request.POST.get("seen") != seen:
            return _form_page(request, form, kept=kept, seen=seen)
        proposed = shell.once(
            request,
            action="ledger.propose_journal",
            work=lambda: str(
                ledger.propose_journal(
                    journal,
                    reason=form.cleaned_data["reason"],
                    attachment_ids=[file.pk for file in kept],
                    by=access.person(request),
                    now=now,
                )
            ),
            now=now,
        )
    except ApplicationError as refusal:
        return _form_page(request, form, kept=kept, refusal=refusal)
    return _to_proposal(request, proposed.result)


def _to_proposal(request: HttpRequest, public_id: str) -> HttpResponse:
    messages.success(request, "Proposed. It is posted when a second person approves it.")
    return redirect(reverse("admin:ledger_journal", args=[public_id]))


def _form_page(
    request: HttpRequest,
    form: JournalForm,
    *,
    kept: list[Attachment] | None = None,
    seen: str = "",
    refusal: ApplicationError | None = None,
) -> TemplateResponse:
    context: dict[str, Any] = {
        "form": form,
        "template": form.template,
        "kept": kept or [],
        "seen": seen,
        "codes": Account.objects.filter(closed_at=None).order_by("code").values_list("code", flat=True).distinct(),
        "currencies": Account.objects.order_by("currency").values_list("currency", flat=True).distinct(),
    }
    # The token of a form stays the same through previews and corrections: it is one form.
    if token := request.POST.get("form_token", ""):
        context["form_token"] = token
    if seen and form.journal is not None:
        context |= _preview(form.journal)
    return shell.page(
        request, "console/ledger/journal_form.html", title=form.template.title, context=context, refusal=refusal
    )


def _preview(journal: Journal) -> dict[str, Any]:
    """Return what a journal would post, what the balances were after it, and when it would take effect."""
    balances = {(b.code, b.currency): b for b in reading.balances(codes={line.account.code for line in journal.lines})}
    open_from = months.closed_until()
    return {
        "lines": shown_lines(journal),
        "effects": _effects(journal, balances),
        "happened_at": journal.occurred_at,
        "effective_at": max(journal.occurred_at, open_from) if open_from else journal.occurred_at,
    }


def _effects(journal: Journal, balances: dict[tuple[str, str], Balance]) -> list[Effect]:
    moved: dict[tuple[str, str], int] = {}
    for line in journal.lines:
        key = (line.account.code, line.account.currency)
        moved[key] = moved.get(key, 0) + line.amount
    stands = {key: balances[key].posted if key in balances else 0 for key in moved}
    return [Effect(*key, before=stands[key], after=stands[key] + amount) for key, amount in sorted(moved.items())]


def _reversal_page(
    request: HttpRequest, found: Entry, form: ReasonForm, *, refusal: ApplicationError | None = None
) -> TemplateResponse:
    context: dict[str, Any] = {"entry": found, "form": form, "lines": opposite_lines(found)}
    if token := request.POST.get("form_token", ""):
        context["form_token"] = token
    return shell.page(
        request, "console/ledger/reverse.html", title="Propose a reversal", context=context, refusal=refusal
    )


def _uploaded(request: HttpRequest, form: ReasonForm, *, now: datetime) -> list[Attachment]:
    file = form.cleaned_data.get("evidence")
    if not file:
        return []
    return [casework.upload(file, name=file.name, by=access.person(request), now=now)]


def _kept(request: HttpRequest) -> list[Attachment]:
    """Return the files of an earlier preview that are still wanted; others than one's own are not."""
    wanted: list[UUID] = []
    for text in request.POST.getlist("attachment"):
        try:
            wanted.append(ids.parse(ids.Prefix.ATTACHMENT, text))
        except ids.UnreadableId:
            continue
    user = request.user
    return [
        file for file in papers.attachments_by_id(wanted) if isinstance(user, User) and file.uploaded_by_id == user.pk
    ]


def _number(text: str, *, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else otherwise
