"""The doors through which services read the books: accounts, balances at a date, statements, entries, months."""

from typing import Any, ClassVar, Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from ledger import queries
from ledger.api import bodies, documentation
from ledger.api import questions as q
from ledger.api.paging import LONGEST_CODE, ByCode
from ledger.periods import Month
from ledger.queries import finding
from ledger.queries import periods as period_queries
from ledger.queries.finding import AccountsWanted, EntriesWanted
from paymentops.access.models import Scope
from paymentops.core import ids
from paymentops.core.json_view import JsonView, NewestFirst

_PAGE: Final = ("cursor", "limit")


class AccountsView(JsonView):
    """All accounts of the books."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @extend_schema(**documentation.ACCOUNTS)
    def get(self, request: Request) -> Response:
        """List accounts with what stands on them now, by code."""
        wanted = AccountsWanted(**_without_page(q.AccountsQuestion.of(request)))
        pages = ByCode()
        rows = pages.paginate_queryset(finding.accounts(wanted), request, view=self) or []
        standing = finding.balances_of(rows)
        return _page(pages, [bodies.account(row, standing[row.code, row.currency]) for row in rows])


class AccountView(JsonView):
    """One account."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @extend_schema(**documentation.ACCOUNT)
    def get(self, request: Request, code: str, currency: str) -> Response:
        """Show an account and what stands on it now."""
        q.NoQuestion.of(request)
        row = finding.account(**_named(code, currency))
        balance = queries.balance_at(code=row.code, currency=row.currency)
        return Response(bodies.account(row, balance) | {"unsealed_lines": finding.unsealed_lines(row)})


class BalanceView(JsonView):
    """The balance of one account at a date."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @extend_schema(**documentation.BALANCE)
    def get(self, request: Request, code: str, currency: str) -> Response:
        """Show what stood on an account at a date, as known at another."""
        asked = q.BalanceQuestion.of(request)
        moments: dict[str, Any] = {name: asked.get(name) for name in ("effective_at", "known_at")}
        found = queries.balance_at(**_named(code, currency), **moments)
        return Response(bodies.balance(found, **moments))


class StatementView(JsonView):
    """The statement of one account."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @extend_schema(**documentation.STATEMENT)
    def get(self, request: Request, code: str, currency: str) -> Response:
        """List an account's posted lines with the balance after each."""
        asked = q.StatementQuestion.of(request)
        place = queries.Position.parse(asked["cursor"]) if "cursor" in asked else None
        period: dict[str, Any] = {"since": asked.get("since"), "until": asked.get("until"), "limit": asked["limit"]}
        if asked["order"] == q.NEWEST_FIRST:
            found = queries.statement_newest_first(**_named(code, currency), **period, before=place)
        else:
            found = queries.statement(**_named(code, currency), **period, after=place)
        here = request.build_absolute_uri()
        following = replace_query_param(here, "cursor", str(found.more)) if found.more else None
        return Response({**bodies.statement(found), "next": following})


class EntriesView(JsonView):
    """All entries of the books."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @extend_schema(**documentation.ENTRIES)
    def get(self, request: Request) -> Response:
        """List entries, the last recorded first."""
        wanted = EntriesWanted(**_without_page(q.EntriesQuestion.of(request)))
        pages = NewestFirst()
        rows = pages.paginate_queryset(finding.entries(wanted), request, view=self) or []
        return _page(pages, [bodies.entry(row) for row in rows])


class EntryView(JsonView):
    """One entry."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @extend_schema(**documentation.ENTRY)
    def get(self, request: Request, entry_id: str) -> Response:
        """Show an entry with its lines, its moves and their places in the chain."""
        q.NoQuestion.of(request)
        return Response(bodies.entry(finding.entry(ids.parse(ids.Prefix.ENTRY, entry_id))))


class TrialBalanceView(JsonView):
    """The trial balance."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @extend_schema(**documentation.TRIAL_BALANCE)
    def get(self, request: Request) -> Response:
        """Show the posted balances of every account at a date, and what moved since another."""
        asked = q.TrialBalanceQuestion.of(request)
        effective_at, known_at, earlier = (asked.get(name) for name in ("effective_at", "known_at", "compare_to"))
        currency = asked.get("currency")
        found = _of_currency(queries.trial_balance(effective_at=effective_at, known_at=known_at), currency)
        changes = None
        if earlier is not None:
            before = _of_currency(queries.trial_balance(effective_at=earlier, known_at=known_at), currency)
            changes = bodies.changes(queries.compare_trial_balances(first=before, second=found))
        body = {
            "effective_at": bodies.moment(effective_at),
            "known_at": bodies.moment(known_at),
            "compare_to": bodies.moment(earlier),
            "currencies": [bodies.trial_balance(one) for one in found],
            "changes": changes,
        }
        return Response(body)


class PeriodsView(JsonView):
    """The months of the books."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @extend_schema(**documentation.PERIODS)
    def get(self, request: Request) -> Response:
        """List the months to which something happened, newest first."""
        q.NoQuestion.of(request)
        return Response({"results": [bodies.period(found) for found in period_queries.periods()]})


class PeriodView(JsonView):
    """One month of the books."""

    required_scopes: ClassVar = {"GET": Scope.LEDGER_READ}

    @extend_schema(**documentation.PERIOD)
    def get(self, request: Request, month: str) -> Response:
        """Show a month: open, closing or closed, and what its closing stored."""
        q.NoQuestion.of(request)
        return Response(bodies.period(period_queries.period(Month.parse(month))))


def _without_page(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name not in _PAGE}


def _page(pages: ByCode | NewestFirst, results: list[dict[str, Any]]) -> Response:
    return Response({"next": pages.get_next_link(), "previous": pages.get_previous_link(), "results": results})


def _named(code: str, currency: str) -> dict[str, Any]:
    """Return the names of an account as an address says them.

    Raises:
        AccountNotFound: no account can have such names.
    """
    if len(code) > LONGEST_CODE or not code.isprintable() or len(currency) != 3 or not currency.isprintable():
        raise queries.AccountNotFound(f"There is no account {code[:80]!r} in {currency[:3]!r}.")
    return {"code": code, "currency": currency}


def _of_currency(found: list[queries.TrialBalance], currency: str | None) -> list[queries.TrialBalance]:
    return [one for one in found if currency in (None, one.currency)]
