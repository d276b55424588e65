"""Look-up pages of the outbox and the dead letters."""

from typing import ClassVar

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.decorators import action

from paymentops.access import pages
from paymentops.access.admin import LookUpAdmin, ReasonForm, back_to
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError
from paymentops.events import operations
from paymentops.events.models import DeadLetter, OutboxEvent


@admin.register(OutboxEvent)
class OutboxEventAdmin(LookUpAdmin):
    """What happened, newest first, and whether it was told. The search takes one exact id and never scans the table."""

    list_display = ("public_id", "type", "aggregate_type", "sequence", "occurred_at", "delivered_at", "published_at")
    list_filter = ("delivery_pending", "publication_pending")
    ordering = ("-id",)
    search_help_text = "Exact id, evt_… or that of the aggregate"
    search_fields = ("=aggregate_id",)

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002 - the framework's signature
        queryset: QuerySet[Model],
        search_term: str,
    ) -> tuple[QuerySet[Model], bool]:
        """Find by the id typed in."""
        term = search_term.strip()
        if not term:
            return queryset, False
        for prefix in ids.Prefix:
            try:
                value = ids.parse(prefix, term)
            except ids.UnreadableId:
                continue
            name = "pk" if prefix is ids.Prefix.EVENT else "aggregate_id"
            return queryset.filter(**{name: value}), False
        return queryset.none(), False


@admin.register(DeadLetter)
class DeadLetterAdmin(LookUpAdmin):
    """What could not be handled and waits for its owner."""

    list_display = ("source", "reference", "owner", "attempts", "created_at", "resolved_at", "reason")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "source", "owner")
    search_fields = ("=reference",)
    ordering = ("-id",)
    actions_detail: ClassVar = ["replay"]

    def has_replay_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:  # noqa: ARG002
        """Tell whether the person may have dead letters handled again."""
        return request.user.has_perm("events.replay_deadletter")

    @action(
        description="Handle again",
        permissions=["replay"],
        dialog={
            "title": "Handle this dead letter again",
            "description": "Its effect happens at most once. Later events of the same aggregate were handled already.",
            "form_class": ReasonForm,
            "form_submit_text": "Handle again",
        },
    )
    def replay(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """Handle the dead letter shown again."""
        try:
            operations.replay_dead_letter(
                dead_letter_id=DeadLetter.objects.values_list("pk", flat=True).get(pk=object_id),
                actor=pages.person(request),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
            )
        except ApplicationError as refusal:
            messages.error(request, refusal.detail)
        else:
            messages.success(request, "It was handled; the dead letter is closed.")
        return back_to(request, reverse("admin:events_deadletter_change", args=[object_id]))
