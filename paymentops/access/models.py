"""Who may do what: people, the services that call us, their keys, and the record of what people did."""

import secrets
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from paymentops.core import ids


class Scope(StrEnum):
    """What an API key may be used for."""

    PAYMENTS_READ = "payments:read"
    PAYMENTS_WRITE = "payments:write"
    REFUNDS_WRITE = "refunds:write"
    LEDGER_READ = "ledger:read"
    LEDGER_WRITE = "ledger:write"
    RECONCILIATION_READ = "reconciliation:read"
    RECONCILIATION_WRITE = "reconciliation:write"
    INCIDENTS_READ = "incidents:read"


class User(AbstractUser):
    """A member of staff who signs in to the console."""

    class Meta(AbstractUser.Meta):
        permissions: ClassVar = [("view_pii", "Can see personal data unmasked")]


class Team(models.Model):
    """People who answer for something together. A team that is gone is made inactive; what it did keeps its name."""

    name = models.CharField(max_length=80, unique=True)
    members = models.ManyToManyField(User, blank=True, related_name="teams")
    is_active = models.BooleanField(default=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(name=""), name="team_has_name")]

    def __str__(self) -> str:
        return self.name


class DuplicatePolicy(models.TextChoices):
    """What happens to a payment that looks like an earlier one of the same client under another key."""

    OBSERVE = "observe", "observe: accept and list it"
    FLAG = "flag", "flag: accept, list and warn the caller"
    REFUSE = "refuse", "refuse until the caller names the earlier one"


class ApiClient(models.Model):
    """A service that calls the API. Its idempotency keys and payments are its own.

    ``duplicate_window_seconds`` is how long two payments that look alike are suspected; empty for the setting's.
    """

    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=100, unique=True)
    duplicate_policy = models.CharField(
        max_length=7,
        choices=DuplicatePolicy.choices,
        default=DuplicatePolicy.OBSERVE,
        db_default=DuplicatePolicy.OBSERVE.value,
    )
    duplicate_window_seconds = models.PositiveIntegerField(null=True, blank=True)
    created_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]
        verbose_name = "API client"
        permissions: ClassVar = [("set_duplicate_policy", "Can say what happens to suspected duplicates of a client")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(duplicate_policy__in=DuplicatePolicy.values), name="api_client_known_duplicate_policy"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``cli_…``."""
        return ids.public(ids.Prefix.CLIENT, self.id)


class ApiKey(models.Model):
    """One secret of a client. Only its SHA-256 is kept; the prefix tells keys apart.

    The secret has 256 bits of randomness, so a fast hash is enough: there is nothing to guess from.
    """

    id = models.UUIDField(primary_key=True)
    client = models.ForeignKey(ApiClient, on_delete=models.PROTECT, related_name="keys")
    prefix = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=40, choices=[(scope.value, scope.value) for scope in Scope]))
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["client", "-created_at", "id"]
        verbose_name = "API key"
        permissions: ClassVar = [("revoke_apikey", "Can revoke an API key")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(scopes=[]), name="api_key_has_scopes"),
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="api_key_digest_is_sha256"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}…"

    @staticmethod
    def generate_secret() -> tuple[str, str]:
        """Make a new secret; return its prefix and the whole secret, which is shown once and never stored."""
        prefix = f"po_{secrets.token_hex(5)}"
        return prefix, f"{prefix}_{secrets.token_urlsafe(32)}"

    @staticmethod
    def digest_of(secret: str) -> str:
        """Return the hexadecimal SHA-256 under which a secret is stored."""
        return sha256(secret.encode()).hexdigest()

    def state(self, now: datetime) -> str:
        """Name what the key is at ``now``: ``usable``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "usable"


class ActorKind(models.TextChoices):
    """Who acted."""

    PERSON = "PERSON", "person"
    CLIENT = "CLIENT", "API client"
    COMMAND = "COMMAND", "operator command"
    SYSTEM = "SYSTEM", "system"


class AuditEntry(models.Model):
    """One thing somebody did, written in the transaction that did it. Append-only."""

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    actor_kind = models.CharField(max_length=8, choices=ActorKind.choices)
    actor = models.CharField(max_length=150)
    user = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    on_behalf_of = models.CharField(max_length=150, blank=True)
    action = models.CharField(max_length=80)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=80)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.TextField(blank=True)
    request_id = models.CharField(max_length=80, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "audit entries"
        indexes: ClassVar = [
            models.Index(fields=["object_type", "object_id", "id"], name="audit_by_object"),
            models.Index(fields=["actor", "id"], name="audit_by_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_type} {self.object_id}"
