"""What a payer brought back from a required action, for as long as it is needed and no longer."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q

from paymentops.core import ids
from paymentops.idempotency.models import IdempotencyKey
from paymentops.payments.models.attempt import Attempt
from paymentops.payments.models.payment import Payment


class ResumptionQuerySet(models.QuerySet["Resumption"]):
    """Named filters over resumptions."""

    def waiting(self) -> Self:
        """Keep those that must still be handed in, or whose answer is not known."""
        return self.filter(ended_at__isnull=True)

    def forget(self, *, now: datetime) -> int:
        """End those that wait and erase what the payer brought; return how many there were."""
        return self.waiting().update(details=None, ended_at=now)


class Resumption(models.Model):
    """A request to go on with a payment whose payer has acted, and how it was taken.

    ``details`` may hold tokens of the payer's bank: they are shown nowhere and erased with the answer of the provider
    that settles them, which is what ``ended_at`` says. ``details_digest`` stays, so that the command can be proved.
    ``action`` is what the payer had been asked to do, for the case that they must do it again.
    """

    class Mode(models.TextChoices):
        """How the request was taken."""

        COMPLETION = "COMPLETION", "handed in to the provider"
        INQUIRY = "INQUIRY", "the provider is asked"

    id = models.UUIDField(primary_key=True)
    payment = models.ForeignKey(Payment, on_delete=models.PROTECT, related_name="resumptions")
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="resumptions")
    key = models.OneToOneField(IdempotencyKey, on_delete=models.PROTECT, related_name="+")
    mode = models.CharField(max_length=10, choices=Mode.choices)
    details = models.JSONField(null=True, blank=True)
    details_digest = models.CharField(max_length=64)
    action = models.JSONField()
    hand_ins = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = ResumptionQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["attempt"], name="resumption_one_waits_per_attempt", condition=Q(ended_at__isnull=True)
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, details__isnull=False)
                | Q(ended_at__isnull=False, details__isnull=True),
                name="resumption_details_erased_at_its_end",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``res_…``."""
        return ids.public(ids.Prefix.RESUMPTION, self.id)
