"""The trial balance: what stands on every account at a date, that it adds up to nothing, and how two dates differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpRequest, StreamingHttpResponse
from django.template.response import TemplateResponse

from ledger import exports
from ledger import queries as ledger
from ledger.exports import Taking
from ledger.queries import Balance, Change, TrialBalance
from paymentops.access import pages as access
from paymentops.console import queries
from paymentops.console.pages import shell
from paymentops.console.pages.ledger import moments
from paymentops.core import clock


@dataclass(frozen=True, slots=True)
class Line:
    """An account in the trial balance, and how it changed since the date compared with, if there is one."""

    account: Balance
    change: Change | None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The trial balance of one currency."""

    trial: TrialBalance
    lines: tuple[Line, ...]


def trial_balance(request: HttpRequest) -> TemplateResponse:
    """Show the trial balance per currency.

    ``?as_of=`` and ``?known_at=`` are its two axes, ``?compare=`` an earlier date to set beside it; each a day, to its
    end in UTC, or a moment.

    Raises:
        PermissionDenied: the person may not look at accounts.
    """
    shell.require(request, "ledger.view_account")
    as_of, known_at = moments.end(request, "as_of"), moments.end(request, "known_at")
    compare = moments.end(request, "compare")
    found = ledger.trial_balance(effective_at=as_of.moment, known_at=known_at.moment)
    changes = {}
    if compare.moment:
        before = ledger.trial_balance(effective_at=compare.moment, known_at=known_at.moment)
        changes = {
            (each.currency, each.code): each for each in ledger.compare_trial_balances(first=before, second=found)
        }
    context = {
        "sheets": _sheets(found, changes),
        "trial_balances": found,
        "unbalanced": [trial for trial in found if trial.difference],
        "clients": queries.client_names(balance.code for trial in found for balance in trial.accounts),
        "as_of": as_of,
        "known_at": known_at,
        "compare": compare,
        # The statement in the range begins where the earlier date ends.
        "since": compare.moment + timedelta(microseconds=1) if compare.moment else None,
        "unreadable": [asked.typed for asked in (as_of, known_at, compare) if asked.is_unreadable],
    }
    return shell.page(request, "console/ledger/trial_balance.html", title="Trial balance", context=context)


def trial_balance_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Send the trial balance as CSV; its axes are those of the page.

    Raises:
        PermissionDenied: the person may not look at accounts.
    """
    shell.require(request, "ledger.view_account")
    download = exports.trial_balance(
        taking=Taking(by=access.person(request), now=clock.now()),
        effective_at=moments.end(request, "as_of").moment,
        known_at=moments.end(request, "known_at").moment,
    )
    return shell.file(download)


def _sheets(found: Sequence[TrialBalance], changes: Mapping[tuple[str, str], Change]) -> list[Sheet]:
    return [
        Sheet(
            trial,
            tuple(Line(account, changes.get((account.currency, account.code))) for account in trial.accounts),
        )
        for trial in found
    ]
