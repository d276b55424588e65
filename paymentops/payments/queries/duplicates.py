"""Reading what came twice, or looks as if."""

from collections.abc import Sequence
from uuid import UUID

from paymentops.payments.models import DuplicateGroup, DuplicateMember
from paymentops.payments.models.duplicates import DuplicateGroupQuerySet


def groups(*, cause: str = "", only_open: bool = False) -> DuplicateGroupQuerySet:
    """Return groups of likely duplicates with what is at risk, newest first: of one cause, or all."""
    found = DuplicateGroup.objects.open() if only_open else DuplicateGroup.objects.all()
    return (found.filter(cause=cause) if cause else found).with_risk().order_by("-id")


def payments_of_groups(groups: Sequence[DuplicateGroup], *, most: int) -> dict[UUID, list[UUID]]:
    """Return the payments in each group, at most ``most`` of each, in one query."""
    rows = DuplicateMember.objects.filter(group__in=groups, payment__isnull=False).order_by("id")
    found: dict[UUID, list[UUID]] = {}
    for group_id, payment_id in rows.values_list("group_id", "payment_id"):
        payments = found.setdefault(group_id, [])
        if payment_id not in payments and len(payments) < most:
            payments.append(payment_id)
    return found
