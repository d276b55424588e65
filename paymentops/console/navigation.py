"""The sidebar: what exists, in the groups people think in, and only what the person may open."""

from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the sidebar.

    Args:
        title: what it is called.
        icon: a Material symbol.
        page: the name of its address within the site, or a path outside of it.
        permission: what one needs to open it; empty for everybody on staff.
        query: the query string behind the address.
        below: further beginnings of paths that belong to it.
    """

    title: str
    icon: str
    page: str
    permission: str = ""
    query: str = ""
    below: tuple[str, ...] = ()


_GROUPS: Final = (
    (
        "Work",
        (
            Item("Overview", "dashboard", "index"),
            Item("Payments", "payments", "payments_payment_changelist", "payments.view_payment", below=("payments/",)),
            Item("Disputes", "gavel", "disputes", "payments.view_dispute"),
        ),
    ),
    (
        "Money",
        (
            Item("Refunds to approve", "approval", "refunds_waiting", "payments.view_refund", below=("refunds/",)),
            Item("Accounts", "account_balance", "ledger_accounts", "ledger.view_account", below=("ledger/account",)),
            Item("Trial balance", "balance", "ledger_trial_balance", "ledger.view_account"),
            Item(
                "Entries",
                "receipt_long",
                "ledger_entry_changelist",
                "ledger.view_entry",
                below=("ledger/entry", "ledger/entries"),
            ),
            Item("Journals", "edit_note", "ledger_journals", "ledger.view_entry"),
            Item("Periods", "event_available", "ledger_periods", "ledger.view_period"),
        ),
    ),
    (
        "Reliability",
        (
            Item("Incidents", "siren", "incidents", "incidents.view_incident"),
            Item("Unknown outcomes", "help_center", "unknown_outcomes", "payments.view_payment"),
            Item("Providers", "electrical_services", "providers", "payments.view_breaker", below=("providers/",)),
            Item("Duplicates", "content_copy", "duplicates", "payments.view_payment"),
            Item("Outbox", "outbox", "events_outboxevent_changelist", "events.view_outboxevent"),
            Item("Dead letters", "report", "dead_letters", "events.view_deadletter", below=("events/deadletter",)),
        ),
    ),
    (
        "Platform",
        (
            Item("API clients", "hub", "access_apiclient_changelist", "access.view_apiclient"),
            Item("API keys", "key", "access_apikey_changelist", "access.view_apikey"),
            Item("API documentation", "api", "/api/docs"),
        ),
    ),
    (
        "Admin",
        (
            Item("People", "group", "access_user_changelist", "access.view_user"),
            Item("Roles", "badge", "auth_group_changelist", "auth.view_group"),
            Item("Audit log", "history_edu", "access_auditentry_changelist", "access.view_auditentry"),
        ),
    ),
)


def groups(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar of a person, for Unfold's ``SIDEBAR.navigation``."""
    shown = []
    for title, items in _GROUPS:
        allowed = [item for item in items if not item.permission or request.user.has_perm(item.permission)]
        if allowed:
            shown.append({"title": title, "items": [_line(item, request) for item in allowed]})
    return shown


def environment(request: HttpRequest) -> list[str]:  # noqa: ARG001 - Unfold calls it with the request
    """Return the name of the environment and its colour, for Unfold's ``ENVIRONMENT``."""
    name = settings.ENVIRONMENT
    return [name, {"production": "danger", "staging": "warning"}.get(name, "info")]


def stylesheet(request: HttpRequest) -> str:  # noqa: ARG001 - Unfold calls it with the request
    """Return the address of our own styles, for Unfold's ``STYLES``."""
    return static("console/console.css")


def favicon(request: HttpRequest) -> str:  # noqa: ARG001 - Unfold calls it with the request
    """Return the address of the icon in the browser's tab, for Unfold's ``SITE_FAVICONS``."""
    return static("console/favicon.svg")


def _line(item: Item, request: HttpRequest) -> dict[str, Any]:
    path = item.page if item.page.startswith("/") else reverse(f"admin:{item.page}")
    link = f"{path}?{item.query}" if item.query else path
    return {"title": item.title, "icon": item.icon, "link": link, "active": _is_active(item, path, request)}


def _is_active(item: Item, path: str, request: HttpRequest) -> bool:
    if item.query or item.page == "index":
        return request.get_full_path() == (f"{path}?{item.query}" if item.query else path)
    if any(other.query and other.page == item.page and _is_active(other, path, request) for other in _items()):
        return False
    home = reverse("admin:index")
    return request.path.startswith((path, *(f"{home}{beginning}" for beginning in item.below)))


def _items() -> list[Item]:
    return [item for _, items in _GROUPS for item in items]
