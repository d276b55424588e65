"""Balances on two axes, and the trial balance."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection


@dataclass(frozen=True, slots=True)
class Balance:
    """What stands on one account, in minor units, debit positive."""

    code: str
    currency: str
    name: str
    kind: str
    normal_side: str
    posted: int
    pending: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """The posted balances of one currency; ``debits`` and ``credits`` are positive and must be equal."""

    currency: str
    accounts: tuple[Balance, ...]
    debits: int
    credits: int

    @property
    def difference(self) -> int:
        """Debits less credits in minor units: zero, or the books are broken."""
        return self.debits - self.credits


_BALANCES: Final = """
SELECT account.code, account.currency, account.name, account.kind, account.normal_side,
       coalesce(sum(line.amount) FILTER (WHERE move.to_state = 'POSTED'), 0),
       coalesce(sum(CASE WHEN move.to_state = 'PENDING' THEN line.amount
                         WHEN move.from_state = 'PENDING' THEN -line.amount END), 0)
FROM ledger_account account
LEFT JOIN (
    ledger_line line JOIN ledger_entry_transition move
      ON move.entry_id = line.entry_id
     AND (%(effective_at)s::timestamptz IS NULL OR move.effective_at <= %(effective_at)s::timestamptz)
     AND (%(known_at)s::timestamptz IS NULL OR move.recorded_at <= %(known_at)s::timestamptz)
) ON line.account_id = account.id
WHERE (%(codes)s::text[] IS NULL OR account.code = ANY (%(codes)s::text[]))
GROUP BY account.id
ORDER BY account.currency, account.code
"""


def balances(
    *, codes: Iterable[str] | None = None, effective_at: datetime | None = None, known_at: datetime | None = None
) -> list[Balance]:
    """Return the posted and pending balances of accounts, by currency and code.

    Args:
        codes: account codes such as ``1110:sandbox``; ``None`` for every account.
        effective_at: count only what was effective by then.
        known_at: count only what had been recorded by then.
    """
    parameters = {
        "codes": None if codes is None else list(codes),
        "effective_at": effective_at,
        "known_at": known_at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES, parameters)
        return [
            Balance(code, currency, name, kind, side, posted=int(posted), pending=int(pending))
            for code, currency, name, kind, side, posted, pending in cursor.fetchall()
        ]


def trial_balance(*, effective_at: datetime | None = None, known_at: datetime | None = None) -> list[TrialBalance]:
    """Return the posted balances of every account, one trial balance per currency; see ``balances``."""
    by_currency: dict[str, list[Balance]] = {}
    for balance in balances(effective_at=effective_at, known_at=known_at):
        by_currency.setdefault(balance.currency, []).append(balance)
    return [_trial_balance(currency, accounts) for currency, accounts in by_currency.items()]


def _trial_balance(currency: str, accounts: Sequence[Balance]) -> TrialBalance:
    return TrialBalance(
        currency=currency,
        accounts=tuple(accounts),
        debits=sum(account.posted for account in accounts if account.posted > 0),
        credits=-sum(account.posted for account in accounts if account.posted < 0),
    )
