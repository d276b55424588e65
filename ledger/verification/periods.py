"""Closed months: what was stored at their closing is what their lines say, and they closed in order.

A month's balances are recomputed from all lines before its end, never from an earlier month's stored balances, in one
pass over the lines however many months are closed.
"""

from collections.abc import Iterator
from typing import Final

from ledger.period_sql import HASH
from ledger.verification.reading import stream
from paymentops.core.verification import Check

# The last snapshot of each month that stands closed.
_CLOSED: Final = """
closed AS MATERIALIZED (
    SELECT period.id, to_char(period.start_date, 'YYYY-MM') AS month, snapshot.id AS snapshot_id,
           snapshot.last_transition,
           (period.start_date + interval '1 month') AT TIME ZONE 'UTC' AS ends_at
    FROM ledger_period period
    LEFT JOIN ledger_period_snapshot snapshot
           ON snapshot.period_id = period.id AND snapshot.number = period.closings
    WHERE period.state = 'CLOSED'
)
"""

# Changes are added up by account and by the first closed month that holds them, then from month to month.
_BALANCES: Final = f"""
WITH {_CLOSED}, bounds AS (SELECT array_agg(ends_at ORDER BY ends_at) AS ends FROM closed), change AS (
    SELECT line.account_id, bounds.ends[width_bucket(move.effective_at, bounds.ends) + 1] AS ends_at,
           coalesce(sum(line.amount) FILTER (WHERE move.to_state = 'POSTED'), 0) AS posted,
           coalesce(sum(CASE WHEN move.to_state = 'PENDING' THEN line.amount
                             WHEN move.from_state = 'PENDING' THEN -line.amount END), 0) AS pending
    FROM ledger_entry_transition move JOIN ledger_line line ON line.entry_id = move.entry_id
    CROSS JOIN bounds
    WHERE move.to_state <> 'REVERSED' AND move.effective_at < bounds.ends[cardinality(bounds.ends)]
    GROUP BY 1, 2
), computed AS (
    SELECT account.account_id, closed.snapshot_id,
           sum(coalesce(change.posted, 0)) OVER running AS posted,
           sum(coalesce(change.pending, 0)) OVER running AS pending
    FROM (SELECT DISTINCT account_id FROM change) account CROSS JOIN closed
    LEFT JOIN change ON change.account_id = account.account_id AND change.ends_at = closed.ends_at
    WINDOW running AS (PARTITION BY account.account_id ORDER BY closed.ends_at)
)
SELECT format('%s: %s %s was closed with %s posted and %s pending, its lines add up to %s and %s', closed.month,
              account.code, account.currency, coalesce(stored.posted, 0), coalesce(stored.pending, 0),
              coalesce(computed.posted, 0), coalesce(computed.pending, 0))
FROM computed
FULL JOIN (SELECT * FROM ledger_period_balance WHERE snapshot_id IN (SELECT snapshot_id FROM closed)) stored
       ON stored.snapshot_id = computed.snapshot_id AND stored.account_id = computed.account_id
JOIN closed ON closed.snapshot_id = coalesce(computed.snapshot_id, stored.snapshot_id)
LEFT JOIN ledger_account account ON account.id = coalesce(computed.account_id, stored.account_id)
WHERE coalesce(stored.posted, 0) <> coalesce(computed.posted, 0)
   OR coalesce(stored.pending, 0) <> coalesce(computed.pending, 0)
ORDER BY closed.ends_at, account.code, account.currency
"""  # noqa: S608 - put together from constants

# Every snapshot, also those of closings that were opened again: its hash, its count and its totals from its rows.
_SNAPSHOTS: Final = f"""
SELECT format('%s: closing %s stored other %s than it was sealed with', to_char(period.start_date, 'YYYY-MM'),
              snapshot.number, CASE WHEN snapshot.hash <> {HASH} THEN 'balances or totals' ELSE 'totals' END)
FROM ledger_period_snapshot snapshot JOIN ledger_period period ON period.id = snapshot.period_id
WHERE snapshot.hash <> {HASH}
   OR snapshot.accounts <> (SELECT count(*) FROM ledger_period_balance WHERE snapshot_id = snapshot.id)
   OR EXISTS (
      SELECT FROM (
          SELECT currency, accounts, debits, credits, pending_debits, pending_credits
          FROM ledger_period_total WHERE snapshot_id = snapshot.id
      ) stored
      FULL JOIN (
          SELECT account.currency, count(*) AS accounts, sum(greatest(posted, 0)) AS debits,
                 sum(greatest(-posted, 0)) AS credits, sum(greatest(pending, 0)) AS pending_debits,
                 sum(greatest(-pending, 0)) AS pending_credits
          FROM ledger_period_balance balance JOIN ledger_account account ON account.id = balance.account_id
          WHERE balance.snapshot_id = snapshot.id GROUP BY account.currency
      ) computed USING (currency, accounts, debits, credits, pending_debits, pending_credits)
      WHERE stored.accounts IS NULL OR computed.accounts IS NULL
   )
"""  # noqa: S608 - put together from constants

# Transitions get their ids in the order of writing, and the closing kept the highest: no clock is asked.
_LATE: Final = f"""
WITH {_CLOSED}, bounds AS (SELECT array_agg(ends_at ORDER BY ends_at) AS ends FROM closed)
SELECT format('ent_%s: its move to %s takes effect in %s and was written after that was closed',
              replace(move.entry_id::text, '-', ''), move.to_state, closed.month)
FROM ledger_entry_transition move CROSS JOIN bounds
JOIN closed ON closed.ends_at = bounds.ends[width_bucket(move.effective_at, bounds.ends) + 1]
WHERE move.id > closed.last_transition
ORDER BY move.id
"""  # noqa: S608 - put together from constants

# From OPEN to CLOSING to CLOSED to OPEN; each move begins where the one before ended, and the versions count them.
_STATES_FOLD: Final = """
SELECT CASE
    WHEN NOT coalesce(folded.legal, true) THEN format('%s: impossible moves %s', period.month, folded.path)
    WHEN period.state <> coalesce(folded.state, 'OPEN') OR version <> 1 + coalesce(folded.moves, 0)
        THEN format('%s: is %s as version %s, its moves lead to %s as version %s', month, period.state, version,
                    coalesce(folded.state, 'OPEN'), 1 + coalesce(folded.moves, 0))
    WHEN period.closings <> coalesce(folded.closings, 0)
        THEN format('%s: counts %s closings, its moves %s', month, period.closings, coalesce(folded.closings, 0))
    WHEN period.state = 'CLOSED' AND snapshot_id IS NULL THEN format('%s: is closed, and no balances are stored', month)
    ELSE format('%s: was opened again by one person or without a reason', month)
END
FROM (
    SELECT period.*, to_char(start_date, 'YYYY-MM') AS month, snapshot.id AS snapshot_id
    FROM ledger_period period
    LEFT JOIN ledger_period_snapshot snapshot ON snapshot.period_id = period.id AND snapshot.number = period.closings
) period
LEFT JOIN (
    SELECT period_id, count(*) AS moves, count(*) FILTER (WHERE to_state = 'CLOSING') AS closings,
           (array_agg(to_state ORDER BY sequence DESC))[1] AS state,
           string_agg(to_state, ' > ' ORDER BY sequence) AS path,
           bool_and(from_state = previous AND sequence = place + 1
                    AND (from_state, to_state) IN (('OPEN', 'CLOSING'), ('CLOSING', 'CLOSED'), ('CLOSED', 'OPEN')))
               AS legal,
           bool_or(to_state = 'OPEN' AND (proposed_by_id IS NOT DISTINCT FROM approved_by_id OR reason = '')) AS alone
    FROM (
        SELECT *, lag(to_state, 1, 'OPEN') OVER moves AS previous, row_number() OVER moves AS place
        FROM ledger_period_transition WINDOW moves AS (PARTITION BY period_id ORDER BY sequence)
    ) step
    GROUP BY period_id
) folded ON folded.period_id = period.id
WHERE NOT coalesce(folded.legal, true) OR period.state <> coalesce(folded.state, 'OPEN')
   OR version <> 1 + coalesce(folded.moves, 0) OR period.closings <> coalesce(folded.closings, 0)
   OR (period.state = 'CLOSED' AND snapshot_id IS NULL) OR coalesce(folded.alone, false)
ORDER BY start_date
"""

_IN_ORDER: Final = """
SELECT format('%s: is %s before %s, which is %s', to_char(earlier.start_date, 'YYYY-MM'), earlier.state,
              to_char(later.start_date, 'YYYY-MM'), later.state)
FROM ledger_period earlier JOIN ledger_period later ON later.start_date > earlier.start_date
WHERE earlier.state <> 'CLOSED' AND later.state <> 'OPEN'
ORDER BY earlier.start_date, later.start_date
"""

_STATEMENTS: Final = {
    "ledger.closed_periods_unchanged": _BALANCES,
    "ledger.closed_periods_sealed": _SNAPSHOTS,
    "ledger.nothing_late_in_closed_periods": _LATE,
    "ledger.period_states_fold": _STATES_FOLD,
    "ledger.periods_in_order": _IN_ORDER,
}


def checks() -> Iterator[Check]:
    """Run every check of the months, one after the other."""
    for name, statement in _STATEMENTS.items():
        yield Check.of(name, (row[0] for row in stream(statement)))
