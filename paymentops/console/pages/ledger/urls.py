"""The addresses of the ledger's pages; they contain account codes, months and public ids, and never change."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path

from paymentops.console.pages.ledger import accounts, entries, journals, periods, proposing, trial_balance

_ADDRESSES: Final[tuple[tuple[str, Callable[..., Any], str], ...]] = (
    ("accounts/", accounts.accounts, "accounts"),
    ("accounts/<str:code>", accounts.account, "account"),
    ("accounts/<str:code>/statement.csv", accounts.statement_csv, "statement_csv"),
    ("entries/<str:entry_id>", entries.entry, "entry"),
    ("entries/<str:entry_id>/reverse", proposing.reverse_entry, "reverse"),
    ("trial-balance", trial_balance.trial_balance, "trial_balance"),
    ("trial-balance.csv", trial_balance.trial_balance_csv, "trial_balance_csv"),
    ("journals/", journals.journals, "journals"),
    ("journals/new", proposing.new_journal, "journal_new"),
    ("journals/<str:proposal_id>", journals.journal, "journal"),
    ("journals/<str:proposal_id>/approve", journals.approve, "journal_approve"),
    ("journals/<str:proposal_id>/return", journals.reject, "journal_return"),
    ("journals/<str:proposal_id>/withdraw", journals.withdraw, "journal_withdraw"),
    ("periods/", periods.periods, "periods"),
    ("periods/<str:month>", periods.period, "period"),
    ("periods/<str:month>/close", periods.close, "period_close"),
    ("periods/<str:month>/reopen", periods.propose_reopening, "period_reopen"),
)


def addresses(site: AdminSite) -> list[URLPattern]:
    """Return the addresses below ``ledger/``, named ``ledger_…``, each for members of staff only."""
    return [path(f"ledger/{route}", site.admin_view(view), name=f"ledger_{name}") for route, view, name in _ADDRESSES]
