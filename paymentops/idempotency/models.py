"""Idempotency keys: which client used which key for which operation, for ever."""

from typing import ClassVar

from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThanOrEqual

from paymentops.access.models import ApiClient


class Operation(models.TextChoices):
    """What a key was used for; a key is unique per client and operation."""

    CREATE_PAYMENT = "payments.create", "create a payment"
    CAPTURE = "payments.capture", "capture"
    CANCEL = "payments.cancel", "cancel"
    RESUME = "payments.resume", "resume"
    REFUND = "payments.refund", "refund"
    PROPOSE_JOURNAL = "journals.propose", "propose a journal"


class UseOutcome(models.TextChoices):
    """What became of a later use of a key."""

    REPLAYED = "REPLAYED", "answered with the first result"
    REFUSED = "REFUSED", "refused: another command"


class IdempotencyKey(models.Model):
    """The first accepted use of a key. It commits with what it made, or not at all.

    ``fingerprint`` is the SHA-256 of the canonical command, ``field_digests`` one short digest per business field, so
    that a refusal can name the fields that differ without storing their values twice. ``request_digest`` is the SHA-256
    of the request's raw bytes: a retry that is equal to the byte needs no reading; it is empty for items of a batch.

    The acceptance body is computed from columns of the resource that never change and from ``contract_version``, so
    nothing has to be kept to replay it.
    """

    id = models.UUIDField(primary_key=True)
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="+", db_index=False)
    operation = models.CharField(max_length=20, choices=Operation.choices)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)
    request_digest = models.BinaryField(max_length=32, default=b"")
    fingerprint_version = models.PositiveSmallIntegerField()
    field_digests = models.JSONField()
    contract_version = models.PositiveSmallIntegerField()
    resource_type = models.CharField(max_length=20)
    resource_id = models.UUIDField()
    created_at = models.DateTimeField()
    api_key_prefix = models.CharField(max_length=16)
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["key", "operation", "client"], name="idempotency_key_used_once"),
            # The length stands apart, and its upper end in the column: a counted repetition makes PostgreSQL's regular
            # expression cost more than the rest of the row's insertion.
            models.CheckConstraint(
                condition=models.Q(GreaterThanOrEqual(Length("key"), 16), key__regex=r"^[A-Za-z0-9_:.-]+$"),
                name="idempotency_key_is_well_formed",
            ),
        ]

    def __str__(self) -> str:
        return self.key


class KeyUse(models.Model):
    """A later use of a key: a replay, or another command that was refused. Append-only.

    ``fields`` names the business fields in which a refused command differed; never their values.
    """

    id = models.UUIDField(primary_key=True)
    key = models.ForeignKey(IdempotencyKey, on_delete=models.PROTECT, related_name="uses")
    at = models.DateTimeField()
    outcome = models.CharField(max_length=8, choices=UseOutcome.choices)
    api_key_prefix = models.CharField(max_length=16)
    fields = models.JSONField(default=list, db_default=[])
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.outcome} {self.at:%Y-%m-%d %H:%M:%S}"
