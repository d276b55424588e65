"""Notifications from providers, kept raw before anything is made of them."""

from typing import ClassVar

from django.db import models


class InboundNotification(models.Model):
    """One verified notification of a provider. A second delivery of the same ``event_id`` has no second effect."""

    class State(models.TextChoices):
        """What became of it."""

        RECEIVED = "RECEIVED", "received"
        APPLIED = "APPLIED", "applied"
        RECORDED = "RECORDED", "recorded, nothing to change"
        UNMATCHED = "UNMATCHED", "about nothing we know"

    id = models.UUIDField(primary_key=True)
    provider = models.CharField(max_length=40)
    event_id = models.CharField(max_length=120)
    kind = models.CharField(max_length=80)
    body = models.BinaryField()
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

    def __str__(self) -> str:
        return f"{self.provider} {self.event_id}"
