"""What was posted by hand was proposed by one person and approved by another, line by line; closed accounts stay so."""

from collections.abc import Iterator
from typing import Final

from ledger.verification.reading import stream
from paymentops.core.verification import Check

# Both ways: an entry of a journal has its carried-out proposal of two people with these very lines, and a proposal that
# was carried out has its entry.
_TWO_PEOPLE: Final = """
SELECT CASE
    WHEN entry.id IS NULL
        THEN format('prp_%s: is carried out and has no entry', replace(proposal.id::text, '-', ''))
    WHEN proposal.id IS NULL
        THEN format('ent_%s: is a journal that nobody proposed', replace(entry.id::text, '-', ''))
    WHEN proposal.state <> 'CARRIED_OUT'
        THEN format('ent_%s: is posted and prp_%s is %s', replace(entry.id::text, '-', ''),
                    replace(proposal.id::text, '-', ''), proposal.state)
    WHEN proposal.decided_by_id IS NULL OR proposal.decided_by_id = proposal.proposed_by_id
        THEN format('ent_%s: no second person approved it', replace(entry.id::text, '-', ''))
    ELSE format('ent_%s: its lines are not those of prp_%s', replace(entry.id::text, '-', ''),
                replace(proposal.id::text, '-', ''))
END
FROM (SELECT * FROM ledger_entry WHERE source_type = 'journal' AND reverses_id IS NULL) entry
FULL JOIN (SELECT * FROM casework_proposal WHERE kind = 'ledger.journal') proposal ON proposal.id = entry.source_id
WHERE (entry.id IS NOT NULL OR proposal.state = 'CARRIED_OUT') AND (
    entry.id IS NULL OR proposal.id IS NULL OR proposal.state <> 'CARRIED_OUT'
    OR proposal.decided_by_id IS NULL OR proposal.decided_by_id = proposal.proposed_by_id
    OR EXISTS (
        SELECT FROM (
            SELECT line.number, account.code, line.currency, line.amount, line.method
            FROM ledger_line line JOIN ledger_account account ON account.id = line.account_id
            WHERE line.entry_id = entry.id
        ) posted
        FULL JOIN (
            SELECT part.number, part.wanted->>'account' AS code, part.wanted->>'currency' AS currency,
                   (part.wanted->>'amount')::numeric AS amount, part.wanted->>'method' AS method
            FROM jsonb_array_elements(proposal.payload->'lines') WITH ORDINALITY AS part (wanted, number)
        ) proposed ON (posted.number, posted.code, posted.currency, posted.amount, posted.method)
                    = (proposed.number, proposed.code, proposed.currency, proposed.amount, proposed.method)
        WHERE posted.number IS NULL OR proposed.number IS NULL
    )
)
"""

# What two people posted by hand only two people take back; other entries also follow what happens to their thing.
_REVERSALS: Final = """
SELECT CASE
    WHEN move.id IS NULL
        THEN format('prp_%s: is carried out and reversed no entry', replace(proposal.id::text, '-', ''))
    WHEN proposal.id IS NULL
        THEN format('ent_%s: was reversed for %s, which nobody proposed', replace(move.entry_id::text, '-', ''),
                    move.cause)
    ELSE format('ent_%s: was reversed by hand and prp_%s is not a carried-out proposal of two people for it',
                replace(move.entry_id::text, '-', ''), replace(proposal.id::text, '-', ''))
END
FROM (
    SELECT * FROM ledger_entry_transition reversed WHERE to_state = 'REVERSED' AND (
        cause LIKE 'proposal:%'
        OR EXISTS (SELECT FROM ledger_entry WHERE id = reversed.entry_id AND source_type = 'journal'))
) move
FULL JOIN (SELECT * FROM casework_proposal WHERE kind = 'ledger.reversal') proposal
       ON move.cause = 'proposal:prp_' || replace(proposal.id::text, '-', '')
WHERE (move.id IS NOT NULL OR proposal.state = 'CARRIED_OUT') AND (
    move.id IS NULL OR proposal.id IS NULL OR proposal.state <> 'CARRIED_OUT'
    OR proposal.decided_by_id IS NULL OR proposal.decided_by_id = proposal.proposed_by_id
    OR proposal.subject_id <> 'ent_' || replace(move.entry_id::text, '-', '')
)
"""

_CLOSED_ARE_EMPTY: Final = """
SELECT format('%s %s: is closed and holds %s', account.code, account.currency, sum(line.amount))
FROM ledger_account account
JOIN ledger_line line ON line.account_id = account.id
JOIN ledger_entry entry ON entry.id = line.entry_id AND entry.state <> 'VOIDED'
WHERE account.closed_at IS NOT NULL
GROUP BY account.id HAVING sum(line.amount) <> 0
"""

# Both ways: a key has the journal that its client proposed with it, and what a service proposed has its key.
_KEYS: Final = """
SELECT CASE
    WHEN proposal.id IS NULL THEN format('the key %s: its journal does not exist', key.key)
    WHEN key.id IS NULL
        THEN format('prp_%s: was proposed by %s without a key', replace(proposal.id::text, '-', ''), proposal.proposer)
    ELSE format('prp_%s: was proposed by %s under a key of another', replace(proposal.id::text, '-', ''),
                proposal.proposer)
END
FROM (SELECT * FROM idempotency_idempotencykey WHERE operation = 'journals.propose') key
FULL JOIN (
    SELECT * FROM casework_proposal WHERE kind = 'ledger.journal' AND proposer_kind = 'CLIENT'
) proposal ON proposal.id = key.resource_id AND key.resource_type = 'proposal'
WHERE key.id IS NULL OR proposal.id IS NULL
   OR proposal.proposer <> 'cli_' || replace(key.client_id::text, '-', '')
"""

_STATEMENTS: Final = {
    "ledger.journals_have_two_people": _TWO_PEOPLE,
    "ledger.reversals_have_two_people": _REVERSALS,
    "ledger.closed_accounts_empty": _CLOSED_ARE_EMPTY,
    "ledger.journal_keys": _KEYS,
}


def checks() -> Iterator[Check]:
    """Run the checks of what people posted by hand."""
    for name, statement in _STATEMENTS.items():
        yield Check.of(name, (row[0] for row in stream(statement)))
