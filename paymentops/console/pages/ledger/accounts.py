"""Every account as a tree, and one account's statement: what stood where at a date, and how it came to be."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.template.response import TemplateResponse

from ledger import chart as chart_of_accounts
from ledger import exports
from ledger import queries as ledger
from ledger.chart import Branch, Side
from ledger.exports import Period, Taking
from ledger.queries import Balance, Position, Standing, Statement, UnreadablePosition
from paymentops.access import pages as access
from paymentops.console import queries
from paymentops.console.pages import shell
from paymentops.console.pages.ledger import charts, moments
from paymentops.console.pages.ledger.charts import Chart
from paymentops.console.pages.ledger.moments import Asked
from paymentops.core import clock
from paymentops.core.errors import ApplicationError, InvalidInput

LINES_PER_PAGE: Final = 50
_CHART_DAYS: Final = 30
_MOST_CHART_DAYS: Final = 92


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the tree in one currency: a group with the sums of what stands below it, or an account.

    Args:
        code: the digits of a group, or an account's whole code.
        name: the name in words.
        level: how deep it stands, from 0.
        posted: minor units, debit positive.
        pending: minor units, debit positive.
        account: of an account, its balance.
        standing: of an account, its last entry and its check.
    """

    code: str
    name: str
    level: int
    posted: int
    pending: int
    account: Balance | None = None
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Tree:
    """The accounts of one currency, from assets to expenses."""

    currency: str
    rows: tuple[Row, ...]
    drifted: int


def accounts(request: HttpRequest) -> TemplateResponse:
    """Show every account with its balances, as one tree per currency.

    ``?as_of=2026-11-21`` (or a moment) counts only what was effective by then, ``?known_at=`` only what had been
    recorded by then, ``?currency=EUR`` shows one currency.

    Raises:
        PermissionDenied: the person may not look at accounts.
    """
    shell.require(request, "ledger.view_account")
    as_of, known_at = moments.end(request, "as_of"), moments.end(request, "known_at")
    balances = ledger.balances(effective_at=as_of.moment, known_at=known_at.moment)
    chosen = request.GET.get("currency", "")
    currencies = sorted({balance.currency for balance in balances})
    standings = ledger.standings()
    context = {
        "trees": [
            _tree(currency, [balance for balance in balances if balance.currency == currency], standings)
            for currency in currencies
            if chosen in ("", currency)
        ],
        "currencies": currencies,
        "chosen": chosen,
        "clients": queries.client_names(balance.code for balance in balances),
        "as_of": as_of,
        "known_at": known_at,
        "unreadable": [asked.typed for asked in (as_of, known_at) if asked.is_unreadable],
    }
    return shell.page(request, "console/ledger/accounts.html", title="Accounts", context=context)


def account(request: HttpRequest, code: str) -> TemplateResponse:
    """Show one account in one currency: its balance at a date, its course, and its lines, newest first.

    ``?since=`` and ``?until=`` (days or moments) narrow the statement, ``?known_at=`` the balance.

    Raises:
        PermissionDenied: the person may not look at accounts.
        Http404: there is no such account.
    """
    shell.require(request, "ledger.view_account")
    since, until = moments.start(request, "since"), moments.end(request, "until")
    known_at = moments.end(request, "known_at")
    balances = ledger.balances(codes=[code], effective_at=until.moment, known_at=known_at.moment)
    shown = next((b for b in balances if b.currency == request.GET.get("currency", b.currency)), None)
    if shown is None:
        raise Http404("There is no such account in this currency.")
    refusal = _refusal(since, until)
    first, last = (None, None) if refusal else (since.moment, until.moment)
    context = {
        "balance": shown,
        "balances": balances,
        "standing": ledger.standings(code=code)[shown.code, shown.currency],
        "clients": queries.client_names([code]),
        "page": _statement(request, shown, since=first, until=last),
        "chart": _chart(shown, since=first, until=last or clock.now()),
        "above": _names_above(code),
        "since": since,
        "until": until,
        "known_at": known_at,
        "unreadable": [asked.typed for asked in (since, until, known_at) if asked.is_unreadable],
        "first_page": "before" not in request.GET,
    }
    return shell.page(request, "console/ledger/account.html", title=f"Account {code}", context=context, refusal=refusal)


def statement_csv(request: HttpRequest, code: str) -> StreamingHttpResponse:
    """Send the statement of an account as CSV: ``?currency=``, ``?since=``, ``?until=`` and ``?known_at=``.

    Raises:
        PermissionDenied: the person may not look at accounts.
        Http404: there is no such account, or the period ends before it begins.
    """
    shell.require(request, "ledger.view_account")
    try:
        period = Period(
            since=moments.start(request, "since").moment,
            until=moments.end(request, "until").moment,
            known_at=moments.end(request, "known_at").moment,
        )
        taking = Taking(by=access.person(request), now=clock.now())
        currency = request.GET.get("currency", "")
        return shell.file(exports.statement(taking=taking, code=code, currency=currency, period=period))
    except ApplicationError as refusal:
        raise Http404(refusal.detail) from refusal


def _refusal(since: Asked, until: Asked) -> ApplicationError | None:
    if since.moment and until.moment and until.moment < since.moment:
        return InvalidInput("The period ends before it begins; give the earlier date first. Shown is every line.")
    return None


def _statement(request: HttpRequest, balance: Balance, *, since: datetime | None, until: datetime | None) -> Statement:
    return ledger.statement_newest_first(
        code=balance.code,
        currency=balance.currency,
        since=since,
        until=until,
        before=_position(request.GET.get("before", "")),
        limit=LINES_PER_PAGE,
    )


def _position(text: str) -> Position | None:
    """Read what the links to older lines carry; anything else begins at the newest line."""
    try:
        return Position.parse(text)
    except UnreadablePosition:
        return None


def _chart(balance: Balance, *, since: datetime | None, until: datetime) -> Chart:
    """Draw the end of each day up to a moment: of the days asked for, or of the last month."""
    last = until.date()
    asked = (last - since.date()).days + 1 if since else _CHART_DAYS
    count = max(1, min(asked, _MOST_CHART_DAYS, (last - date(1970, 1, 2)).days))
    days = [last - timedelta(days=count - 1 - number) for number in range(count)]
    ends = [_end_of(day) for day in (days[0] - timedelta(days=1), *days)]
    balances = ledger.posted_at(code=balance.code, currency=balance.currency, moments=ends)
    return charts.chart(days=days, balances=balances, sign=-1 if balance.normal_side == Side.CREDIT else 1)


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time.max, tzinfo=UTC)


def _names_above(code: str) -> list[tuple[str, str]]:
    """Return the groups that an account stands in: ``1 assets``, ``11 receivables``, ``1110 provider receivable``."""
    try:
        above = chart_of_accounts.path(code)[:-1]
        branches, names = chart_of_accounts.tree(), []
    except chart_of_accounts.UnknownAccount:
        return []
    for part in above:
        branch = next(found for found in branches if found.code == part)
        names.append((branch.code, branch.name))
        branches = branch.branches
    return names


def _tree(currency: str, balances: list[Balance], standings: Mapping[tuple[str, str], Standing]) -> Tree:
    by_code = {balance.code: balance for balance in balances}
    known = [code for code in by_code if _is_on_chart(code)]
    rows = [row for branch in chart_of_accounts.tree(known) for row in _rows(branch, by_code, standings, level=0)]
    rows += [_account_row(by_code[code], code, standings, level=0) for code in by_code if code not in known]
    return Tree(currency, tuple(rows), drifted=sum(balance.drifted_at is not None for balance in balances))


def _is_on_chart(code: str) -> bool:
    try:
        chart_of_accounts.find(code)
    except chart_of_accounts.UnknownAccount:
        return False
    return True


def _rows(
    branch: Branch, balances: Mapping[str, Balance], standings: Mapping[tuple[str, str], Standing], *, level: int
) -> Iterator[Row]:
    """Yield a branch and what stands below it, as far as there are accounts."""
    if branch.code in balances:
        yield _account_row(balances[branch.code], branch.name, standings, level=level)
        return
    below = list(_accounts_of(branch, balances))
    if not below:
        return
    yield Row(branch.code, branch.name, level, sum(b.posted for b in below), sum(b.pending for b in below))
    for each in branch.branches:
        yield from _rows(each, balances, standings, level=level + 1)


def _accounts_of(branch: Branch, balances: Mapping[str, Balance]) -> Iterable[Balance]:
    if branch.code in balances:
        yield balances[branch.code]
    for each in branch.branches:
        yield from _accounts_of(each, balances)


def _account_row(balance: Balance, name: str, standings: Mapping[tuple[str, str], Standing], *, level: int) -> Row:
    standing = standings.get((balance.code, balance.currency))
    return Row(balance.code, name, level, balance.posted, balance.pending, balance, standing)
