"""Entries: lines, states, reversals, guarded accounts and the trial balance.

Each check is one statement that PostgreSQL computes over whole tables and whose violations are streamed.
"""

from collections.abc import Iterator
from typing import Final

from ledger import chart
from ledger.verification.reading import stream
from paymentops.core.verification import Check

# Each statement selects the violations: a sentence, and nothing when all is well.
_ENTRIES_BALANCE: Final = """
SELECT format('ent_%s: lines in %s add up to %s, not to zero', replace(entry_id::text, '-', ''), currency, sum(amount))
FROM ledger_line GROUP BY entry_id, currency HAVING sum(amount) <> 0
"""

_LINES_AS_SEALED: Final = """
SELECT CASE
    WHEN header.id IS NULL
        THEN format('ent_%s: %s lines without a header', replace(brought.entry_id::text, '-', ''), brought.lines)
    WHEN brought.entry_id IS NULL THEN format('ent_%s: no lines', replace(header.id::text, '-', ''))
    WHEN header.line_count <> brought.lines
        THEN format('ent_%s: %s lines, sealed with %s', replace(header.id::text, '-', ''), brought.lines,
                    header.line_count)
    ELSE format('ent_%s: lines differ from those it was sealed with', replace(header.id::text, '-', ''))
END
FROM ledger_entry header
FULL JOIN (
    SELECT entry_id, count(*) AS lines, sha256(convert_to(string_agg(
               concat_ws('|', number, account_id, currency, amount, method), E'\\n' ORDER BY number), 'UTF8')) AS digest
    FROM ledger_line GROUP BY entry_id
) brought ON brought.entry_id = header.id
WHERE header.id IS NULL OR brought.entry_id IS NULL
   OR header.line_count <> brought.lines OR header.lines_digest <> brought.digest
"""

_LINES_ON_ACCOUNTS: Final = """
SELECT format('ent_%s line %s: %s', replace(line.entry_id::text, '-', ''), line.number,
              CASE WHEN account.id IS NULL THEN 'its account does not exist'
                   ELSE format('in %s on the %s account %s', line.currency, account.currency, account.code) END)
FROM ledger_line line LEFT JOIN ledger_account account ON account.id = line.account_id
WHERE account.id IS NULL OR account.currency <> line.currency
"""

# From new to PENDING or POSTED, PENDING to POSTED or VOIDED, POSTED to REVERSED; each move begins where the one before
# ended and counts no earlier; the last one ends where the entry says it stands.
_STATES_FOLD: Final = """
SELECT CASE
    WHEN header.id IS NULL
        THEN format('ent_%s: transitions without an entry', replace(folded.entry_id::text, '-', ''))
    WHEN folded.entry_id IS NULL THEN format('ent_%s: no transition', replace(header.id::text, '-', ''))
    WHEN NOT folded.legal
        THEN format('ent_%s: impossible transitions %s', replace(header.id::text, '-', ''), folded.path)
    ELSE format('ent_%s: is %s, its transitions lead to %s', replace(header.id::text, '-', ''), header.state,
                folded.state)
END
FROM ledger_entry header
FULL JOIN (
    SELECT entry_id, (array_agg(to_state ORDER BY id DESC))[1] AS state,
           string_agg(to_state, ' > ' ORDER BY id) AS path,
           bool_and(from_state = previous_state AND effective_at >= previous_moment
                    AND (from_state, to_state) IN (('', 'PENDING'), ('', 'POSTED'), ('PENDING', 'POSTED'),
                                                   ('PENDING', 'VOIDED'), ('POSTED', 'REVERSED'))) AS legal
    FROM (
        SELECT id, entry_id, from_state, to_state, effective_at,
               lag(to_state, 1, '') OVER moves AS previous_state,
               lag(effective_at, 1, '-infinity') OVER moves AS previous_moment
        FROM ledger_entry_transition WINDOW moves AS (PARTITION BY entry_id ORDER BY id)
    ) step
    GROUP BY entry_id
) folded ON folded.entry_id = header.id
WHERE header.id IS NULL OR folded.entry_id IS NULL OR NOT folded.legal OR header.state <> folded.state
"""

_REVERSALS: Final = """
SELECT CASE
    WHEN reversal.id IS NULL
        THEN format('ent_%s: is REVERSED and no entry reverses it', replace(original.id::text, '-', ''))
    WHEN original.state <> 'REVERSED'
        THEN format('ent_%s: is %s and ent_%s reverses it', replace(original.id::text, '-', ''), original.state,
                    replace(reversal.id::text, '-', ''))
    ELSE format('ent_%s: is not the opposite of ent_%s', replace(reversal.id::text, '-', ''),
                replace(original.id::text, '-', ''))
END
FROM ledger_entry original
LEFT JOIN ledger_entry reversal ON reversal.reverses_id = original.id
WHERE (original.state = 'REVERSED' OR reversal.id IS NOT NULL)
  AND (reversal.id IS NULL OR original.state <> 'REVERSED' OR EXISTS (
      SELECT FROM (SELECT * FROM ledger_line WHERE entry_id = original.id) this
      FULL JOIN (SELECT * FROM ledger_line WHERE entry_id = reversal.id) other
             ON other.number = this.number AND other.account_id = this.account_id
            AND other.amount = -this.amount AND other.method = this.method
      WHERE this.id IS NULL OR other.id IS NULL
  ))
"""

_TRIAL_BALANCE: Final = """
SELECT format('%s: posted balances of all accounts add up to %s, not to zero', line.currency, sum(line.amount))
FROM ledger_line line JOIN ledger_entry_transition move ON move.entry_id = line.entry_id AND move.to_state = 'POSTED'
GROUP BY line.currency HAVING sum(line.amount) <> 0
"""

_RIGHT_SIDE: Final = """
SELECT CASE
    WHEN cached.account_id IS NULL THEN format('%s %s: has no balance row', code, currency)
    WHEN cached.balance <> computed.total
        THEN format('%s %s: stored balance %s, lines add up to %s', code, currency, cached.balance, computed.total)
    WHEN cached.side <> computed.side THEN format('%s %s: guarded on the wrong side', code, currency)
    ELSE format('%s %s: stands at %s, on its wrong side', code, currency, computed.total)
END
FROM (
    SELECT account.id, account.code, account.currency, CASE account.normal_side WHEN 'DEBIT' THEN 1 ELSE -1 END AS side,
           coalesce(sum(line.amount) FILTER (WHERE move.entry_id IS NOT NULL), 0) AS total
    FROM ledger_account account
    LEFT JOIN ledger_line line ON line.account_id = account.id
    LEFT JOIN ledger_entry_transition move ON move.entry_id = line.entry_id AND move.to_state = 'POSTED'
    WHERE account.guarded
    GROUP BY account.id
) computed
LEFT JOIN ledger_guarded_balance cached ON cached.account_id = computed.id
WHERE cached.account_id IS NULL OR cached.balance <> computed.total OR cached.side <> computed.side
   OR computed.total * computed.side < 0
"""

_ACCOUNTS: Final = "SELECT code, currency, kind, normal_side, guarded FROM ledger_account"

_STATEMENTS: Final = {
    "ledger.entries_balance": _ENTRIES_BALANCE,
    "ledger.lines_as_sealed": _LINES_AS_SEALED,
    "ledger.lines_on_accounts": _LINES_ON_ACCOUNTS,
    "ledger.states_fold": _STATES_FOLD,
    "ledger.reversals_opposite": _REVERSALS,
    "ledger.trial_balance_zero": _TRIAL_BALANCE,
    "ledger.right_side": _RIGHT_SIDE,
}


def checks() -> Iterator[Check]:
    """Run every check of entries, one after the other."""
    for name, statement in _STATEMENTS.items():
        yield Check.of(name, (row[0] for row in stream(statement)))
    yield Check.of("ledger.accounts_follow_chart", _accounts_off_chart())


def _accounts_off_chart() -> Iterator[str]:
    for code, currency, kind, side, guarded in stream(_ACCOUNTS):
        try:
            line = chart.find(code)
        except chart.UnknownAccount:
            yield f"{code} {currency}: not in the chart of accounts"
            continue
        if (kind, side, guarded) != (line.kind, line.side, line.guarded):
            yield f"{code} {currency}: kind, side or guard differ from the chart of accounts"
