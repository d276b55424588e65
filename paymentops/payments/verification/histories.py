"""States are the fold of their transitions, along legal moves only, each told to the outside (invariants 5 and 9).

The tables of legal moves are written here a second time, from SEMANTICS section 2 and not from the state machines, so
that a mistake in a state machine is found and not repeated.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_PAYMENT_MOVES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "": "CREATED",
        "CREATED": "PROCESSING CANCELED EXPIRED FAILED",
        "PROCESSING": "REQUIRES_ACTION AUTHORIZED PARTIALLY_CAPTURED CAPTURED UNKNOWN_OUTCOME FAILED EXPIRED CANCELED",
        "REQUIRES_ACTION": "PROCESSING AUTHORIZED PARTIALLY_CAPTURED CAPTURED UNKNOWN_OUTCOME FAILED EXPIRED CANCELED",
        "UNKNOWN_OUTCOME": "PROCESSING REQUIRES_ACTION AUTHORIZED PARTIALLY_CAPTURED CAPTURED VOIDED FAILED EXPIRED"
        " CANCELED",
        "AUTHORIZED": "PARTIALLY_CAPTURED CAPTURED VOIDED EXPIRED UNKNOWN_OUTCOME",
        "PARTIALLY_CAPTURED": "PARTIALLY_CAPTURED CAPTURED UNKNOWN_OUTCOME REVERSED",
        "CAPTURED": "PARTIALLY_CAPTURED REVERSED",
        # Late evidence only; a check of its own looks at the causes.
        "FAILED": "AUTHORIZED CAPTURED",
        "EXPIRED": "AUTHORIZED CAPTURED",
        "CANCELED": "AUTHORIZED CAPTURED",
        "VOIDED": "CAPTURED",
    }
)
_ATTEMPT_MOVES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "PREPARED": "DISPATCHED CANCELED",
        "DISPATCHED": "SUCCEEDED DECLINED FAILED PENDING ACTION_REQUIRED UNKNOWN PREPARED",
        "UNKNOWN": "DISPATCHED SUCCEEDED DECLINED FAILED PENDING ACTION_REQUIRED EXPIRED CANCELED",
        "PENDING": "ACTION_REQUIRED SUCCEEDED DECLINED FAILED EXPIRED CANCELED UNKNOWN",
        "ACTION_REQUIRED": "PENDING SUCCEEDED DECLINED FAILED EXPIRED CANCELED UNKNOWN",
        "SUCCEEDED": "REVERSED",
        # Late evidence only.
        "DECLINED": "SUCCEEDED",
        "FAILED": "SUCCEEDED",
        "EXPIRED": "SUCCEEDED",
        "CANCELED": "SUCCEEDED",
    }
)
_BREAKER_MOVES: Final[Mapping[str, str]] = MappingProxyType(
    {"CLOSED": "OPEN", "OPEN": "HALF_OPEN CLOSED OPEN", "HALF_OPEN": "HALF_OPEN OPEN CLOSED"}
)
_REFUND_ON_ITS_WAY: Final = "PENDING ACTION_REQUIRED UNKNOWN SUCCEEDED FAILED CANCELED"
_REFUND_MOVES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "": "REQUESTED",
        "REQUESTED": "APPROVED REJECTED CANCELED",
        "APPROVED": "DISPATCHED CANCELED",
        "DISPATCHED": _REFUND_ON_ITS_WAY,
        "PENDING": _REFUND_ON_ITS_WAY,
        "ACTION_REQUIRED": _REFUND_ON_ITS_WAY,
        "UNKNOWN": _REFUND_ON_ITS_WAY,
        "SUCCEEDED": "REVERSED",
        # Late evidence only.
        "FAILED": "SUCCEEDED",
        "CANCELED": "SUCCEEDED",
    }
)
_DISPUTE_MOVES: Final = MappingProxyType(
    {
        "": "INQUIRY OPEN",
        "INQUIRY": "INQUIRY_CLOSED OPEN ACCEPTED",
        "OPEN": "UNDER_REVIEW ACCEPTED LOST WON WITHDRAWN",
        "UNDER_REVIEW": "WON_PROVISIONAL WON LOST OPEN PRE_ARBITRATION WITHDRAWN",
        "WON_PROVISIONAL": "WON OPEN PRE_ARBITRATION",
        "PRE_ARBITRATION": "WON LOST ARBITRATION ACCEPTED WITHDRAWN",
        "ARBITRATION": "WON LOST",
        "LOST": "PRE_ARBITRATION",
    }
)

# An attempt begins as PREPARED without a row, because a payment is accepted with as few rows as possible.
_FOLD: Final = """
SELECT CASE
    WHEN thing.id IS NULL
        THEN format('{prefix}_%s: transitions without a {name}', replace(folded.thing_id::text, '-', ''))
    WHEN folded.thing_id IS NULL
        THEN format('{prefix}_%s: is %s without a transition', replace(thing.id::text, '-', ''), thing.state)
    WHEN NOT folded.legal
        THEN format('{prefix}_%s: impossible transitions %s', replace(thing.id::text, '-', ''), folded.path)
    WHEN thing.version < folded.last
        THEN format('{prefix}_%s: version %s, its last transition has %s', replace(thing.id::text, '-', ''),
                    thing.version, folded.last)
    ELSE format('{prefix}_%s: is %s, its transitions lead to %s', replace(thing.id::text, '-', ''), thing.state,
                folded.state)
END
FROM payments_{name} thing
FULL JOIN (
    SELECT thing_id, max(sequence) AS last, (array_agg(to_state ORDER BY sequence DESC, id DESC))[1] AS state,
           string_agg(to_state, ' > ' ORDER BY sequence, id) AS path,
           bool_and(from_state = previous_state AND sequence > previous_sequence
                    AND from_state || '>' || to_state = ANY (ARRAY[{legal}])) AS legal
    FROM (
        SELECT id, {name}_id AS thing_id, sequence, from_state, to_state,
               lag(to_state, 1, '{initial}') OVER moves AS previous_state,
               lag(sequence, 1, 0) OVER moves AS previous_sequence
        FROM payments_{name}transition WINDOW moves AS (PARTITION BY {name}_id ORDER BY sequence, id)
    ) step
    GROUP BY thing_id
) folded ON folded.thing_id = thing.id
WHERE thing.id IS NULL OR NOT folded.legal OR thing.version < folded.last
   OR thing.state <> coalesce(folded.state, '{initial}')
"""

# A final state is left only because a provider proved something: by an answer, an inquiry or a notification.
_FINAL_LEFT_BY_EVIDENCE: Final = """
SELECT format('%s_%s: left %s for %s because of %s, which proves nothing', prefix, replace(id::text, '-', ''),
              from_state, to_state, cause)
FROM (
    SELECT 'pay' AS prefix, payment_id AS id, from_state, to_state, cause FROM payments_paymenttransition
    WHERE from_state IN ('FAILED', 'EXPIRED', 'CANCELED', 'VOIDED')
    UNION ALL
    SELECT 'att', attempt_id, from_state, to_state, cause FROM payments_attempttransition
    WHERE from_state IN ('DECLINED', 'FAILED', 'EXPIRED', 'CANCELED')
    UNION ALL
    SELECT 'ref', refund_id, from_state, to_state, cause FROM payments_refundtransition
    WHERE from_state IN ('FAILED', 'CANCELED')
) AS revived
WHERE cause !~ '^(outcome|inquiry|completion|withdrawal|notification):'
UNION ALL
SELECT format('%s_%s: was taken back because of %s, which proves nothing', prefix, replace(id::text, '-', ''), cause)
FROM (
    SELECT 'pay' AS prefix, payment_id AS id, cause FROM payments_paymenttransition WHERE to_state = 'REVERSED'
    UNION ALL SELECT 'att', attempt_id, cause FROM payments_attempttransition WHERE to_state = 'REVERSED'
    UNION ALL SELECT 'ref', refund_id, cause FROM payments_refundtransition WHERE to_state = 'REVERSED'
) AS taken_back
WHERE cause !~ '^(reversal|net):'
"""

_CAUSES_COUNT_ONCE: Final = """
SELECT format('%s_%s: moved %s times by %s', prefix, replace(id::text, '-', ''), count(*), cause)
FROM (
    SELECT 'pay' AS prefix, payment_id AS id, cause FROM payments_paymenttransition
    UNION ALL SELECT 'att', attempt_id, cause FROM payments_attempttransition
    UNION ALL SELECT 'ref', refund_id, cause FROM payments_refundtransition
    UNION ALL SELECT 'dsp', dispute_id, cause FROM payments_disputetransition
) AS moves
GROUP BY prefix, id, cause HAVING count(*) > 1
"""

_MOVES_ARE_TOLD: Final = """
SELECT CASE
    WHEN told.id IS NULL THEN format('%s_%s: no event tells of %s (version %s)',
                                     CASE moved.kind WHEN 'dispute' THEN 'dsp' ELSE left(moved.kind, 3) END,
                                     replace(moved.thing_id::text, '-', ''), moved.to_state, moved.sequence)
    WHEN moved.thing_id IS NULL THEN format('evt_%s: tells of version %s of a %s that never was',
                                            replace(told.id::text, '-', ''), told.sequence, told.aggregate_type)
    ELSE format('evt_%s: is %s and tells of %s', replace(told.id::text, '-', ''), told.type, moved.to_state)
END
FROM (
    SELECT 'payment' AS kind, payment_id AS thing_id, sequence, to_state FROM payments_paymenttransition
    UNION ALL SELECT 'refund', refund_id, sequence, to_state FROM payments_refundtransition
    UNION ALL SELECT 'dispute', dispute_id, sequence, CASE to_state WHEN 'OPEN' THEN 'OPENED' ELSE to_state END
    FROM payments_disputetransition
) moved
FULL JOIN (
    -- These tell of evidence, which need not move a state.
    SELECT * FROM events_outboxevent WHERE aggregate_type IN ('payment', 'refund', 'dispute')
    AND type NOT IN ('payment.late_evidence', 'payment.excess_recorded', 'payment.capture_reversed',
                     'refund.reversed_in_part', 'dispute.unlinked', 'dispute.linked', 'dispute.excess_recorded',
                     'dispute.contradicted', 'dispute.evidence_due', 'dispute.evidence_missed')
) told
       ON told.aggregate_id = moved.thing_id AND told.sequence = moved.sequence AND told.aggregate_type = moved.kind
WHERE told.id IS NULL OR moved.thing_id IS NULL OR told.type <> moved.kind || '.' || lower(moved.to_state)
"""


def _fold(*, name: str, prefix: str, initial: str, moves: Mapping[str, str]) -> str:
    legal = ", ".join(f"'{before}>{after}'" for before, many in moves.items() for after in many.split())
    return _FOLD.format(name=name, prefix=prefix, initial=initial, legal=legal)


STATEMENTS: Final = MappingProxyType(
    {
        "payments.states_fold": _fold(name="payment", prefix="pay", initial="", moves=_PAYMENT_MOVES),
        "payments.attempt_states_fold": _fold(name="attempt", prefix="att", initial="PREPARED", moves=_ATTEMPT_MOVES),
        "payments.refund_states_fold": _fold(name="refund", prefix="ref", initial="", moves=_REFUND_MOVES),
        "payments.dispute_states_fold": _fold(name="dispute", prefix="dsp", initial="", moves=_DISPUTE_MOVES),
        "payments.breaker_states_fold": _fold(name="breaker", prefix="brk", initial="CLOSED", moves=_BREAKER_MOVES),
        "payments.final_left_by_evidence": _FINAL_LEFT_BY_EVIDENCE,
        "payments.causes_count_once": _CAUSES_COUNT_ONCE,
        "payments.moves_are_told": _MOVES_ARE_TOLD,
    }
)
