"""Storing the balances of a month that is closing, as set-based statements, and the text their hash is made of.

The text is UTF-8, one item per line, each line ended by a line feed; amounts are whole minor units, debit positive::

    paymentops ledger period 1
    2026-01|1|4711                                            the month, the number of its closing, the highest id
                                                              of a transition of an entry at that time
    1110:sandbox|EUR|100|0                                    per account: code, currency, posted, pending
    EUR|12|500|500|0|0                                        per currency: accounts, debits, credits, and
                                                              debits and credits of what is pending

Accounts are in the order of code and currency, currencies in their own, compared byte by byte. Anyone can make the
text again from an export of the stored rows; ``ledger.verification.periods`` makes it again from the database.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

# What the lines of transitions taking effect in [since, until) did to each account, on top of an earlier snapshot that
# covers everything before ``since``. An account that holds nothing and did not move since then is left out.
_STORE_BALANCES: Final = """
INSERT INTO ledger_period_balance (snapshot_id, account_id, posted, pending)
SELECT %(snapshot)s::uuid, account_id, sum(posted), sum(pending)
FROM (
    SELECT account_id, posted, pending, false AS moved FROM ledger_period_balance WHERE snapshot_id = %(base)s::uuid
    UNION ALL
    SELECT line.account_id,
           CASE WHEN move.to_state = 'POSTED' THEN line.amount ELSE 0 END,
           CASE WHEN move.to_state = 'PENDING' THEN line.amount
                WHEN move.from_state = 'PENDING' THEN -line.amount ELSE 0 END,
           true
    FROM ledger_entry_transition move JOIN ledger_line line ON line.entry_id = move.entry_id
    WHERE move.effective_at >= coalesce(%(since)s::timestamptz, '-infinity')
      AND move.effective_at < %(until)s::timestamptz
      AND move.to_state <> 'REVERSED'
) change
GROUP BY account_id HAVING sum(posted) <> 0 OR sum(pending) <> 0 OR bool_or(moved)
"""

_STORE_TOTALS: Final = """
INSERT INTO ledger_period_total (snapshot_id, currency, accounts, debits, credits, pending_debits, pending_credits)
SELECT snapshot_id, account.currency, count(*), sum(greatest(posted, 0)), sum(greatest(-posted, 0)),
       sum(greatest(pending, 0)), sum(greatest(-pending, 0))
FROM ledger_period_balance balance JOIN ledger_account account ON account.id = balance.account_id
WHERE snapshot_id = %(snapshot)s::uuid
GROUP BY snapshot_id, account.currency
"""

# The hash of the snapshot called ``snapshot`` (id, number, last_transition) of the month called ``period``.
HASH: Final = r"""sha256(convert_to(
    E'paymentops ledger period 1\n'
    || concat_ws('|', to_char(period.start_date, 'YYYY-MM'), snapshot.number, snapshot.last_transition) || E'\n'
    || coalesce((
        SELECT string_agg(concat_ws('|', account.code, account.currency, balance.posted, balance.pending) || E'\n',
                          '' ORDER BY account.code COLLATE "C", account.currency COLLATE "C")
        FROM ledger_period_balance balance JOIN ledger_account account ON account.id = balance.account_id
        WHERE balance.snapshot_id = snapshot.id), '')
    || coalesce((
        SELECT string_agg(concat_ws('|', currency, accounts, debits, credits, pending_debits, pending_credits) || E'\n',
                          '' ORDER BY currency COLLATE "C")
        FROM ledger_period_total WHERE snapshot_id = snapshot.id), ''),
    'UTF8'))"""

# The last row to be written: nothing can be added to a snapshot that has it.
_STORE_SNAPSHOT: Final = f"""
INSERT INTO ledger_period_snapshot (id, period_id, number, accounts, last_transition, hash, closed_at, closed_by)
SELECT snapshot.id, period.id, snapshot.number,
       (SELECT count(*) FROM ledger_period_balance WHERE snapshot_id = snapshot.id), snapshot.last_transition, {HASH},
       %(closed_at)s::timestamptz, %(closed_by)s::text
FROM ledger_period period, (
    SELECT %(snapshot)s::uuid AS id, %(number)s::int AS number, coalesce(max(id), 0) AS last_transition
    FROM ledger_entry_transition
) snapshot
WHERE period.id = %(period)s
"""  # noqa: S608 - put together from constants


@dataclass(frozen=True, slots=True)
class Closing:
    """What one closing of a month stores.

    Args:
        snapshot: the id it will have.
        period: the month's id.
        number: which closing of the month.
        since: where the snapshot ``base`` ends; ``None`` for the beginning of the books.
        until: the end of the month, exclusive.
        base: the snapshot of the month that was closed before, if there is one.
        closed_at: when.
        closed_by: who.
    """

    snapshot: UUID
    period: UUID
    number: int
    since: datetime | None
    until: datetime
    base: UUID | None
    closed_at: datetime
    closed_by: str


def store(closing: Closing) -> None:
    """Write the balances, the totals and their hash, in the caller's transaction.

    Raises:
        django.db.IntegrityError: the books do not balance in a currency, or the month is not closing.
    """
    parameters = asdict(closing)
    with connection.cursor() as cursor:
        for statement in (_STORE_BALANCES, _STORE_TOTALS, _STORE_SNAPSHOT):
            cursor.execute(statement, parameters)
