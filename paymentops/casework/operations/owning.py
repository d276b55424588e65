"""Who answers for a thing. Every change names the version it was decided on, and leaves a row."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.access.models import Team, User
from paymentops.casework.models import Ownership, OwnershipChange, Subject
from paymentops.casework.operations import rights
from paymentops.casework.operations.proposing import reason_of
from paymentops.core import ids
from paymentops.core.errors import Conflict
from paymentops.events import operations as events

MAY_OWN: Final = "casework.change_ownership"


class OwnerChanged(Conflict):
    """The owner is another than the caller saw, or is not the caller."""

    code = "casework.owner_changed"
    title = "The owner is not who you saw"


@dataclass(frozen=True, slots=True)
class _Owner:
    team: Team | None = None
    owner: User | None = None
    offered_to: User | None = None


@transaction.atomic
def claim(*, subject: Subject, version: int, by: Actor, now: datetime) -> Ownership:
    """Take a thing that nobody owns; one's own stays as it is. Emits ``casework.owner_changed``.

    Args:
        subject: the thing.
        version: that of the ownership as seen, 0 where there was none.
        by: the person.
        now: when.

    Raises:
        NotAllowed: it is no person, or the person may not own.
        OwnerChanged: it changed since, or somebody else owns it.
    """
    person = rights.require_person(actor=by, permission=MAY_OWN)
    current = _seen(subject, version)
    if current is not None and current.owner_id == person.pk:
        return current
    if current is not None and current.owner_id is not None:
        raise OwnerChanged(f"{current.owner} owns this; ask for a hand-over or have it assigned to you.")
    wanted = _Owner(team=current.team if current else None, owner=person)
    return _change(subject, current, wanted, what="claim", by=by, note="", now=now)


@transaction.atomic
def assign(
    *, subject: Subject, version: int, team: Team | None, owner: User | None, by: Actor, note: str = "", now: datetime
) -> Ownership:
    """Give a thing to a team, a person or both, whoever owns it now. Emits ``casework.owner_changed``.

    Raises:
        NotAllowed: the person may not, or who gets it is inactive or may not own.
        OwnerChanged: it changed since ``version``.
    """
    rights.require(actor=by, permission=MAY_OWN)
    if owner is not None:
        _require_able(owner)
    wanted = _Owner(team=team, owner=owner)
    return _change(subject, _seen(subject, version), wanted, what="assign", by=by, note=note, now=now)


@transaction.atomic
def hand_over(*, subject: Subject, version: int, to: User, by: Actor, note: str, now: datetime) -> Ownership:
    """Ask somebody to take over what one owns; one answers for it until they accept. Emits ``casework.owner_changed``.

    Raises:
        NotAllowed: see ``assign``.
        OwnerChanged: it changed since ``version``, or the caller does not own it.
        InvalidInput: there is no note for who takes over.
    """
    person = rights.require_person(actor=by, permission=MAY_OWN)
    _require_able(to)
    current = _own(subject, version, person)
    if to.pk == person.pk:
        raise OwnerChanged("You own this already; hand it over to somebody else.")
    wanted = replace(_of(current), offered_to=to)
    return _change(subject, current, wanted, what="hand-over", by=by, note=reason_of(note), now=now)


@transaction.atomic
def accept(*, subject: Subject, version: int, by: Actor, now: datetime) -> Ownership:
    """Take over what one was offered. Emits ``casework.owner_changed``.

    Raises:
        NotAllowed: the person may not own.
        OwnerChanged: it changed since ``version``, or was offered to somebody else.
    """
    person = rights.require_person(actor=by, permission=MAY_OWN)
    current = _offered(subject, version, person)
    wanted = _Owner(team=current.team, owner=person)
    return _change(subject, current, wanted, what="accept", by=by, note="", now=now)


@transaction.atomic
def decline(*, subject: Subject, version: int, by: Actor, note: str, now: datetime) -> Ownership:
    """Do not take over what one was offered; its owner keeps it. Emits ``casework.owner_changed``.

    Raises:
        NotAllowed, OwnerChanged: see ``accept``.
        InvalidInput: there is no note.
    """
    person = rights.require_person(actor=by, permission=MAY_OWN)
    current = _offered(subject, version, person)
    wanted = replace(_of(current), offered_to=None)
    return _change(subject, current, wanted, what="decline", by=by, note=reason_of(note), now=now)


@transaction.atomic
def release(*, subject: Subject, version: int, by: Actor, note: str, now: datetime) -> Ownership:
    """No longer own a thing; its team keeps it. Emits ``casework.owner_changed``.

    Raises:
        NotAllowed: the person may not own.
        OwnerChanged: it changed since ``version``, or the caller does not own it.
        InvalidInput: there is no note.
    """
    person = rights.require_person(actor=by, permission=MAY_OWN)
    current = _own(subject, version, person)
    return _change(subject, current, _Owner(team=current.team), what="release", by=by, note=reason_of(note), now=now)


def _seen(subject: Subject, version: int) -> Ownership | None:
    """Return the ownership under its lock, if it is the one that was seen."""
    current = (
        Ownership.objects.select_for_update(of=("self",))
        .select_related("team", "owner", "offered_to")
        .filter(subject_type=subject.type, subject_id=subject.id)
        .first()
    )
    if (current.version if current else 0) != version:
        who = current.owner if current else None
        raise OwnerChanged(f"It belongs to {who or 'nobody'} now; read it again. Nothing was changed.")
    return current


def _own(subject: Subject, version: int, person: User) -> Ownership:
    current = _seen(subject, version)
    if current is None or current.owner_id != person.pk:
        raise OwnerChanged("You do not own this.")
    return current


def _offered(subject: Subject, version: int, person: User) -> Ownership:
    current = _seen(subject, version)
    if current is None or current.offered_to_id != person.pk:
        raise OwnerChanged("This was not offered to you, or no longer is.")
    return current


def _of(current: Ownership) -> _Owner:
    return _Owner(current.team, current.owner, current.offered_to)


def _require_able(user: User) -> None:
    stored = User.objects.get(pk=user.pk)
    if not stored.is_active or not stored.has_perm(MAY_OWN):
        raise rights.NotAllowed(f"{stored} cannot own this; choose somebody with the permission {MAY_OWN}.")


def _change(
    subject: Subject, current: Ownership | None, wanted: _Owner, *, what: str, by: Actor, note: str, now: datetime
) -> Ownership:
    before = _named(_of(current)) if current else {}
    changed = current or Ownership(
        id=ids.new(now), subject_type=subject.type, subject_id=subject.id, version=0, changed_at=now
    )
    changed.team, changed.owner, changed.offered_to = wanted.team, wanted.owner, wanted.offered_to
    changed.version += 1
    changed.changed_at = now
    try:
        with transaction.atomic():
            changed.save(force_insert=current is None)
    except IntegrityError as error:
        raise OwnerChanged("Somebody else took this just now; read it again.") from error
    OwnershipChange.objects.create(
        id=ids.new(now),
        ownership=changed,
        version=changed.version,
        what=what,
        team=wanted.team,
        owner=wanted.owner,
        offered_to=wanted.offered_to,
        actor=by.name,
        note=note,
        at=now,
    )
    _tell(changed, what=what, before=before, by=by, note=note, now=now)
    return changed


def _tell(changed: Ownership, *, what: str, before: dict[str, str], by: Actor, note: str, now: datetime) -> None:
    access.audit(
        action=f"owner.{what}",
        actor=by,
        object_type=changed.subject_type,
        object_id=changed.subject_id[:80],
        before=before,
        after=_named(_of(changed)),
        reason=note,
        now=now,
    )
    events.record(
        aggregate_type="ownership",
        aggregate_id=changed.id,
        sequence=changed.version,
        type="casework.owner_changed",
        data={
            "subject_type": changed.subject_type,
            "subject_id": changed.subject_id,
            "what": what,
            "team": changed.team.name if changed.team else "",
            "is_owned": changed.owner_id is not None,
        },
        occurred_at=now,
        now=now,
    )


def _named(owner: _Owner) -> dict[str, str]:
    return {
        "team": owner.team.name if owner.team else "",
        "owner": owner.owner.get_username() if owner.owner else "",
        "offered_to": owner.offered_to.get_username() if owner.offered_to else "",
    }
