"""Look-up lists of the ledger in the console: accounts and entries, read only. The console's pages show one of each."""

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from ledger.models import Account, Entry
from paymentops.access.admin import LookUpAdmin
from paymentops.core import ids


@admin.register(Account)
class AccountAdmin(LookUpAdmin):
    """Accounts, found by code."""

    list_display = ("shown_code", "currency", "name", "kind", "normal_side", "guarded", "created_at", "closed_at")
    list_display_links = None
    list_filter = ("kind", "guarded")
    search_fields = ("code__startswith", "=currency")
    search_help_text = "Beginning of the code, or a currency"
    ordering = ("code", "currency", "id")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 - the framework's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Lead to the account's statement."""
        if request.method == "POST":
            raise PermissionDenied
        account = self.get_object(request, object_id)
        return redirect(_statement(account) if account else reverse("admin:ledger_account_changelist"))

    @admin.display(description="code")
    def shown_code(self, account: Account) -> SafeString:
        """Link to the account's statement."""
        return format_html('<a class="po-id" href="{}">{}</a>', _statement(account), account.code)


@admin.register(Entry)
class EntryAdmin(LookUpAdmin):
    """Entries, newest first, found by their public id or that of what they stand for."""

    list_display = ("shown_id", "shown_state", "total", "shown_source", "description", "occurred", "recorded")
    list_display_links = None
    sortable_by: ClassVar = ()
    list_fullwidth = True
    list_filter = ("state",)
    search_fields = ("description",)  # what is searched is decided below
    search_help_text = "ent_… or the id of a payment, capture or refund"
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        """Load the lines with the entries."""
        entries: QuerySet[Entry] = super().get_queryset(request)
        return entries.prefetch_related("lines")

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 - the framework's signature
        queryset: QuerySet[Entry],
        search_term: str,
    ) -> tuple[QuerySet[Entry], bool]:
        """Find by the entry's id or by the id of its source; never by scanning the table."""
        term = search_term.strip()
        if not term:
            return queryset, False
        prefix, _, _ = term.partition("_")
        try:
            wanted = ids.parse(ids.Prefix(prefix), term)
        except (ValueError, ids.UnreadableId):
            return queryset.none(), False
        if prefix == ids.Prefix.ENTRY:
            return queryset.filter(pk=wanted), False
        return queryset.filter(source_type__in=["payment", "capture", "refund"], source_id=wanted), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002 - the framework's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Lead to the entry's page."""
        if request.method == "POST":
            raise PermissionDenied
        entry = self.get_object(request, object_id)
        if entry is None:
            return redirect(reverse("admin:ledger_entry_changelist"))
        return redirect(reverse("admin:ledger_entry", args=[str(entry)]))

    @admin.display(description="entry")
    def shown_id(self, entry: Entry) -> SafeString:
        """Link to the entry's page by its shortened id."""
        name = str(entry)
        url = reverse("admin:ledger_entry", args=[name])
        return format_html('<a class="po-id" href="{}" title="{}">{}…{}</a>', url, name, name[:12], name[-6:])

    @admin.display(description="state")
    def shown_state(self, entry: Entry) -> SafeString:
        """Write the state with its sign and colour."""
        return _component("state_of", value=entry.state)

    @admin.display(description="debits")
    def total(self, entry: Entry) -> SafeString:
        """Write the sum of the debits per currency; the credits are the same."""
        sums: dict[str, int] = {}
        for line in entry.lines.all():
            sums[line.currency] = sums.get(line.currency, 0) + max(line.amount, 0)
        amounts = [(_component("money_of", minor=minor, currency=currency),) for currency, minor in sums.items()]
        return format_html_join(", ", "{}", amounts)

    @admin.display(description="stands for")
    def shown_source(self, entry: Entry) -> str:
        """Name what happened to what."""
        return f"{entry.source_type} {entry.source_kind.replace('_', ' ')}"

    @admin.display(description="occurred")
    def occurred(self, entry: Entry) -> SafeString:
        """Write when it happened."""
        return _component("time_of", at=entry.occurred_at)

    @admin.display(description="recorded")
    def recorded(self, entry: Entry) -> SafeString:
        """Write when we knew."""
        return _component("time_of", at=entry.recorded_at)


def _statement(account: Account) -> str:
    return f"{reverse('admin:ledger_account', args=[account.code])}?currency={account.currency}"


def _component(name: str, **values: Any) -> SafeString:
    return render_to_string(f"components/{name}.html", values)
