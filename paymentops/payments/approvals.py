"""When a refund needs a second person: above a limit, or split so that each part stays below. No database, no clock."""

from collections.abc import Mapping

from django.db import models


class Approval(models.TextChoices):
    """Why a refund waits for a person; empty where it needs none."""

    NOT_NEEDED = "", "not needed"
    OVER_LIMIT = "OVER_LIMIT", "the amount is over the limit"
    SPLIT = "SPLIT", "together with earlier refunds it is over the limit"


def limit_of(limits: Mapping[str, int], *, client: str, currency: str) -> int | None:
    """Return the most that is refunded without a second person, in minor units; ``None`` for no limit.

    Args:
        limits: by currency (``EUR``), or by client and currency (``cli_…:EUR``), which counts before it.
        client: the client's public id.
        currency: ISO 4217 code.
    """
    return limits.get(f"{client}:{currency}", limits.get(currency))


def needed(*, amount: int, unseen: int, limit: int | None) -> Approval:
    """Tell whether a refund needs a second person, and why.

    Args:
        amount: of the refund, in minor units.
        unseen: what was refunded of the payment before without a second person, or is on its way.
        limit: see ``limit_of``.
    """
    if limit is None or amount + unseen <= limit:
        return Approval.NOT_NEEDED
    return Approval.OVER_LIMIT if amount > limit else Approval.SPLIT
