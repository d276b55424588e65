"""Notifications from providers, kept raw before anything is made of them."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from paymentops.core import ids


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    """Named filters over deliveries."""

    def due(self, now: datetime) -> Self:
        """Keep deliveries that are to be worked on at ``now``."""
        return self.filter(next_try_at__lte=now)


class WebhookDelivery(models.Model):
    """The raw bytes of one authentic request of a provider, committed before anything is read out of them.

    The same bytes again are counted here. ``next_try_at`` is the queue: the moment from which a worker may take the
    delivery on; empty once nothing is left to do, or only a person can do it. ``headers`` are redacted.
    """

    class State(models.TextChoices):
        """How far it is worked off."""

        RECEIVED = "RECEIVED", "received"
        TAKEN_IN = "TAKEN_IN", "taken in"
        UNMATCHED = "UNMATCHED", "about nothing we know yet"
        FAILING = "FAILING", "failing, to be tried again"
        DEAD = "DEAD", "a dead letter"

    id = models.UUIDField(primary_key=True)
    provider = models.CharField(max_length=40)
    digest = models.CharField(max_length=64)
    body = models.BinaryField()
    headers = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED)
    deliveries = models.PositiveIntegerField(default=1)
    tries = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    received_at = models.DateTimeField()
    last_received_at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "webhook deliveries"
        indexes: ClassVar = [
            models.Index(fields=["next_try_at"], name="webhook_due", condition=Q(next_try_at__isnull=False)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "digest"], name="webhook_bytes_kept_once"),
            models.CheckConstraint(
                condition=Q(next_try_at=None) | ~Q(state__in=["TAKEN_IN", "DEAD"]), name="webhook_ended_waits_no_more"
            ),
            models.CheckConstraint(
                condition=~Q(next_try_at=None) | ~Q(state__in=["RECEIVED", "FAILING"]), name="webhook_open_is_queued"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people see, ``whk_…``; dead letters name it."""
        return ids.public(ids.Prefix.WEBHOOK, self.id)


class InboundNotification(models.Model):
    """One verified event of a provider. A second telling of the same ``event_id`` has no second effect.

    The raw bytes are those of its ``delivery``, which is pruned after a while; the row itself is kept for ever, because
    it is what makes the event count once. ``body`` is empty but in rows from before deliveries were kept.
    """

    class State(models.TextChoices):
        """What became of it."""

        RECEIVED = "RECEIVED", "received"
        APPLIED = "APPLIED", "applied"
        RECORDED = "RECORDED", "recorded, nothing to change"
        UNMATCHED = "UNMATCHED", "about nothing we know"

    id = models.UUIDField(primary_key=True)
    delivery = models.ForeignKey(
        WebhookDelivery, null=True, blank=True, on_delete=models.SET_NULL, related_name="notifications"
    )
    provider = models.CharField(max_length=40)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=80)
    provider_reference = models.CharField(max_length=120, blank=True, db_default="", default="")
    body = models.BinaryField(db_default=b"", default=b"")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED)
    deliveries = models.PositiveIntegerField(default=1)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["provider", "event_id"], name="notification_counts_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["provider_reference"],
                name="notification_unmatched",
                condition=Q(state="UNMATCHED") & ~Q(provider_reference=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"
