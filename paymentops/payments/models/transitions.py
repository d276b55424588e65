"""Every move of every state machine, with its cause. Append-only; a state is the fold of these rows."""

from typing import ClassVar

from django.db import models

from paymentops.payments.models.attempt import Attempt
from paymentops.payments.models.payment import Payment
from paymentops.payments.models.refund import Refund


class Transition(models.Model):
    """One move. ``sequence`` is the version of the thing after it; ``cause`` is unique per thing."""

    id = models.UUIDField(primary_key=True)
    sequence = models.PositiveIntegerField()
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20)
    cause = models.CharField(max_length=160)
    actor = models.CharField(max_length=150)
    reason = models.CharField(max_length=300, blank=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        abstract = True
        ordering: ClassVar = ["sequence", "id"]

    def __str__(self) -> str:
        return f"{self.from_state or '-'} -> {self.to_state}"


class PaymentTransition(Transition):
    """A move of a payment."""

    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="transitions", db_index=False)

    class Meta(Transition.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["payment", "cause"], name="payment_moves_once_per_cause"),
        ]


class AttemptTransition(Transition):
    """A move of an attempt."""

    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="transitions", db_index=False)

    class Meta(Transition.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["attempt", "cause"], name="attempt_moves_once_per_cause"),
        ]


class RefundTransition(Transition):
    """A move of a refund."""

    refund = models.ForeignKey(Refund, on_delete=models.PROTECT, related_name="transitions", db_index=False)

    class Meta(Transition.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["refund", "cause"], name="refund_moves_once_per_cause"),
        ]
