"""Look-up pages of the ledger in the console: accounts and entries, read only."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from ledger.models import Account, Entry, EntryTransition, Line
from paymentops.core import ids
from paymentops.core.money import Money


class ReadOnly:
    """Nobody adds, changes or deletes: the ledger is written by its operations only."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's own names
        """Refuse."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's own names
        """Refuse."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's own names
        """Refuse."""
        return False


class LineInline(ReadOnly, TabularInline):
    """The lines of an entry."""

    model = Line
    fields = ["number", "account", "money", "method"]
    readonly_fields = fields
    ordering = ["number"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Line]:
        """Load the accounts with the lines."""
        lines: QuerySet[Line] = super().get_queryset(request)
        return lines.select_related("account")

    @admin.display(description="amount, debit positive")
    def money(self, line: Line) -> str:
        """Write the amount with the decimals of its currency."""
        return str(Money(line.amount, line.currency))


class TransitionInline(ReadOnly, TabularInline):
    """The moves of an entry."""

    model = EntryTransition
    fields = ["from_state", "to_state", "cause", "effective_at", "occurred_at", "recorded_at", "actor", "trace_id"]
    readonly_fields = fields
    ordering = ["id"]


@admin.register(Account)
class AccountAdmin(ReadOnly, ModelAdmin):
    """Accounts, found by code."""

    list_display = ["code", "currency", "name", "kind", "normal_side", "guarded", "created_at", "closed_at"]
    list_filter = ["kind", "currency", "guarded"]
    search_fields = ["code", "name"]
    ordering = ["code", "currency", "id"]


@admin.register(Entry)
class EntryAdmin(ReadOnly, ModelAdmin):
    """Entries, found by their public id or that of what they stand for."""

    list_display = ["__str__", "state", "source_type", "source_kind", "description", "occurred_at", "recorded_at"]
    list_filter = ["state", "source_type"]
    search_fields = ["description"]
    search_help_text = "ent_… or the id of a payment, capture or refund"
    fields = [
        "id", "state", "source_type", "source_id", "source_kind", "source_sequence", "description", "reverses",
        "line_count", "occurred_at", "recorded_at", "trace_id",
    ]  # fmt: skip
    readonly_fields = fields
    inlines = [LineInline, TransitionInline]
    ordering = ["-id"]
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Entry], search_term: str
    ) -> tuple[QuerySet[Entry], bool]:
        """Find by id where the words are one, by description otherwise."""
        prefix, _, _ = search_term.strip().partition("_")
        if prefix not in ids.Prefix:
            found: tuple[QuerySet[Entry], bool] = super().get_search_results(request, queryset, search_term)
            return found
        try:
            wanted = ids.parse(ids.Prefix(prefix), search_term.strip())
        except ids.UnreadableId:
            return queryset.none(), False
        return (queryset.filter(pk=wanted) if prefix == ids.Prefix.ENTRY else queryset.filter(source_id=wanted)), False
