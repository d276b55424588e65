"""How transitions become balances, in SQL that reads and sealing share.

Entering PENDING adds an entry's lines to the pending debits and credits of their accounts, leaving it takes them away,
entering POSTED adds them to the posted balance. REVERSED changes nothing: the reversal is an entry of its own.
"""

from typing import Final

from django.db import connection

# Over a transition ``move`` and a line ``line`` of its entry. Amounts are signed, debit positive; the pending sums of
# each side are not.
FOLD_OF_LINE: Final = """
SELECT line.account_id, move.effective_at, move.id AS transition_id, line.number, move.recorded_at,
       CASE WHEN move.to_state = 'POSTED' THEN line.amount ELSE 0 END AS posted,
       CASE WHEN move.to_state = 'PENDING' THEN 1 WHEN move.from_state = 'PENDING' THEN -1 ELSE 0 END
           * greatest(line.amount, 0) AS pending_debits,
       CASE WHEN move.to_state = 'PENDING' THEN 1 WHEN move.from_state = 'PENDING' THEN -1 ELSE 0 END
           * greatest(-line.amount, 0) AS pending_credits
"""

# What is not sealed yet, and hence in no stored balance. OFFSET 0 keeps these probes, whatever the planner believes
# about the tables' sizes: only what was written since the last round of sealing is looked at.
TAIL: Final = f"""
{FOLD_OF_LINE}
FROM (
    SELECT * FROM ledger_entry_transition fresh
    WHERE fresh.id > %(low_id)s AND fresh.to_state <> 'REVERSED'
      AND NOT EXISTS (SELECT FROM ledger_chain_link link WHERE link.transition_id = fresh.id OFFSET 0)
    OFFSET 0
) move
CROSS JOIN LATERAL (SELECT * FROM ledger_line WHERE entry_id = move.entry_id OFFSET 0) line
"""  # noqa: S608 - constants only

# Everything, from the lines: what stored balances are compared with, and read instead where they drifted.
LINES: Final = f"""
{FOLD_OF_LINE}
FROM ledger_line line
JOIN ledger_entry_transition move ON move.entry_id = line.entry_id AND move.to_state <> 'REVERSED'
"""

_LOW_ID: Final = "SELECT coalesce((SELECT low_id FROM ledger_chain_head), 0)"


def low_id() -> int:
    """Return up to which transition all are sealed. It only grows, so a later statement may use it."""
    with connection.cursor() as cursor:
        cursor.execute(_LOW_ID)
        return int(cursor.fetchone()[0])
