"""Stored balances: movements, snapshots and sums against the lines of sealed transitions."""

from collections.abc import Iterator
from typing import Final

from ledger.queries import drift
from ledger.verification.reading import stream
from paymentops.core.verification import Check

_MARKED: Final = """
SELECT format('%s %s: drifted since %s; rebuild it with manage.py ledger rebuild', account.code, account.currency,
              to_char(folded.drifted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'))
FROM ledger_folded_balance folded JOIN ledger_account account ON account.id = folded.account_id
WHERE folded.drifted_at IS NOT NULL ORDER BY account.code, account.currency
"""


def checks() -> Iterator[Check]:
    """Compare every stored balance with the lines, and name the accounts that are marked as drifted."""
    yield Check.of("ledger.movements_follow_lines", drift.movements())
    yield Check.of("ledger.snapshots_follow_lines", drift.snapshots())
    yield Check.of("ledger.sums_follow_lines", drift.sums())
    yield Check.of("ledger.no_account_drifted", (row[0] for row in stream(_MARKED)))
