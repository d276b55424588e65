"""The books: every account with its balances, one account's statement, one entry. Nothing here can be written."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from django.http import Http404, HttpRequest
from django.template.response import TemplateResponse

from ledger import queries as ledger
from ledger.models import Entry
from ledger.queries import Balance, EntryView, Position, Statement, UnreadablePosition
from paymentops.console import queries
from paymentops.console.pages import shell
from paymentops.core import ids

_LINES_PER_PAGE: Final = 50
_WITH_STORY: Final = ("payment", "capture", "refund")


@dataclass(frozen=True, slots=True)
class Total:
    """Debits and credits of an entry in one currency, both positive, in minor units."""

    currency: str
    debits: int
    credits: int


def accounts(request: HttpRequest) -> TemplateResponse:
    """Show every account with its posted and pending balance, as one trial balance per currency.

    ``?as_of=2026-11-21`` (or a moment) counts only what was effective by then.

    Raises:
        PermissionDenied: the person may not look at accounts.
    """
    shell.require(request, "ledger.view_account")
    typed = request.GET.get("as_of", "").strip()
    moment, unreadable = _as_of(typed)
    trial_balances = ledger.trial_balance(effective_at=moment)
    context = {
        "trial_balances": trial_balances,
        "clients": queries.client_names(balance.code for trial in trial_balances for balance in trial.accounts),
        "as_of": moment,
        "typed": typed,
        "unreadable": unreadable,
    }
    return shell.page(request, "console/accounts.html", title="Accounts", context=context)


def account(request: HttpRequest, code: str) -> TemplateResponse:
    """Show one account: its balance in every currency it has, and the lines of one, newest first.

    Raises:
        PermissionDenied: the person may not look at accounts.
        Http404: there is no such account.
    """
    shell.require(request, "ledger.view_account")
    balances = ledger.balances(codes=[code])
    shown = next((b for b in balances if b.currency == request.GET.get("currency", b.currency)), None)
    if shown is None:
        raise Http404("There is no such account in this currency.")
    return shell.page(
        request,
        "console/account.html",
        title=f"Account {code}",
        context={
            "balance": shown,
            "balances": balances,
            "clients": queries.client_names([code]),
            "page": _statement(request, shown),
        },
    )


def entry(request: HttpRequest, entry_id: str) -> TemplateResponse:
    """Show one entry with its lines, its moves and what it stands for.

    Raises:
        PermissionDenied: the person may not look at entries.
        Http404: there is no such entry.
    """
    shell.require(request, "ledger.view_entry")
    wanted = shell.parse(ids.Prefix.ENTRY, entry_id)
    found = ledger.with_story(Entry.objects.filter(pk=wanted)).first()
    if found is None:
        raise Http404("There is no entry under this id.")
    view = ledger.view(found)
    context = {
        "entry": view,
        "totals": _totals(view),
        "has_story": view.source_type in _WITH_STORY,
        "reversed_by": Entry.objects.filter(reverses=found).first(),
    }
    return shell.page(request, "console/entry.html", title="Ledger entry", context=context)


def _statement(request: HttpRequest, balance: Balance) -> Statement:
    return ledger.statement_newest_first(
        code=balance.code,
        currency=balance.currency,
        before=_position(request.GET.get("before", "")),
        limit=_LINES_PER_PAGE,
    )


def _position(text: str) -> Position | None:
    """Read what the links to older lines carry; anything else begins at the newest line."""
    try:
        return Position.parse(text)
    except UnreadablePosition:
        return None


def _as_of(text: str) -> tuple[datetime | None, bool]:
    """Read a day (to its end, UTC) or a moment; tell whether the text was neither."""
    try:
        if len(text) == len("2026-11-21"):
            return datetime.combine(date.fromisoformat(text), time.max, tzinfo=UTC), False
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None, True
    return (moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment), False


def _totals(view: EntryView) -> list[Total]:
    return [
        Total(
            currency,
            debits=sum(line.amount for line in view.lines if line.currency == currency and line.amount > 0),
            credits=-sum(line.amount for line in view.lines if line.currency == currency and line.amount < 0),
        )
        for currency in sorted({line.currency for line in view.lines})
    ]
