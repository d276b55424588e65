"""A statement file as it was sent."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from paymentops.core import ids
from reconciliation.models.sources import Source


class StatementFile(models.Model):
    """What a provider or bank sent, byte for byte. Its row comes first, its bytes then.

    ``stored_at`` is empty until the bytes lie in the storage. Once it is read, ``identity`` names the statement it
    gives; a later file of the same identity is its next version and ``supersedes`` it.
    """

    id = models.UUIDField(primary_key=True)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="files", db_index=False)
    sha256 = models.CharField(max_length=64)
    name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    stored_as = models.CharField(max_length=200, unique=True)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=150)
    stored_at = models.DateTimeField(null=True, blank=True)
    identity = models.CharField(max_length=64, blank=True)
    version = models.PositiveIntegerField(default=1)
    supersedes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by"
    )

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source", "sha256"], name="statement_file_once_per_source"),
            models.CheckConstraint(condition=Q(sha256__regex="^[0-9a-f]{64}$"), name="statement_file_hash_is_sha256"),
            models.CheckConstraint(condition=Q(size__gt=0), name="statement_file_is_not_empty"),
            models.CheckConstraint(
                condition=Q(supersedes__isnull=True) | ~Q(supersedes=F("id")), name="statement_file_not_its_own_version"
            ),
            models.CheckConstraint(
                condition=Q(version=1, supersedes__isnull=True) | Q(version__gt=1, supersedes__isnull=False),
                name="statement_file_version_supersedes",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["source", "identity", "version"], name="statement_file_by_identity", condition=~Q(identity="")
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``stf_…``."""
        return ids.public(ids.Prefix.STATEMENT_FILE, self.id)
