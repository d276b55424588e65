"""Reading what came twice, or looks as if."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from paymentops.core.money import Money
from paymentops.payments.models import DuplicateCause, DuplicateGroup, DuplicateMember
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


def group(group_id: UUID) -> DuplicateGroup | None:
    """Return one group with its client and what is at risk."""
    return groups().filter(pk=group_id).select_related("client").first()


def members(of: DuplicateGroup) -> list[DuplicateMember]:
    """Return the first 50 members of a group in the order in which they came, with their payments."""
    return list(of.members.select_related("payment").order_by("seen_at", "id")[:50])


def at_risk_per_currency() -> list[Money]:
    """Return what may have been taken too often, in all open groups that people have not dismissed, per currency."""
    totals: dict[str, int] = {}
    risky = [DuplicateCause.SUSPECTED, DuplicateCause.PROVIDER]
    # ``at_risk`` is added by the query set, where the type checker does not see it.
    risks: Any = groups(only_open=True).filter(cause__in=risky).order_by()
    for currency, at_risk in risks.filter(at_risk__gt=0).values_list("currency", "at_risk"):
        totals[currency] = totals.get(currency, 0) + at_risk
    return [Money(minor, currency) for currency, minor in sorted(totals.items())]
