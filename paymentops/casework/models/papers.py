"""Comments and attachments: what people write and lay beside a thing."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from paymentops.access.models import User
from paymentops.casework.models.subject import AboutSubject
from paymentops.core import ids


class Comment(AboutSubject):
    """What somebody wrote. Append-only: an edited comment is a new row that replaces the one before."""

    id = models.UUIDField(primary_key=True)
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    written_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)
    original = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="versions")
    replaces = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="replaced_by")

    class Meta(AboutSubject.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(text=""), name="comment_says_something"),
            models.CheckConstraint(
                condition=Q(version=1, replaces__isnull=True, original__isnull=True)
                | Q(version__gt=1, replaces__isnull=False, original__isnull=False),
                name="comment_version_replaces_one",
            ),
            models.CheckConstraint(
                condition=Q(replaces__isnull=True) | ~Q(replaces=F("id")), name="comment_not_its_own_successor"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["subject_type", "subject_id", "id"], name="comment_by_subject"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``com_…``; that of its first version for every later one."""
        return ids.public(ids.Prefix.COMMENT, self.original_id or self.id)


class Attachment(models.Model):
    """A file somebody uploaded. Its row comes first, its bytes then, and its binding to a thing last.

    What is never bound is discarded: the row stays, the bytes go. ``stored_at``, ``discarded_at`` and ``erased_at`` are
    the only columns that ever change.
    """

    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=150)
    content_type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    stored_as = models.CharField(max_length=200, unique=True)
    uploaded_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()
    stored_at = models.DateTimeField(null=True, blank=True)
    discarded_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(sha256__regex="^[0-9a-f]{64}$"), name="attachment_hash_is_sha256"),
            models.CheckConstraint(condition=Q(size__gt=0), name="attachment_is_not_empty"),
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True) | Q(discarded_at__isnull=False),
                name="attachment_discarded_before_erased",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="attachment_not_erased", condition=Q(erased_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """The id that people and services see, ``fil_…``."""
        return ids.public(ids.Prefix.ATTACHMENT, self.id)


class AttachmentBinding(AboutSubject):
    """A file belongs to a thing, once and for ever. Append-only."""

    attachment = models.OneToOneField(Attachment, on_delete=models.PROTECT, primary_key=True, related_name="binding")
    bound_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    bound_at = models.DateTimeField()

    class Meta(AboutSubject.Meta):
        ordering: ClassVar = ["attachment"]
        indexes: ClassVar = [
            models.Index(fields=["subject_type", "subject_id", "attachment"], name="attachment_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.attachment_id} of {self.subject}"
