"""What people decided about unknown outcomes was proposed by one person and approved by another (invariant 12)."""

from types import MappingProxyType
from typing import Final

# Both ways: a recorded decision has its carried-out proposal of two people, and a carried-out proposal its record.
_TWO_PEOPLE: Final = """
SELECT CASE
    WHEN move.attempt_id IS NULL
        THEN format('prp_%s: is carried out and decided nothing', replace(proposal.id::text, '-', ''))
    WHEN proposal.id IS NULL
        THEN format('att_%s: was decided for %s, which nobody proposed', replace(move.attempt_id::text, '-', ''),
                    move.cause)
    WHEN proposal.state <> 'CARRIED_OUT' OR proposal.decided_by_id IS NULL
         OR proposal.proposed_by_id IS NULL OR proposal.decided_by_id = proposal.proposed_by_id
        THEN format('att_%s: no two people stand behind prp_%s', replace(move.attempt_id::text, '-', ''),
                    replace(proposal.id::text, '-', ''))
    ELSE format('att_%s: prp_%s proposed something else', replace(move.attempt_id::text, '-', ''),
                replace(proposal.id::text, '-', ''))
END
FROM (
    SELECT *, 'att_' || replace(attempt_id::text, '-', '') AS public_id FROM payments_attempttransition
    WHERE cause LIKE 'decision:%'
) move
FULL JOIN (SELECT * FROM casework_proposal WHERE kind = 'payments.outcome') proposal
       ON move.cause = 'decision:' || proposal.subject_id || '/prp_' || replace(proposal.id::text, '-', '')
WHERE (move.attempt_id IS NOT NULL OR proposal.state = 'CARRIED_OUT') AND (
    move.attempt_id IS NULL OR proposal.id IS NULL OR proposal.state <> 'CARRIED_OUT'
    OR proposal.decided_by_id IS NULL OR proposal.proposed_by_id IS NULL
    OR proposal.decided_by_id = proposal.proposed_by_id
    OR proposal.subject_id <> move.public_id
    OR (proposal.payload->>'happened')::boolean <> (move.to_state = 'SUCCEEDED')
)
"""

# The record of a decision says what was decided, and nothing that no move belongs to.
_AS_DECIDED: Final = """
SELECT format('att_%s: decision %s is recorded as %s of %s', replace(call.attempt_id::text, '-', ''), call.number,
              call.outcome, call.amount)
FROM payments_providercall call
WHERE call.kind = 'DECISION' AND NOT EXISTS (
    SELECT FROM payments_attempttransition move
    JOIN casework_proposal proposal
      ON move.cause = 'decision:' || proposal.subject_id || '/prp_' || replace(proposal.id::text, '-', '')
    WHERE move.attempt_id = call.attempt_id AND proposal.kind = 'payments.outcome'
      AND call.applied
      AND call.outcome = CASE WHEN (proposal.payload->>'happened')::boolean THEN 'Approved' ELSE 'DidNotHappen' END
      AND call.amount IS NOT DISTINCT FROM (proposal.payload->>'amount')::bigint
)
"""

STATEMENTS: Final = MappingProxyType(
    {
        "payments.decisions_have_two_people": _TWO_PEOPLE,
        "payments.decisions_as_proposed": _AS_DECIDED,
    }
)
