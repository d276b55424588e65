"""Keeping duplicates in groups. Everything here may run twice and beside itself: a member counts once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.casework.operations import rights
from paymentops.core import ids
from paymentops.core.errors import InvalidInput, NotFound
from paymentops.payments import duplicates_sql, likeness
from paymentops.payments.models import DuplicateCause, DuplicateGroup, DuplicateMember, Payment

MAY_DISMISS: Final = "payments.dismiss_duplicates"
# Of requests that were refused, a group keeps so many for people to compare; all are counted.
MOST_REFUSED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A request that was turned away: its key, the earlier payment it looked like, and what it asked for."""

    earlier: UUID
    key: str
    shown: Mapping[str, Any]


@transaction.atomic
def remember_alike(*, later: UUID, earlier: UUID, is_distinct: bool = False, now: datetime) -> None:
    """Keep that two accepted payments look alike; ``is_distinct`` when the caller said that both are wanted."""
    payments = Payment.objects.select_related("key").in_bulk([later, earlier])
    group = _group_of(payments[earlier], now=now)
    before = group.members.filter(payment__isnull=False).count()
    add(group, payments[earlier], now=now)
    add(group, payments[later], is_distinct=is_distinct, now=now)
    new = group.members.filter(payment__isnull=False).count() - before
    if new:
        seen(group, new, at=payments[later].created_at)


@transaction.atomic
def remember_refused(refused: Refused, *, now: datetime) -> None:
    """Keep that a request was turned away because it looked like a payment."""
    earlier = Payment.objects.select_related("key").get(pk=refused.earlier)
    group = _group_of(earlier, now=now)
    if group.count == 0:
        add(group, earlier, now=now)
        seen(group, 1, at=now)
    if group.members.filter(payment=None).count() < MOST_REFUSED:
        DuplicateMember.objects.create(
            id=ids.new(now), group=group, key=refused.key, shown=dict(refused.shown), seen_at=now
        )
    DuplicateGroup.objects.filter(pk=group.pk).update(refused=F("refused") + 1)
    seen(group, 1, at=now)


@transaction.atomic
def dismiss(*, group_id: UUID, reason: str, by: Actor, now: datetime) -> DuplicateGroup:
    """Say that the members of a group are no duplicates; one that was dismissed stays as it is. Locks the group.

    Raises:
        NotFound: there is no such group.
        NotAllowed: the person lacks ``payments.dismiss_duplicates``.
        InvalidInput: no reason is given.
    """
    rights.require(actor=by, permission=MAY_DISMISS)
    if not reason.strip():
        raise InvalidInput("Say why these are no duplicates.")
    group = DuplicateGroup.objects.select_for_update().filter(pk=group_id).first()
    if group is None:
        raise NotFound("There is no such group of duplicates.")
    if group.dismissed_at is not None:
        return group
    group.dismissed_at, group.dismissed_by, group.dismissed_reason = now, by.name, reason.strip()[:2000]
    group.save(update_fields=["dismissed_at", "dismissed_by", "dismissed_reason"])
    access.audit(
        action="duplicates.dismiss",
        actor=by,
        object_type="duplicates",
        object_id=group.public_id,
        before={"dismissed_at": None},
        after={"dismissed_at": now.isoformat()},
        reason=group.dismissed_reason,
        now=now,
    )
    return group


def _group_of(earlier: Payment, *, now: datetime) -> DuplicateGroup:
    """Return the group that a payment belongs to already, locked, or make the one that begins with it."""
    # Two that are found alike at once must not begin two groups.
    duplicates_sql.hold([likeness.lock_number("duplicates", earlier.client_id)])
    found = (
        DuplicateGroup.objects.select_for_update(of=("self",))
        .filter(cause=DuplicateCause.SUSPECTED, members__payment=earlier)
        .first()
    )
    return found or locked(
        earlier,
        cause=DuplicateCause.SUSPECTED,
        fingerprint=likeness.fingerprint(DuplicateCause.SUSPECTED, earlier.pk),
        now=now,
    )


def locked(payment: Payment, *, cause: DuplicateCause, fingerprint: str, now: datetime) -> DuplicateGroup:
    """Return the group of a fingerprint under its lock, making one for a payment's charges where there is none."""
    group, _ = DuplicateGroup.objects.select_for_update().get_or_create(
        fingerprint=fingerprint,
        defaults={
            "id": ids.new(now),
            "client_id": payment.client_id,
            "cause": cause,
            "currency": payment.currency,
            "amount": payment.requested,
            "first_seen_at": payment.created_at,
            "last_seen_at": payment.created_at,
        },
    )
    return group


def add(
    group: DuplicateGroup, payment: Payment, *, reference: str = "", is_distinct: bool = False, now: datetime
) -> bool:
    """Add a member unless it is there; tell whether it is new."""
    _, is_new = DuplicateMember.objects.get_or_create(
        group=group,
        payment=payment,
        provider_reference=reference,
        defaults={
            "id": ids.new(now),
            "key": payment.key.key,
            "is_distinct": is_distinct,
            "seen_at": payment.created_at,
        },
    )
    return is_new


def seen(group: DuplicateGroup, number: int, *, at: datetime) -> None:
    """Count what was seen; a group that was called no duplicate is looked at again."""
    group.count += number
    group.first_seen_at = min(group.first_seen_at, at)
    group.last_seen_at = max(group.last_seen_at, at)
    group.dismissed_at, group.dismissed_by, group.dismissed_reason = None, "", ""
    group.save(
        update_fields=["count", "first_seen_at", "last_seen_at", "dismissed_at", "dismissed_by", "dismissed_reason"]
    )
