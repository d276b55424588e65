"""Writing beside a thing."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.casework.models import Comment, Subject
from paymentops.casework.operations import rights
from paymentops.core import ids
from paymentops.core.errors import Conflict, InvalidInput, NotFound
from paymentops.events import operations as events

MAY_COMMENT: Final = "casework.add_comment"
LONGEST_COMMENT: Final = 10_000


@transaction.atomic
def comment(*, subject: Subject, text: str, by: Actor, now: datetime) -> Comment:
    """Write beside a thing. Emits ``casework.commented``.

    Raises:
        NotAllowed: it is no person, or the person may not comment.
        InvalidInput: the text is empty, too long or holds U+0000.
    """
    author = rights.require_person(actor=by, permission=MAY_COMMENT)
    made = Comment.objects.create(
        id=ids.new(now),
        subject_type=subject.type,
        subject_id=subject.id,
        author=author,
        text=_text_of(text),
        written_at=now,
    )
    _tell(made, what="commented", by=by, now=now)
    return made


@transaction.atomic
def edit_comment(*, comment_id: UUID, text: str, by: Actor, now: datetime) -> Comment:
    """Write a new version of one's own comment; the versions before stay. Emits ``casework.comment_edited``.

    Args:
        comment_id: the version that the author saw.
        text: the new text.
        by: the author.
        now: when.

    Raises:
        NotFound: there is no such comment.
        NotAllowed: somebody else wrote it.
        Conflict: it was edited meanwhile.
        InvalidInput: see ``comment``.
    """
    author = rights.require_person(actor=by, permission=MAY_COMMENT)
    seen = Comment.objects.filter(pk=comment_id).first()
    if seen is None:
        raise NotFound("There is no comment under this id.")
    if seen.author_id != author.pk:
        raise rights.NotAllowed("Only who wrote a comment can change it; write one of your own.")
    edited = Comment(
        id=ids.new(now),
        subject_type=seen.subject_type,
        subject_id=seen.subject_id,
        author=author,
        text=_text_of(text),
        written_at=now,
        version=seen.version + 1,
        original_id=seen.original_id or seen.pk,
        replaces=seen,
    )
    try:
        with transaction.atomic():
            edited.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("The comment was changed since you read it; read it again.") from error
    _tell(edited, what="comment_edited", by=by, now=now)
    return edited


def _text_of(text: str) -> str:
    cleaned = text.strip()
    if not 1 <= len(cleaned) <= LONGEST_COMMENT or "\0" in cleaned:
        raise InvalidInput(f"Write 1 to {LONGEST_COMMENT} characters.")
    return cleaned


def _tell(made: Comment, *, what: str, by: Actor, now: datetime) -> None:
    access.audit(
        action="comment.write" if made.version == 1 else "comment.edit",
        actor=by,
        object_type=made.subject_type,
        object_id=made.subject_id[:80],
        after={"comment": made.public_id, "version": made.version},
        now=now,
    )
    events.record(
        aggregate_type="comment",
        aggregate_id=made.original_id or made.id,
        sequence=made.version,
        type=f"casework.{what}",
        data={"id": made.public_id, "subject_type": made.subject_type, "subject_id": made.subject_id},
        occurred_at=now,
        now=now,
    )
