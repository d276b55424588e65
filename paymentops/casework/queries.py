"""Reads of the room ``casework``: what waits for whom, and everything people attached to a thing."""

from dataclasses import dataclass
from datetime import datetime
from typing import IO, Final
from uuid import UUID

from django.core.files.storage import storages
from django.db.models import Prefetch, Q, QuerySet
from django.db.models.functions import Coalesce

from paymentops.access.models import User
from paymentops.casework import kinds
from paymentops.casework.models import (
    Attachment,
    AttachmentBinding,
    Comment,
    Ownership,
    OwnershipChange,
    Proposal,
    ProposalTransition,
    Subject,
)
from paymentops.core import ids

# Where attachments lie, by its name in the setting STORAGES.
STORAGE: Final = "attachments"


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened around a subject.

    Args:
        at: when.
        actor: who, by user name.
        what: ``proposed``, ``approved``, ``comment``, ``attachment``, ``claim``, ``hand-over`` and so on.
        reference: the public id of the proposal, comment or file; empty for a change of owner.
        text: the words that belong to it: reason, comment, file name, who owns it now.
    """

    at: datetime
    actor: str
    what: str
    reference: str
    text: str


def proposals() -> QuerySet[Proposal]:
    """Return every proposal with its people and moves, newest first."""
    moves = Prefetch("transitions", ProposalTransition.objects.order_by("sequence"))
    return Proposal.objects.select_related("proposed_by", "decided_by").prefetch_related(moves).order_by("-id")


def proposal(public_id: str) -> Proposal | None:
    """Return the proposal with this public id, ``prp_…``.

    Raises:
        UnreadableId: the text is not such an id.
    """
    return proposals().filter(pk=ids.parse(ids.Prefix.PROPOSAL, public_id)).first()


def waiting_for(user: User) -> QuerySet[Proposal]:
    """Return what this person may decide on now, oldest first: not their own, and of kinds they may approve."""
    allowed = [kind.name for kind in kinds.registered if user.has_perm(kind.may_approve)]
    found = proposals().filter(state="PROPOSED", kind__in=allowed)
    return found.filter(Q(proposed_by=None) | ~Q(proposed_by=user)).order_by("id")


def open_proposals(subject: Subject) -> QuerySet[Proposal]:
    """Return what waits for a decision about a thing, oldest first."""
    found = proposals().filter(subject_type=subject.type, subject_id=subject.id, state="PROPOSED")
    return found.order_by("id")


def comments(subject: Subject) -> QuerySet[Comment]:
    """Return the present version of every comment about a thing, in the order they were first written."""
    found = Comment.objects.filter(subject_type=subject.type, subject_id=subject.id, replaced_by=None)
    return found.select_related("author").order_by(Coalesce("original_id", "id"))


def attachments(subject: Subject) -> QuerySet[Attachment]:
    """Return the files bound to a thing, oldest first."""
    found = Attachment.objects.filter(binding__subject_type=subject.type, binding__subject_id=subject.id)
    return found.select_related("uploaded_by").order_by("id")


def attachments_by_id(attachment_ids: list[UUID]) -> list[Attachment]:
    """Return files by id, in the order given; those that do not exist are left out."""
    found = Attachment.objects.in_bulk(attachment_ids)
    return [found[wanted] for wanted in attachment_ids if wanted in found]


def content(attachment: Attachment) -> IO[bytes]:
    """Open the bytes of a file that was not discarded; the caller closes it.

    Raises:
        FileNotFoundError: the bytes are not there.
    """
    if attachment.stored_at is None or attachment.discarded_at is not None:
        raise FileNotFoundError(f"{attachment} is no longer kept.")
    return storages[STORAGE].open(attachment.stored_as)


def ownership(subject: Subject) -> Ownership | None:
    """Return who owns a thing, or nothing where nobody ever did; its version is then 0."""
    found = Ownership.objects.filter(subject_type=subject.type, subject_id=subject.id)
    return found.select_related("team", "owner", "offered_to").first()


def history(subject: Subject) -> list[Moment]:
    """Return everything that people did around a thing, oldest first, in four queries."""
    moments = [*_moves(subject), *_comments(subject), *_files(subject), *_owners(subject)]
    return sorted(moments, key=lambda moment: moment.at)


def _moves(subject: Subject) -> list[Moment]:
    found = ProposalTransition.objects.filter(
        proposal__subject_type=subject.type, proposal__subject_id=subject.id
    ).select_related("proposal")
    return [
        Moment(
            move.recorded_at,
            move.actor,
            move.to_state.lower().replace("_", " "),
            move.proposal.public_id,
            move.note or (move.proposal.outcome if move.to_state in ("STALE", "REFUSED", "CARRIED_OUT") else ""),
        )
        for move in found.order_by("recorded_at", "proposal", "sequence")
    ]


def _comments(subject: Subject) -> list[Moment]:
    found = Comment.objects.filter(subject_type=subject.type, subject_id=subject.id).select_related("author")
    return [
        Moment(
            row.written_at,
            row.author.get_username(),
            "comment" if row.version == 1 else "comment edited",
            row.public_id,
            row.text,
        )
        for row in found.order_by("id")
    ]


def _files(subject: Subject) -> list[Moment]:
    found = AttachmentBinding.objects.filter(subject_type=subject.type, subject_id=subject.id)
    return [
        Moment(row.bound_at, row.bound_by.get_username(), "attachment", row.attachment.public_id, row.attachment.name)
        for row in found.select_related("attachment", "bound_by").order_by("attachment")
    ]


def _owners(subject: Subject) -> list[Moment]:
    found = OwnershipChange.objects.filter(
        ownership__subject_type=subject.type, ownership__subject_id=subject.id
    ).select_related("owner", "offered_to", "team")
    return [Moment(row.at, row.actor, row.what, "", _owner_text(row)) for row in found.order_by("version")]


def _owner_text(change: OwnershipChange) -> str:
    parts = [str(part) for part in (change.team, change.owner) if part is not None]
    offered = f", offered to {change.offered_to}" if change.offered_to else ""
    note = f": {change.note}" if change.note else ""
    return f"{' / '.join(parts) or 'nobody'}{offered}{note}"
