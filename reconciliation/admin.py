"""Look-up lists of reconciliation in the console: sources, files and their runs, read only."""

from django.contrib import admin

from paymentops.access.admin import LookUpAdmin
from reconciliation.models import IngestRun, Source, StatementFile


@admin.register(Source)
class SourceAdmin(LookUpAdmin):
    """Sources, by name."""

    list_display = ("name", "title", "kind", "format", "owner", "settlement_days", "zone", "is_active")
    list_filter = ("kind", "is_active")
    list_select_related = ("owner",)
    search_fields = ("name__startswith", "title__istartswith")
    ordering = ("name",)


@admin.register(StatementFile)
class StatementFileAdmin(LookUpAdmin):
    """Statement files, newest first, found by name or SHA-256."""

    list_display = ("public_id", "source", "name", "size", "version", "received_at", "received_by")
    list_filter = ("source",)
    list_select_related = ("source",)
    search_fields = ("name__startswith", "=sha256")
    search_help_text = "Beginning of the name, or the SHA-256"
    ordering = ("-id",)


@admin.register(IngestRun)
class IngestRunAdmin(LookUpAdmin):
    """Ingest runs, newest first."""

    list_display = ("public_id", "source", "file", "state", "lines", "rejects", "reason", "finished_at")
    list_filter = ("state",)
    list_select_related = ("file__source",)
    ordering = ("-id",)

    @admin.display(description="source")
    def source(self, run: IngestRun) -> str:
        """Name the source."""
        return run.file.source.name
