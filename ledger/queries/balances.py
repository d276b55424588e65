"""Balances on two axes, and the trial balance.

A balance is the last snapshot before the moment, the movements since, and what is not sealed yet. What was known at an
earlier moment is today's balance less what was recorded since. Accounts whose stored balances drifted are computed from
their lines instead. All accounts come from one statement, hence from one state of the books.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection

from ledger.chart import Side
from ledger.queries import folding
from paymentops.core.errors import NotFound
from paymentops.core.money import Money

# The ends of what a timestamp of PostgreSQL and a datetime both hold: without a moment, everything counts.
_ALWAYS: Final = datetime.max.replace(tzinfo=UTC)


class AccountNotFound(NotFound):
    """There is no account of this code and currency."""

    code = "ledger.account_not_found"


@dataclass(frozen=True, slots=True)
class Balance:
    """What stands on one account, in minor units; ``posted`` and ``pending`` debit positive, the sides unsigned.

    ``drifted_at`` is set while the account's stored balances do not agree with its lines; the amounts here then come
    from the lines and are right.
    """

    code: str
    currency: str
    name: str
    kind: str
    normal_side: str
    posted: int
    pending_debits: int = 0
    pending_credits: int = 0
    drifted_at: datetime | None = None

    @property
    def pending(self) -> int:
        """The sum of pending lines, debit positive."""
        return self.pending_debits - self.pending_credits

    @property
    def available(self) -> int:
        """Posted less the pending lines that would reduce it, debit positive.

        On a debit account pending credits count, on a credit account pending debits; pending lines that would increase
        the balance never do. An account without a normal side has nothing pending against it. Source: the available
        balance of Modern Treasury's ledger accounts.
        """
        if self.normal_side == Side.DEBIT:
            return self.posted - self.pending_credits
        if self.normal_side == Side.CREDIT:
            return self.posted + self.pending_debits
        return self.posted

    @property
    def money(self) -> Money:
        """The posted balance with its currency."""
        return Money(self.posted, self.currency)


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


@dataclass(frozen=True, slots=True)
class Change:
    """An account's posted balance in two trial balances, in minor units, debit positive."""

    code: str
    currency: str
    name: str
    first: int
    second: int

    @property
    def difference(self) -> int:
        """The second less the first."""
        return self.second - self.first


# Of one account: everything folded so far. What takes effect later counts as well.
_ALL_FOLDED: Final = """
SELECT account.posted, account.pending_debits, account.pending_credits
"""

# Of one account, folded and effective by ``until``: the last snapshot and the movements behind it.
_FOLDED_UNTIL: Final = """
SELECT coalesce(base.posted, 0) + coalesce(since.posted, 0) AS posted,
       coalesce(base.pending_debits, 0) + coalesce(since.pending_debits, 0) AS pending_debits,
       coalesce(base.pending_credits, 0) + coalesce(since.pending_credits, 0) AS pending_credits
FROM (SELECT) AS one
LEFT JOIN LATERAL (
    SELECT * FROM ledger_balance_snapshot snapshot
    WHERE snapshot.account_id = account.id AND snapshot.effective_at <= %(until)s
    ORDER BY snapshot.effective_at DESC, snapshot.transition_id DESC, snapshot.number DESC LIMIT 1
) base ON true
CROSS JOIN LATERAL (
    SELECT sum(posted) AS posted, sum(pending_debits) AS pending_debits, sum(pending_credits) AS pending_credits
    FROM ledger_movement movement
    WHERE movement.account_id = account.id AND movement.effective_at <= %(until)s
      AND (movement.effective_at, movement.transition_id, movement.number)
          > (coalesce(base.effective_at, '-infinity'), coalesce(base.transition_id, 0), coalesce(base.number, 0))
) since
"""

# Of one account: what to take from its balance of today at ``until`` (not after ``known_at``) because it was recorded
# later, and what to add because it was recorded by then and takes effect up to ``effective_at``. By ``lateness``,
# because a movement of class n was recorded less than the n-th time after it took effect, so that only the stretch of
# so much time before ``known_at`` can hold one that was not known. See ``ledger_lateness`` in migration 0006.
_LEARNT_LATER: Final = """
SELECT coalesce(sum(sign * posted), 0) AS posted, coalesce(sum(sign * pending_debits), 0) AS pending_debits,
       coalesce(sum(sign * pending_credits), 0) AS pending_credits
FROM (
    SELECT -1 AS sign, movement.posted, movement.pending_debits, movement.pending_credits
    FROM ledger_movement movement
    WHERE movement.account_id = account.id AND movement.lateness = 0 AND movement.recorded_at > %(known_at)s
      AND movement.effective_at > %(known_at)s - interval '1 minute' AND movement.effective_at <= %(until)s
    UNION ALL
    SELECT -1, movement.posted, movement.pending_debits, movement.pending_credits
    FROM (VALUES (1, %(known_at)s - interval '10 minutes'), (2, %(known_at)s - interval '1 hour'),
                 (3, %(known_at)s - interval '6 hours'), (4, %(known_at)s - interval '24 hours'),
                 (5, %(known_at)s - interval '72 hours'), (6, %(known_at)s - interval '240 hours'),
                 (7, %(known_at)s - interval '720 hours'), (8, %(known_at)s - interval '2400 hours'),
                 (9, %(known_at)s - interval '24000 hours'), (10, '-infinity'::timestamptz)) AS class (lateness, since)
    JOIN ledger_movement movement ON movement.account_id = account.id AND movement.lateness = class.lateness
     AND movement.lateness <> 0 AND movement.recorded_at > %(known_at)s
     AND movement.effective_at > class.since AND movement.effective_at <= %(until)s
    UNION ALL
    SELECT 1, movement.posted, movement.pending_debits, movement.pending_credits
    FROM ledger_movement movement
    WHERE movement.account_id = account.id AND movement.lateness = -1 AND movement.recorded_at <= %(known_at)s
      AND movement.effective_at > %(until)s AND movement.effective_at <= %(effective_at)s
) learnt
"""

_NOTHING_LEARNT: Final = "SELECT 0 AS posted, 0 AS pending_debits, 0 AS pending_credits"

_BALANCES: Final = """
WITH tail AS MATERIALIZED (
    SELECT account_id, sum(posted) AS posted, sum(pending_debits) AS pending_debits,
           sum(pending_credits) AS pending_credits
    FROM ({tail}) unsealed
    WHERE effective_at <= %(effective_at)s AND recorded_at <= %(known_at)s
    GROUP BY account_id
), chosen AS MATERIALIZED (
    SELECT account.*, folded.posted, folded.pending_debits, folded.pending_credits, folded.drifted_at,
           folded.account_id IS NOT NULL AND folded.drifted_at IS NULL AS cached
    FROM ledger_account account LEFT JOIN ledger_folded_balance folded ON folded.account_id = account.id
    WHERE {condition}
)
SELECT account.code, account.currency, account.name, account.kind, account.normal_side, total.*, account.drifted_at
FROM chosen account
CROSS JOIN LATERAL (
    SELECT coalesce(sum(posted), 0), coalesce(sum(pending_debits), 0), coalesce(sum(pending_credits), 0)
    FROM (
        SELECT stored.* FROM ({stored}) stored WHERE account.cached
        UNION ALL
        SELECT learnt.* FROM ({learnt}) learnt WHERE account.cached
        UNION ALL
        SELECT posted, pending_debits, pending_credits FROM tail
        WHERE tail.account_id = account.id AND account.drifted_at IS NULL
        UNION ALL
        SELECT posted, pending_debits, pending_credits
        FROM ({lines} WHERE line.account_id = account.id AND account.drifted_at IS NOT NULL) recomputed
        WHERE effective_at <= %(effective_at)s AND recorded_at <= %(known_at)s
    ) part
) total
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
    if codes is None:
        return _read("true", {}, effective_at=effective_at, known_at=known_at)
    return _read(
        "account.code = ANY (%(codes)s::text[])",
        {"codes": list(codes)},
        effective_at=effective_at,
        known_at=known_at,
    )


def balance_at(
    *, code: str, currency: str, effective_at: datetime | None = None, known_at: datetime | None = None
) -> Balance:
    """Return the balance of one account; see ``balances``.

    Raises:
        AccountNotFound: there is no such account.
    """
    found = _read(
        "account.code = %(code)s AND account.currency = %(currency)s",
        {"code": code, "currency": currency},
        effective_at=effective_at,
        known_at=known_at,
    )
    if not found:
        raise AccountNotFound(f"There is no account {code} in {currency}; it is opened by its first entry.")
    return found[0]


def trial_balance(*, effective_at: datetime | None = None, known_at: datetime | None = None) -> list[TrialBalance]:
    """Return the posted balances of every account, one trial balance per currency; see ``balances``."""
    by_currency: dict[str, list[Balance]] = {}
    for balance in balances(effective_at=effective_at, known_at=known_at):
        by_currency.setdefault(balance.currency, []).append(balance)
    return [_trial_balance(currency, accounts) for currency, accounts in by_currency.items()]


def compare_trial_balances(*, first: Sequence[TrialBalance], second: Sequence[TrialBalance]) -> list[Change]:
    """Return every account of two trial balances with both its posted balances, by currency and code.

    An account that one of them does not have stood at zero there.
    """
    before, after = _by_account(first), _by_account(second)
    return [
        Change(
            code=code,
            currency=currency,
            name=(after.get((currency, code)) or before[currency, code]).name,
            first=before[currency, code].posted if (currency, code) in before else 0,
            second=after[currency, code].posted if (currency, code) in after else 0,
        )
        for currency, code in sorted(before.keys() | after.keys())
    ]


def _read(
    condition: str, parameters: dict[str, Any], *, effective_at: datetime | None, known_at: datetime | None
) -> list[Balance]:
    at_any_time = effective_at is None and known_at is None
    statement = _BALANCES.format(
        condition=condition,
        tail=folding.TAIL,
        lines=folding.LINES,
        stored=_ALL_FOLDED if at_any_time else _FOLDED_UNTIL,
        learnt=_NOTHING_LEARNT if known_at is None else _LEARNT_LATER,
    )
    moments = {"effective_at": effective_at or _ALWAYS, "known_at": known_at or _ALWAYS}
    until = min(moments.values())
    with connection.cursor() as cursor:
        cursor.execute(statement, {"low_id": folding.low_id(), "until": until, **moments, **parameters})
        return [_balance(*row) for row in cursor.fetchall()]


def _balance(*row: Any) -> Balance:
    code, currency, name, kind, normal_side, posted, pending_debits, pending_credits, drifted_at = row
    return Balance(
        code=code,
        currency=currency,
        name=name,
        kind=kind,
        normal_side=normal_side,
        posted=int(posted),
        pending_debits=int(pending_debits),
        pending_credits=int(pending_credits),
        drifted_at=drifted_at,
    )


def _by_account(trial: Iterable[TrialBalance]) -> dict[tuple[str, str], Balance]:
    return {(each.currency, balance.code): balance for each in trial for balance in each.accounts}


def _trial_balance(currency: str, accounts: Sequence[Balance]) -> TrialBalance:
    return TrialBalance(
        currency=currency,
        accounts=tuple(accounts),
        debits=sum(account.posted for account in accounts if account.posted > 0),
        credits=-sum(account.posted for account in accounts if account.posted < 0),
    )
