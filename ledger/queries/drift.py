"""Where stored balances differ from what the lines say: movements, snapshots and sums, row by row.

Everything is compared with the lines of sealed transitions, never with another stored value, so exactly the rows that
are wrong are named. Each statement sees one state of the books and may run beside sealing.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from ledger.chain import SNAPSHOT_EVERY
from ledger.queries.folding import FOLD_OF_LINE

_SEALED: Final = f"""
{FOLD_OF_LINE}
FROM ledger_chain_link link
JOIN ledger_entry_transition move ON move.id = link.transition_id AND move.to_state <> 'REVERSED'
JOIN ledger_line line ON line.entry_id = move.entry_id
WHERE {{condition}}
"""

_NAMES: Final = "SELECT id, code || ' ' || currency AS name FROM ledger_account"

_MOVEMENTS: Final = f"""
SELECT format('%%s: movement of transition %%s line %%s %%s', coalesce(account.name, 'an unknown account'),
              coalesce(stored.transition_id, computed.transition_id), coalesce(stored.number, computed.number),
              CASE WHEN stored.transition_id IS NULL THEN 'is missing'
                   WHEN computed.transition_id IS NULL THEN 'stands for no sealed line of the account'
                   ELSE 'differs from its line' END)
FROM ({_SEALED}) computed
FULL JOIN (SELECT * FROM ledger_movement line WHERE {{condition}}) stored
  ON stored.transition_id = computed.transition_id AND stored.number = computed.number
LEFT JOIN ({_NAMES}) account ON account.id = coalesce(stored.account_id, computed.account_id)
WHERE stored.transition_id IS NULL OR computed.transition_id IS NULL
   OR (stored.account_id, stored.effective_at, stored.recorded_at, stored.posted, stored.pending_debits,
       stored.pending_credits, stored.lateness)
   <> (computed.account_id, computed.effective_at, computed.recorded_at, computed.posted, computed.pending_debits,
       computed.pending_credits, ledger_lateness(computed.effective_at, computed.recorded_at))
"""  # noqa: S608 - constants only

# A stretch without a snapshot that is too long means that one was taken away: reads would be right, but slow.
_SNAPSHOTS: Final = f"""
SELECT format('%%s: snapshot behind transition %%s line %%s %%s', coalesce(account.name, 'an unknown account'),
              stored.transition_id, stored.number,
              CASE WHEN computed.account_id IS NULL THEN 'stands behind no sealed line'
                   WHEN stored.stretch >= 2 * {SNAPSHOT_EVERY} THEN format('has none before it for %%s movements',
                                                                           stored.stretch)
                   ELSE 'differs from the sum of its lines' END)
FROM (
    SELECT line.*, movements - lag(movements, 1, 0::bigint) OVER (
               PARTITION BY account_id ORDER BY effective_at, transition_id, number) AS stretch
    FROM ledger_balance_snapshot line WHERE {{condition}}
) stored
LEFT JOIN (
    SELECT account_id, effective_at, transition_id, number, sum(posted) OVER before AS posted,
           sum(pending_debits) OVER before AS pending_debits, sum(pending_credits) OVER before AS pending_credits,
           count(*) OVER before AS movements
    FROM ({_SEALED}) sealed
    WINDOW before AS (PARTITION BY account_id ORDER BY effective_at, transition_id, number ROWS UNBOUNDED PRECEDING)
) computed USING (account_id, effective_at, transition_id, number)
LEFT JOIN ({_NAMES}) account ON account.id = stored.account_id
WHERE computed.account_id IS NULL OR stored.stretch >= 2 * {SNAPSHOT_EVERY}
   OR (stored.posted, stored.pending_debits, stored.pending_credits, stored.movements)
   <> (computed.posted, computed.pending_debits, computed.pending_credits, computed.movements)
"""  # noqa: S608 - constants only

_SUMS: Final = f"""
SELECT format('%%s: %%s', coalesce(account.name, 'an unknown account'),
              CASE WHEN stored.present IS NULL THEN 'has no stored sum'
                   WHEN stored.through > stored.movements THEN 'has a snapshot beyond its stored sum'
                   WHEN stored.movements - stored.through >= 2 * {SNAPSHOT_EVERY}
                       THEN format('has no snapshot for its last %%s movements', stored.movements - stored.through)
                   ELSE format('stored sum %%s of %%s movements, %%s lines add up to %%s', stored.posted,
                               stored.movements, computed.movements, computed.posted) END)
FROM (
    SELECT line.account_id, line.posted, line.pending_debits, line.pending_credits, line.movements, true AS present,
           coalesce((SELECT max(movements) FROM ledger_balance_snapshot snapshot
                     WHERE snapshot.account_id = line.account_id), 0) AS through
    FROM ledger_folded_balance line WHERE {{condition}}
) stored
FULL JOIN (
    SELECT account_id, sum(posted) AS posted, sum(pending_debits) AS pending_debits,
           sum(pending_credits) AS pending_credits, count(*) AS movements
    FROM ({_SEALED}) sealed GROUP BY account_id
) computed USING (account_id)
LEFT JOIN ({_NAMES}) account ON account.id = account_id
WHERE stored.present IS NULL OR stored.through > stored.movements
   OR stored.movements - stored.through >= 2 * {SNAPSHOT_EVERY}
   OR (stored.posted, stored.pending_debits, stored.pending_credits, stored.movements)
   <> (coalesce(computed.posted, 0), coalesce(computed.pending_debits, 0), coalesce(computed.pending_credits, 0),
       coalesce(computed.movements, 0))
"""  # noqa: S608 - constants only

_LEAST_CHECKED: Final = """
SELECT account.id, account.code, account.currency
FROM ledger_account account LEFT JOIN ledger_folded_balance folded ON folded.account_id = account.id
WHERE (folded.checked_at IS NULL OR folded.checked_at < %(before)s)
ORDER BY folded.checked_at NULLS FIRST, account.id LIMIT 1
"""


def movements(*, account_id: int | None = None) -> Iterator[str]:
    """Name the movements that differ from the lines of sealed transitions; of one account or of all."""
    return _stream(_MOVEMENTS, account_id)


def snapshots(*, account_id: int | None = None) -> Iterator[str]:
    """Name the snapshots that differ from the sum of the lines up to them, and stretches that lack one."""
    return _stream(_SNAPSHOTS, account_id)


def sums(*, account_id: int | None = None) -> Iterator[str]:
    """Name the accounts whose stored sum differs from the sum of their lines."""
    return _stream(_SUMS, account_id)


def least_checked(*, before: datetime) -> tuple[int, str, str] | None:
    """Return id, code and currency of the account whose check is longest ago, if that is before a moment."""
    with connection.cursor() as cursor:
        cursor.execute(_LEAST_CHECKED, {"before": before})
        found: tuple[int, str, str] | None = cursor.fetchone()
    return found


def _stream(statement: str, account_id: int | None) -> Iterator[str]:
    condition = "true" if account_id is None else "line.account_id = %(account_id)s"
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(statement.format(condition=condition), {"account_id": account_id})
        while rows := cursor.fetchmany(1000):
            yield from (row[0] for row in rows)
