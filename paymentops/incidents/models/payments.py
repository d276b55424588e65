"""The payments an incident touches, and what is at risk on each."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from paymentops.incidents.models.incident import Incident
from paymentops.payments.models import Payment


class IncidentPayment(models.Model):
    """One payment in one incident; ``amount`` is at risk, in minor units, until ``resolved_at``."""

    id = models.UUIDField(primary_key=True)
    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="payments", db_index=False)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=300, blank=True)
    linked_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar = ["incident", "payment"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["incident", "payment"], name="incident_links_a_payment_once"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="incident_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True, resolution="")
                | Q(Q(resolved_at__isnull=False), ~Q(resolution="")),
                name="incident_payment_resolved_with_words",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.payment_id}"
