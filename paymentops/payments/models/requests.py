"""What a service asked for on a payment beside the payment itself: captures and cancellations. Rows never change."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from paymentops.core import ids
from paymentops.idempotency.models import IdempotencyKey
from paymentops.payments.models.payment import Payment


class Capture(models.Model):
    """A request to take part or all of what was authorised. Its state is that of its latest attempt."""

    id = models.UUIDField(primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="captures")
    key = models.OneToOneField(IdempotencyKey, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="capture_amount_positive"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``cap_…``."""
        return ids.public(ids.Prefix.CAPTURE, self.id)


class Cancellation(models.Model):
    """A request to cancel a payment, and how it was taken."""

    class Mode(models.TextChoices):
        """How the request was taken."""

        AT_ONCE = "AT_ONCE", "cancelled at once"
        VOID = "VOID", "the hold is being released"
        WAITING = "WAITING", "noted until the outcome is known"

    id = models.UUIDField(primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="cancellations")
    key = models.OneToOneField(IdempotencyKey, on_delete=models.PROTECT, related_name="+")
    mode = models.CharField(max_length=8, choices=Mode.choices)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``can_…``."""
        return ids.public(ids.Prefix.CANCELLATION, self.id)
