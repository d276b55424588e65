"""Who answers for a thing: one row per thing, so there is never a second owner, and every change of it."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from paymentops.access.models import Team, User
from paymentops.casework.models.subject import AboutSubject


class Ownership(AboutSubject):
    """Who owns a thing now. ``offered_to`` was asked to take it over; the owner answers for it until then."""

    id = models.UUIDField(primary_key=True)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    offered_to = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    version = models.PositiveIntegerField(default=1)
    changed_at = models.DateTimeField()

    class Meta(AboutSubject.Meta):
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["subject_type", "subject_id"], name="ownership_once_per_subject"),
            models.CheckConstraint(
                condition=Q(offered_to__isnull=True)
                | Q(owner__isnull=False, offered_to__isnull=False) & ~Q(offered_to=F("owner")),
                name="ownership_offered_by_owner_to_another",
            ),
        ]

    def __str__(self) -> str:
        return f"owner of {self.subject}"


class OwnershipChange(models.Model):
    """One change of an owner; ``version`` is that of the ownership after it. Append-only."""

    id = models.UUIDField(primary_key=True)
    ownership = models.ForeignKey(Ownership, on_delete=models.PROTECT, related_name="changes", db_index=False)
    version = models.PositiveIntegerField()
    what = models.CharField(max_length=10)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    offered_to = models.ForeignKey(User, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    actor = models.CharField(max_length=150)
    note = models.TextField(blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["ownership", "version", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ownership", "version"], name="ownership_changes_once_per_version"),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.version}"
