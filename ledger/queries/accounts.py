"""How accounts stand besides their amounts: their last entry, whether they are closed, and what checking them found."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from django.db import connection

from ledger.queries import folding


class CheckState(StrEnum):
    """What is known of an account's stored balance: whether it was compared with the lines, and what came of it."""

    PASSED = "PASSED"
    DRIFTED = "DRIFTED"
    UNCHECKED = "UNCHECKED"
    UNSEALED = "UNSEALED"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands.

    Args:
        closed_at: since when it takes no more entries; None while it is open.
        last_at: when its last entry took effect, of whatever state; None where every entry is still to come.
        checked_at: when its stored balance was last compared with its lines.
        check: what that found; UNSEALED where nothing of the account is stored yet.
    """

    closed_at: datetime | None
    last_at: datetime | None
    checked_at: datetime | None
    check: CheckState


_STANDINGS: Final = f"""
WITH tail AS MATERIALIZED (
    SELECT account_id, max(effective_at) AS at FROM ({folding.TAIL}) unsealed GROUP BY account_id
)
SELECT account.code, account.currency, account.closed_at, greatest(tail.at, stored.at), folded.checked_at,
       folded.drifted_at, folded.account_id IS NOT NULL
FROM ledger_account account
LEFT JOIN ledger_folded_balance folded ON folded.account_id = account.id
LEFT JOIN tail ON tail.account_id = account.id
LEFT JOIN LATERAL (
    SELECT effective_at AS at FROM ledger_movement movement WHERE movement.account_id = account.id
    ORDER BY effective_at DESC, transition_id DESC, number DESC LIMIT 1
) stored ON true
WHERE %(code)s::text IS NULL OR account.code = %(code)s::text
"""  # noqa: S608 - constants only


def standings(*, code: str | None = None) -> dict[tuple[str, str], Standing]:
    """Return how every account stands, or those of one code, by code and currency; in two queries."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS, {"low_id": folding.low_id(), "code": code})
        return {
            (found_code, currency): Standing(closed_at, last_at, checked_at, _check(checked_at, drifted_at, stored))
            for found_code, currency, closed_at, last_at, checked_at, drifted_at, stored in cursor.fetchall()
        }


def _check(checked_at: datetime | None, drifted_at: datetime | None, stored: bool) -> CheckState:
    if drifted_at is not None:
        return CheckState.DRIFTED
    if not stored:
        return CheckState.UNSEALED
    return CheckState.UNCHECKED if checked_at is None else CheckState.PASSED
