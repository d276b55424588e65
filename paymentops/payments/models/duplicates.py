"""Charges that came twice, or look as if: grouped by what they have in common, with what became of each."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Case, Count, F, Q, Value, When
from django.db.models.functions import Greatest

from paymentops.access.models import ApiClient
from paymentops.core import ids
from paymentops.payments.models.payment import Payment
from paymentops.payments.states import PaymentState

# A payment in one of these states takes no money from its payer.
MOVED_NOTHING = (
    PaymentState.FAILED,
    PaymentState.CANCELED,
    PaymentState.EXPIRED,
    PaymentState.VOIDED,
    PaymentState.REVERSED,
)


class DuplicateCause(models.TextChoices):
    """What the members of a group have in common."""

    KEY_REPLAYED = "KEY_REPLAYED", "same key, same request"
    KEY_REUSED = "KEY_REUSED", "same key, another request"
    SUSPECTED = "SUSPECTED", "another key, same reference and amount"
    PROVIDER = "PROVIDER", "one payment, charged twice at the provider"


class DuplicateGroupQuerySet(models.QuerySet["DuplicateGroup"]):
    """Named filters over groups."""

    def open(self) -> Self:
        """Keep those that nobody called no duplicate."""
        return self.filter(dismissed_at=None)

    def with_risk(self) -> Self:
        """Add ``at_risk``: what was taken, or may still be, beyond the one charge that was wanted, in minor units."""
        takes = Q(members__payment__isnull=False, members__is_distinct=False)
        live = Count("members", filter=takes & ~Q(members__payment__state__in=MOVED_NOTHING))
        return self.annotate(
            at_risk=Case(
                When(dismissed_at=None, then=Greatest(live - 1, Value(0)) * F("amount")),
                default=Value(0),
                output_field=models.BigIntegerField(),
            )
        )


class DuplicateGroup(models.Model):
    """Requests or charges that are, or may be, one and the same. ``count`` is how often it was seen in all.

    ``amount`` is that of one charge, in minor units. ``refused`` are those that were turned away. ``fields`` names the
    business fields in which requests under one key differed. A group that somebody called no duplicate opens again when
    it is seen again.
    """

    id = models.UUIDField(primary_key=True)
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="+", db_index=False)
    cause = models.CharField(max_length=12, choices=DuplicateCause.choices)
    fingerprint = models.CharField(max_length=64, unique=True)
    key = models.CharField(max_length=255, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    amount = models.BigIntegerField(default=0)
    count = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    fields = models.JSONField(default=list)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    dismissed_at = models.DateTimeField(null=True, blank=True)
    dismissed_by = models.CharField(max_length=150, blank=True)
    dismissed_reason = models.TextField(blank=True)

    objects = DuplicateGroupQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-id"]
        permissions: ClassVar = [("dismiss_duplicates", "Can say that suspected duplicates are none")]
        indexes: ClassVar = [
            models.Index(fields=["cause", "-id"], name="duplicates_by_cause"),
            models.Index(fields=["client", "-id"], name="duplicates_by_client"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="duplicates_amount_not_negative"),
            models.CheckConstraint(
                condition=Q(dismissed_at=None) | ~Q(dismissed_reason=""), name="duplicates_dismissed_with_reason"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``dup_…``."""
        return ids.public(ids.Prefix.DUPLICATES, self.id)


class DuplicateMember(models.Model):
    """One of a group: a payment, another charge of it at the provider, or a request that was refused.

    ``shown`` are the business values of a refused request, without the payer's instrument; a payment has its own.
    ``is_distinct`` says that the caller named the earlier payment and wanted this one besides.
    """

    id = models.UUIDField(primary_key=True)
    group = models.ForeignKey(DuplicateGroup, on_delete=models.CASCADE, related_name="members")
    payment = models.ForeignKey(Payment, null=True, blank=True, on_delete=models.PROTECT, related_name="duplicates")
    provider_reference = models.CharField(max_length=120, blank=True)
    key = models.CharField(max_length=255, blank=True)
    is_distinct = models.BooleanField(default=False)
    shown = models.JSONField(default=dict)
    seen_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["group", "payment", "provider_reference"],
                name="duplicates_member_once",
                condition=Q(payment__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.provider_reference or str(self.payment_id or self.key)


class DuplicateScan(models.Model):
    """How far payments and uses of keys were looked through for duplicates."""

    name = models.CharField(max_length=20, primary_key=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
