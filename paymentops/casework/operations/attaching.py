"""Files: kept first, bound to a thing later, and erased when nobody bound them.

The row comes before the bytes and names where they will lie, so a process that dies between the two leaves nothing
that the clean-up cannot find.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core.files import File
from django.core.files.storage import Storage, storages
from django.db import transaction

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework import files, queries
from paymentops.casework.models import Attachment, AttachmentBinding, Subject
from paymentops.casework.operations import rights
from paymentops.core import ids
from paymentops.core.errors import Conflict, NotFound
from paymentops.events import operations as events

MAY_ATTACH: Final = "casework.add_attachment"


class AttachmentNotUsable(Conflict):
    """The file is bound to something else, was discarded, or is somebody else's."""

    code = "casework.attachment_not_usable"
    title = "The file cannot be attached"


def upload(file: "File[bytes]", *, name: str, by: Actor, now: datetime) -> Attachment:
    """Keep a file until it is bound to a thing; without that it is erased after a day. Not inside a transaction.

    Raises:
        NotAllowed: it is no person, or the person may not attach.
        FileNotAccepted: it is empty, too large or of another type.
    """
    person = rights.require_person(actor=by, permission=MAY_ATTACH)
    examined = files.examine(file, name=name, largest=settings.ATTACHMENT_MAX_BYTES)
    attachment = _claim(examined, person=person, by=by, now=now)
    _storage().save(attachment.stored_as, file)
    attachment.stored_at = now
    attachment.save(update_fields=["stored_at"])
    return attachment


@transaction.atomic
def bind(attachment_ids: Sequence[UUID], *, subject: Subject, by: Actor, now: datetime) -> list[Attachment]:
    """Bind files that one uploaded oneself to a thing, for ever. Locks them. Emits ``casework.attached`` for each.

    Raises:
        NotAllowed: it is no person, or the person may not attach.
        NotFound: there is no such file.
        AttachmentNotUsable: see the class; nothing was bound.
    """
    if not attachment_ids:
        return []
    person = rights.require_person(actor=by, permission=MAY_ATTACH)
    found = {row.pk: row for row in Attachment.objects.select_for_update().filter(pk__in=attachment_ids).order_by("id")}
    if missing := [wanted for wanted in attachment_ids if wanted not in found]:
        raise NotFound(f"There is no file {ids.public(ids.Prefix.ATTACHMENT, missing[0])}.")
    bound = set(AttachmentBinding.objects.filter(attachment__in=found).values_list("attachment_id", flat=True))
    for attachment in found.values():
        _require_usable(attachment, person=person, is_bound=attachment.pk in bound)
        _bind(attachment, subject=subject, person=person, by=by, now=now)
    return list(found.values())


def discard_orphans(*, uploaded_before: datetime, now: datetime, limit: int) -> int:
    """Discard files that nobody bound, and erase the bytes of all that are discarded; returns how many were erased.

    May run twice and beside itself: discarding locks the row, erasing what is erased already changes nothing.
    """
    with transaction.atomic():
        orphans = (
            Attachment.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(binding=None, discarded_at=None, uploaded_at__lt=uploaded_before)
            .order_by("id")[:limit]
        )
        # Asked again under the lock: what was bound while the first question was answered stays.
        locked = [orphan.pk for orphan in orphans]
        Attachment.objects.filter(pk__in=locked, binding=None, discarded_at=None).update(discarded_at=now)
    erased = 0
    for attachment in Attachment.objects.filter(discarded_at__isnull=False, erased_at=None).order_by("id")[:limit]:
        _storage().delete(attachment.stored_as)
        erased += Attachment.objects.filter(pk=attachment.pk, erased_at=None).update(erased_at=now)
    return erased


def _storage() -> Storage:
    return storages[queries.STORAGE]


def _claim(examined: files.Examined, *, person: User, by: Actor, now: datetime) -> Attachment:
    attachment_id = ids.new(now)
    with transaction.atomic():
        attachment = Attachment.objects.create(
            id=attachment_id,
            name=examined.name,
            content_type=examined.content_type,
            size=examined.size,
            sha256=examined.sha256,
            stored_as=f"{now:%Y/%m}/{attachment_id.hex}",
            uploaded_by=person,
            uploaded_at=now,
        )
        access.audit(
            action="attachment.upload",
            actor=by,
            object_type="attachment",
            object_id=attachment.public_id,
            after={"name": attachment.name, "size": attachment.size, "sha256": attachment.sha256},
            now=now,
        )
    return attachment


def _require_usable(attachment: Attachment, *, person: User, is_bound: bool) -> None:
    if attachment.uploaded_by_id != person.pk:
        raise AttachmentNotUsable(f"{attachment.name} was uploaded by somebody else; upload your own copy.")
    if attachment.stored_at is None or attachment.discarded_at is not None:
        raise AttachmentNotUsable(f"{attachment.name} is no longer kept; upload it again.")
    if is_bound:
        raise AttachmentNotUsable(f"{attachment.name} belongs to something else already; upload it again.")


def _bind(attachment: Attachment, *, subject: Subject, person: User, by: Actor, now: datetime) -> None:
    AttachmentBinding.objects.create(
        attachment=attachment, subject_type=subject.type, subject_id=subject.id, bound_by=person, bound_at=now
    )
    access.audit(
        action="attachment.bind",
        actor=by,
        object_type="attachment",
        object_id=attachment.public_id,
        after={"subject": str(subject), "sha256": attachment.sha256},
        now=now,
    )
    events.record(
        aggregate_type="attachment",
        aggregate_id=attachment.id,
        sequence=1,
        type="casework.attached",
        data={"id": attachment.public_id, "subject_type": subject.type, "subject_id": subject.id},
        occurred_at=now,
        now=now,
    )
