"""The outbox (what happened and must be told), the inbox (what was already handled) and what could not be handled."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from paymentops.core import ids


class OutboxEvent(models.Model):
    """One thing that happened to one aggregate, committed with the change itself.

    ``sequence`` is the aggregate's version after the change. The two ``*_pending`` flags are the queue: delivery to
    in-process subscribers, and publication to Kafka where it is configured.
    """

    id = models.UUIDField(primary_key=True)
    aggregate_type = models.CharField(max_length=20)
    aggregate_id = models.UUIDField()
    sequence = models.PositiveIntegerField()
    type = models.CharField(max_length=60)
    data = models.JSONField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    traceparent = models.CharField(max_length=55, blank=True)
    delivery_pending = models.BooleanField(default=True)
    publication_pending = models.BooleanField(default=False)
    delivered_at = models.DateTimeField(null=True, blank=True)
    published_at = models.DateTimeField(null=True, blank=True)
    delivery_failures = models.PositiveSmallIntegerField(default=0)
    next_delivery_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["aggregate_id", "sequence"], name="outbox_one_event_per_version"),
            models.CheckConstraint(
                condition=Q(delivery_pending=True, delivered_at=None)
                | Q(delivery_pending=False, delivered_at__isnull=False),
                name="outbox_delivered_has_its_moment",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="outbox_to_deliver", condition=Q(delivery_pending=True)),
            models.Index(fields=["id"], name="outbox_to_publish", condition=Q(publication_pending=True)),
            models.Index(
                fields=["next_delivery_at"],
                name="outbox_deferred",
                condition=Q(delivery_pending=True, next_delivery_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} #{self.sequence}"

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``evt_…``."""
        return ids.public(ids.Prefix.EVENT, self.id)


class InboxEntry(models.Model):
    """A consumer has handled an event; committed with the effect, so the effect happens once."""

    id = models.BigAutoField(primary_key=True)
    consumer = models.CharField(max_length=80)
    event_id = models.CharField(max_length=120)
    handled_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "inbox entries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["consumer", "event_id"], name="inbox_handles_once"),
        ]

    def __str__(self) -> str:
        return f"{self.consumer} {self.event_id}"


class DeadLetter(models.Model):
    """Something that could not be handled and now waits for a person.

    ``source`` says where it came from (``subscriber:<name>``, ``webhook:<provider>``); ``reference`` is the id of the
    event or notification there. A dead letter is closed by handling it again with success, or by two people who agree
    that nothing is to be done, never by deleting it. Those with the same trouble share a ``fingerprint``.
    """

    class Resolution(models.TextChoices):
        """How it was closed."""

        REPLAYED = "REPLAYED", "handled again"
        DISCARDED = "DISCARDED", "discarded by two people"

    id = models.UUIDField(primary_key=True)
    source = models.CharField(max_length=80)
    reference = models.CharField(max_length=120)
    reason = models.TextField()
    owner = models.CharField(max_length=150)
    attempts = models.PositiveIntegerField()
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=9, choices=Resolution.choices, blank=True, default="", db_default="")
    fingerprint = models.CharField(max_length=16, blank=True, default="", db_default="")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "reference"], name="dead_letter_once_per_source"),
        ]
        permissions: ClassVar = [
            ("replay_deadletter", "Can have a dead letter handled again"),
            ("discard_deadletter", "Can agree that a dead letter is discarded"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="dead_letter_open", condition=Q(resolved_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.reference}"

    @property
    def public_id(self) -> str:
        """The id that people see, ``dlt_…``."""
        return ids.public(ids.Prefix.DEAD_LETTER, self.id)
