"""The months of the books: where they stand, closing one, and asking that one be opened again."""

from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from ledger import queries as ledger
from ledger.models import PeriodState
from ledger.operations import periods as operations
from ledger.periods import Month, UnreadableMonth
from ledger.proposals import REOPENING
from ledger.queries import periods as reading
from ledger.queries.periods import PeriodView
from paymentops.access import pages as access
from paymentops.casework import queries as papers
from paymentops.casework.models import Subject
from paymentops.console.pages import shell
from paymentops.core import clock
from paymentops.core.errors import ApplicationError

_MOST_MONTHS: Final = 60
_PENDING_SHOWN: Final = 20


def periods(request: HttpRequest) -> TemplateResponse:
    """List the months from the first with entries up to now, newest first.

    Raises:
        PermissionDenied: the person may not look at months.
    """
    shell.require(request, "ledger.view_period")
    present = Month.of(clock.now())
    touched = {view.month: view for view in reading.periods()}
    first = min((*touched, reading.month_to_close_before(present) or present, present))
    months = [first]
    while months[-1] < present:
        months.append(months[-1].next)
    shown = [touched.get(month) or _untouched(month) for month in reversed(months)]
    context = {"periods": shown[:_MOST_MONTHS], "hidden": len(shown[_MOST_MONTHS:]), "present": present}
    return shell.page(request, "console/ledger/periods.html", title="Periods", context=context)


def period(request: HttpRequest, month: str) -> TemplateResponse:
    """Show one month: what was stored at its closing, or what closing it would store.

    Raises:
        PermissionDenied: the person may not look at months.
        Http404: this is no month.
    """
    return _shown(request, _month(month))


def close(request: HttpRequest, month: str) -> HttpResponse:
    """Close a month.

    Raises:
        PermissionDenied: the person may not close months.
        Http404: this is no month.
    """
    shell.require_post(request)
    shell.require(request, operations.MAY_CLOSE)
    wanted, now = _month(month), clock.now()
    try:
        # Closing takes two transactions of its own, so the form is counted in one before them.
        if shell.once(request, action="ledger.close_period", work=lambda: str(wanted), now=now).first:
            operations.close(wanted, by=access.person(request), reason=request.POST.get("reason", ""), now=now)
    except ApplicationError as refusal:
        return _shown(request, wanted, refusal=refusal)
    messages.success(request, f"{wanted} is closed; its balances are stored under the hash below.")
    return redirect(reverse("admin:ledger_period", args=[str(wanted)]))


def propose_reopening(request: HttpRequest, month: str) -> HttpResponse:
    """Ask that a closed month be opened again.

    Raises:
        PermissionDenied: the person may not ask for it.
        Http404: this is no month.
    """
    shell.require_post(request)
    shell.require(request, REOPENING.may_propose)
    wanted, now = _month(month), clock.now()

    def work() -> str:
        reason = request.POST.get("reason", "")
        return str(operations.propose_reopening(wanted, reason=reason, by=access.person(request), now=now))

    try:
        proposed = shell.once(request, action="ledger.propose_reopening", work=work, now=now)
    except ApplicationError as refusal:
        return _shown(request, wanted, refusal=refusal)
    messages.success(request, "Proposed. The month is opened again when a second person approves it.")
    return redirect(reverse("admin:ledger_journal", args=[proposed.result]))


def _shown(request: HttpRequest, month: Month, *, refusal: ApplicationError | None = None) -> TemplateResponse:
    shell.require(request, "ledger.view_period")
    view = reading.period(month)
    context = {
        "period": view,
        "month": month,
        "last_day": month.ends_at - timedelta(microseconds=1),
        "waiting": papers.open_proposals(Subject(reading.SUBJECT_TYPE, str(month))).first(),
        "pending": reading.pending_at_end(month, limit=_PENDING_SHOWN),
        "may_close": request.user.has_perm(operations.MAY_CLOSE),
        "may_propose": request.user.has_perm(REOPENING.may_propose),
        **(_closed(view) if view.state == PeriodState.CLOSED else _closable(month)),
    }
    return shell.page(request, "console/ledger/period.html", title=f"Period {month}", context=context, refusal=refusal)


def _closed(view: PeriodView) -> dict[str, Any]:
    return {
        "balances": reading.stored_balances(view.month, closing=view.closing),
        "later": reading.closed_after(view.month),
    }


def _closable(month: Month) -> dict[str, Any]:
    """Return what closing would store, and why it cannot be done now, if it cannot."""
    trials = ledger.trial_balance(effective_at=month.ends_at - timedelta(microseconds=1))
    return {
        "trials": trials,
        "unbalanced": [trial for trial in trials if trial.difference],
        "why_not": _why_not(month),
    }


def _why_not(month: Month) -> str:
    if clock.now() < month.ends_at:
        return f"It lasts until {month.ends_at:%Y-%m-%d %H:%M} UTC."
    if (later := reading.closed_after(month)) is not None:
        return f"The books are closed up to the end of {later}, and this month with them."
    if (earlier := reading.month_to_close_before(month)) is not None:
        return f"{earlier} is open and holds entries; it must be closed first."
    return ""


def _untouched(month: Month) -> PeriodView:
    return PeriodView(month, PeriodState.OPEN, 1, 0, "", None, "", 0, (), ())


def _month(text: str) -> Month:
    try:
        return Month.parse(text)
    except UnreadableMonth as error:
        raise Http404(error.detail) from error
