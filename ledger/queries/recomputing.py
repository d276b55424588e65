"""Balances computed from the lines and transitions alone: slow, and what every stored balance is compared with."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from ledger.queries.folding import LINES


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The sums of one account in minor units; ``posted`` debit positive."""

    code: str
    currency: str
    posted: int
    pending_debits: int
    pending_credits: int


_RECOMPUTED: Final = f"""
SELECT account.code, account.currency, coalesce(sum(moved.posted), 0), coalesce(sum(moved.pending_debits), 0),
       coalesce(sum(moved.pending_credits), 0)
FROM ledger_account account
LEFT JOIN (
    {LINES}
    WHERE (%(effective_at)s::timestamptz IS NULL OR move.effective_at <= %(effective_at)s::timestamptz)
      AND (%(known_at)s::timestamptz IS NULL OR move.recorded_at <= %(known_at)s::timestamptz)
) moved ON moved.account_id = account.id
WHERE (%(codes)s::text[] IS NULL OR account.code = ANY (%(codes)s::text[]))
GROUP BY account.id ORDER BY account.currency, account.code
"""  # noqa: S608 - constants only


def recomputed_balances(
    *, codes: Iterable[str] | None = None, effective_at: datetime | None = None, known_at: datetime | None = None
) -> list[Recomputed]:
    """Return what ``balances`` must return, read from lines and transitions only."""
    parameters = {
        "codes": None if codes is None else list(codes),
        "effective_at": effective_at,
        "known_at": known_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RECOMPUTED, parameters)
        return [Recomputed(code, currency, *map(int, sums)) for code, currency, *sums in cursor.fetchall()]
