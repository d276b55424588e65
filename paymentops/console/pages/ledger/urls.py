"""The addresses of the ledger's pages; they contain account codes, months and public ids, and never change."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path

from paymentops.console.pages.ledger import accounts, entries, trial_balance

_ADDRESSES: Final[tuple[tuple[str, Callable[..., Any], str], ...]] = (
    ("accounts/", accounts.accounts, "accounts"),
    ("accounts/<str:code>", accounts.account, "account"),
    ("accounts/<str:code>/statement.csv", accounts.statement_csv, "statement_csv"),
    ("entries/<str:entry_id>", entries.entry, "entry"),
    ("trial-balance", trial_balance.trial_balance, "trial_balance"),
    ("trial-balance.csv", trial_balance.trial_balance_csv, "trial_balance_csv"),
)


def addresses(site: AdminSite) -> list[URLPattern]:
    """Return the addresses below ``ledger/``, named ``ledger_…``, each for members of staff only."""
    return [path(f"ledger/{route}", site.admin_view(view), name=f"ledger_{name}") for route, view, name in _ADDRESSES]
