"""Look-up pages of casework: proposals and what came of them, and files, which are downloaded and never shown."""

from typing import ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from paymentops.access.admin import LookUpAdmin
from paymentops.casework import queries
from paymentops.casework.models import Attachment, Proposal


@admin.register(Proposal)
class ProposalAdmin(LookUpAdmin):
    """Everything that needed a second person, newest first."""

    list_display = (
        "public_id",
        "kind",
        "subject_type",
        "subject_id",
        "state",
        "proposer",
        "decided_by",
        "proposed_at",
        "decided_at",
    )
    list_select_related = ("decided_by",)
    list_filter = ("state", "kind")
    search_fields = ("=subject_id", "=proposer")
    search_help_text = "Exact id of the subject, or a user name"
    ordering = ("-id",)
    fields = (
        "public_id",
        *list_display[1:],
        "reason",
        "payload",
        "payload_hash",
        "snapshot",
        "snapshot_hash",
        "outcome",
        "version",
    )


@admin.register(Attachment)
class AttachmentAdmin(LookUpAdmin):
    """Files with their hashes."""

    list_display = ("public_id", "name", "content_type", "size", "uploaded_by", "uploaded_at", "download")
    list_select_related = ("uploaded_by",)
    search_fields = ("=sha256", "=name")
    search_help_text = "Exact SHA-256 or name"
    ordering = ("-id",)
    fields: ClassVar = (*list_display, "sha256", "stored_at", "discarded_at", "erased_at")

    def get_urls(self) -> list[URLPattern]:
        """Add the address of the bytes."""
        own = path(
            "<uuid:attachment_id>/content",
            self.admin_site.admin_view(self.content),
            name="casework_attachment_content",
        )
        return [own, *super().get_urls()]

    def content(self, request: HttpRequest, attachment_id: str) -> FileResponse:
        """Send the bytes to be saved; a browser never shows them, whatever they are."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        attachment = Attachment.objects.filter(pk=attachment_id).first()
        if attachment is None:
            raise Http404
        try:
            file = queries.content(attachment)
        except OSError as error:
            raise Http404 from error
        return FileResponse(
            file,
            as_attachment=True,
            filename=attachment.name,
            content_type=attachment.content_type,
            headers={
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Cache-Control": "private, no-store",
            },
        )

    @admin.display(description="content")
    def download(self, attachment: Attachment) -> SafeString | str:
        """Link to the bytes."""
        if attachment.stored_at is None or attachment.discarded_at is not None:
            return "erased"
        url = reverse("admin:casework_attachment_content", args=[attachment.pk])
        return format_html('<a class="po-id" href="{}">Download</a>', url)
