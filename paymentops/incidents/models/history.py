"""What happened to an incident: moves, signals and escalations. All append-only."""

from typing import ClassVar

from django.db import models

from paymentops.incidents.models.incident import Incident
from paymentops.incidents.states import Severity


class IncidentTransition(models.Model):
    """One move. ``sequence`` is the version after it; ``cause`` is unique per incident."""

    id = models.UUIDField(primary_key=True)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="transitions", db_index=False)
    sequence = models.PositiveIntegerField()
    from_state = models.CharField(max_length=12, blank=True)
    to_state = models.CharField(max_length=12)
    cause = models.CharField(max_length=160)
    actor = models.CharField(max_length=150)
    reason = models.TextField(blank=True)
    at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["incident", "sequence"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident", "cause"], name="incident_moves_once_per_cause"),
            models.UniqueConstraint(fields=["incident", "sequence"], name="incident_moves_once_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.from_state or '-'} -> {self.to_state}"


class Signal(models.Model):
    """It fired. ``fingerprint`` is that of the report, which may since have been merged into another incident."""

    id = models.UUIDField(primary_key=True)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="fired", db_index=False)
    fingerprint = models.CharField(max_length=64)
    cause = models.CharField(max_length=160)
    severity = models.CharField(max_length=4, choices=Severity.choices)
    text = models.CharField(max_length=300, blank=True)
    at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["incident", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["fingerprint", "cause"], name="signal_counts_once_per_cause"),
        ]
        indexes: ClassVar = [models.Index(fields=["incident", "-id"], name="signal_by_incident")]

    def __str__(self) -> str:
        return self.cause


class Escalation(models.Model):
    """Nobody answered for it, and somebody was told: first who is on call, then the second, then the manager."""

    id = models.UUIDField(primary_key=True)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="escalated", db_index=False)
    number = models.PositiveIntegerField()
    level = models.CharField(max_length=20)
    reason = models.CharField(max_length=300)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["incident", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident", "number"], name="incident_escalates_once_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.level} {self.number}"
