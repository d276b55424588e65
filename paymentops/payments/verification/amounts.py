"""Amounts agree with provider evidence, states, limits and the ledger (SEMANTICS section 9, invariants 1, 2, 4)."""

from types import MappingProxyType
from typing import Final

# What an attempt moved is what the answer that was applied to it confirmed.
_AS_PROVED: Final = """
SELECT format('pay_%s: authorised %s, captured %s, refunded %s; its providers confirmed %s, %s and %s',
              replace(payment.id::text, '-', ''), payment.authorized, payment.captured, payment.refunded,
              coalesce(proved.authorized, 0), coalesce(proved.captured, 0), coalesce(proved.refunded, 0))
FROM payments_payment payment
LEFT JOIN (
    SELECT attempt.payment_id,
           coalesce(sum(coalesce(call.captured, call.amount)) FILTER (WHERE operation = 'AUTHORIZE'), 0) AS authorized,
           coalesce(sum(coalesce(call.captured, 0)) FILTER (WHERE operation = 'AUTHORIZE'), 0)
           + coalesce(sum(call.amount) FILTER (WHERE operation = 'CAPTURE'), 0) AS captured,
           coalesce(sum(call.amount - attempt.reversed) FILTER (WHERE operation = 'REFUND'), 0) AS refunded
    FROM payments_attempt attempt
    JOIN payments_providercall call ON call.attempt_id = attempt.id AND call.applied AND call.outcome = 'Approved'
    WHERE attempt.state IN ('SUCCEEDED', 'REVERSED')
    GROUP BY attempt.payment_id
) proved ON proved.payment_id = payment.id
WHERE payment.captured <> coalesce(proved.captured, 0)
   OR payment.refunded <> coalesce(proved.refunded, 0)
   -- What was captured after the hold had gone is authorised by the evidence itself.
   OR payment.authorized <> greatest(coalesce(proved.authorized, 0), payment.captured + payment.voided)
"""

# What was taken back is the highest total that a provider told of, up to what the attempt had moved.
_REVERSALS_AS_PROVED: Final = """
SELECT format('att_%s: is %s with %s taken back; its provider proved %s of the %s that it moved',
              replace(attempt.id::text, '-', ''), attempt.state, attempt.reversed, proved.reversed, proved.moved)
FROM payments_attempt attempt
LEFT JOIN LATERAL (
    SELECT coalesce(max(amount) FILTER (WHERE outcome = 'Reversed'), 0) AS reversed,
           coalesce(max(CASE WHEN attempt.operation = 'AUTHORIZE' THEN captured ELSE amount END)
                    FILTER (WHERE outcome = 'Approved'), 0) AS moved
    FROM payments_providercall WHERE attempt_id = attempt.id AND applied
) proved ON true
WHERE (attempt.reversed > 0 OR attempt.state = 'REVERSED')
  AND (attempt.reversed <> least(proved.reversed, proved.moved)
       OR (attempt.state = 'REVERSED') <> (attempt.reversed = proved.moved))
UNION ALL
SELECT format('pay_%s: %s taken back; its attempts say %s', replace(payment.id::text, '-', ''), payment.reversed,
              coalesce(told.reversed, 0))
FROM payments_payment payment
LEFT JOIN (
    SELECT payment_id, sum(reversed) AS reversed FROM payments_attempt WHERE operation <> 'REFUND' GROUP BY payment_id
) told ON told.payment_id = payment.id
WHERE payment.reversed <> coalesce(told.reversed, 0)
"""

_SUCCESS_HAS_ONE_PROOF: Final = """
SELECT format('att_%s: is %s with %s applied approvals', replace(attempt.id::text, '-', ''), attempt.state,
              count(call.id))
FROM payments_attempt attempt
LEFT JOIN payments_providercall call ON call.attempt_id = attempt.id AND call.applied AND call.outcome = 'Approved'
GROUP BY attempt.id
HAVING count(call.id) <> (attempt.state IN ('SUCCEEDED', 'REVERSED'))::int
"""

# Voided is all that was left when a void succeeded, the hold lapsed or a capture released it; nothing otherwise.
_VOIDED_WITH_CAUSE: Final = """
SELECT format('pay_%s: voided %s without a void or an expiry', replace(payment.id::text, '-', ''), payment.voided)
FROM payments_payment payment
WHERE payment.voided > 0
  AND NOT EXISTS (SELECT FROM payments_attempt a WHERE a.payment_id = payment.id AND a.operation = 'VOID'
                  AND a.state = 'SUCCEEDED')
  AND NOT EXISTS (SELECT FROM payments_paymenttransition t WHERE t.payment_id = payment.id
                  AND (t.cause LIKE 'expiry:%' OR t.cause LIKE 'released:%'))
"""

_FIT_THE_STATE: Final = """
SELECT format('pay_%s: is %s with authorised %s, captured %s, voided %s', replace(id::text, '-', ''), state,
              authorized, captured, voided)
FROM payments_payment
WHERE NOT CASE coalesce(nullif(resume_state, ''), state)
    WHEN 'AUTHORIZED' THEN captured = 0 AND authorized > captured + voided
    -- Of captures that were taken back a part may be left with nothing held.
    WHEN 'PARTIALLY_CAPTURED' THEN captured > 0 AND (authorized > captured + voided
                                                     OR reversed > 0 AND reversed < captured)
    WHEN 'CAPTURED' THEN captured > 0 AND reversed = 0 AND authorized = captured + voided
    WHEN 'VOIDED' THEN captured = 0 AND voided > 0 AND authorized = voided
    WHEN 'EXPIRED' THEN captured = 0 AND authorized = voided
    WHEN 'REVERSED' THEN captured > 0 AND captured = reversed AND authorized = captured + voided
    ELSE authorized = 0 AND captured = 0 AND voided = 0
END
"""

_WITHIN_LIMITS: Final = """
SELECT format('pay_%s: %s', replace(id::text, '-', ''), broken)
FROM payments_payment, LATERAL (VALUES
    (authorized < captured + voided, format('captured %s and voided %s of %s', captured, voided, authorized)),
    (captured > requested, format('captured %s, asked for %s', captured, requested)),
    -- What is disputed is not asked for by us and has no limit; what goes beyond is an excess of its dispute. Nor do we
    -- ask for a capture to be taken back that was refunded: what is missing then is told with the event.
    (refunded + refund_reserved > captured,
     format('refunded %s, reserved %s of %s', refunded, refund_reserved, captured)),
    (reversed > captured, format('%s taken back of %s', reversed, captured)),
    (least(authorized, captured, voided, reversed, refunded, refund_reserved, returned, disputed, charged_back) < 0,
     'a negative amount')
) AS limits (is_broken, broken)
WHERE is_broken
"""

_REFUNDS_ADD_UP: Final = """
SELECT format('pay_%s: refunded %s and reserved %s; its refunds say %s and %s', replace(payment.id::text, '-', ''),
              payment.refunded, payment.refund_reserved, coalesce(asked.done, 0), coalesce(asked.open, 0))
FROM payments_payment payment
LEFT JOIN (
    SELECT payment_id,
           coalesce(sum(amount - reversed) FILTER (WHERE state IN ('SUCCEEDED', 'REVERSED')), 0) AS done,
           coalesce(sum(amount) FILTER (WHERE state IN ('REQUESTED', 'APPROVED', 'DISPATCHED', 'PENDING',
                                                        'ACTION_REQUIRED', 'UNKNOWN')), 0) AS open
    FROM payments_refund GROUP BY payment_id
) asked ON asked.payment_id = payment.id
WHERE payment.refunded <> coalesce(asked.done, 0) OR payment.refund_reserved <> coalesce(asked.open, 0)
"""

# What providers owe us for a payment (1110): posted is what was captured and not given back, pending what is held.
_AS_IN_THE_LEDGER: Final = """
SELECT format('pay_%s: captured less refunded is %s and %s is held; the ledger has %s posted and %s pending',
              replace(payment.id::text, '-', ''), payment.captured - payment.reversed - payment.refunded,
              payment.authorized - payment.captured - payment.voided,
              coalesce(books.posted, 0), coalesce(books.pending, 0))
FROM payments_payment payment
LEFT JOIN (
    SELECT source.payment_id,
           coalesce(sum(line.amount) FILTER (WHERE entry.state IN ('POSTED', 'REVERSED')), 0) AS posted,
           coalesce(sum(line.amount) FILTER (WHERE entry.state = 'PENDING'), 0) AS pending
    FROM (
        SELECT 'payment' AS type, id, id AS payment_id FROM payments_payment
        UNION ALL SELECT 'capture', id, payment_id FROM payments_capture
        UNION ALL SELECT 'refund', id, payment_id FROM payments_refund
    ) source
    JOIN ledger_entry entry ON entry.source_type = source.type AND entry.source_id = source.id
         -- What a payer sent beyond is owed back and counts in none of the payment's amounts.
         AND entry.source_kind <> 'surplus'
    JOIN ledger_line line ON line.entry_id = entry.id
    JOIN ledger_account account ON account.id = line.account_id AND account.code LIKE '1110:%'
    GROUP BY source.payment_id
) books ON books.payment_id = payment.id
WHERE payment.captured - payment.reversed - payment.refunded <> coalesce(books.posted, 0)
   OR payment.authorized - payment.captured - payment.voided <> coalesce(books.pending, 0)
"""

# What is owed to payers (2030) for refunds that came back, whether a new refund has taken it up or not.
_OWED_AS_IN_THE_LEDGER: Final = """
SELECT format('pay_%s: %s came back and is not paid again; the ledger owes the payer %s',
              replace(payment.id::text, '-', ''), payment.returned + coalesce(asked.open, 0), coalesce(books.owed, 0))
FROM payments_payment payment
LEFT JOIN (
    SELECT payment_id, sum(from_returned) AS open FROM payments_refund
    WHERE state IN ('REQUESTED', 'APPROVED', 'DISPATCHED', 'PENDING', 'ACTION_REQUIRED', 'UNKNOWN')
    GROUP BY payment_id
) asked ON asked.payment_id = payment.id
LEFT JOIN (
    SELECT refund.payment_id, -sum(line.amount) AS owed
    FROM payments_refund refund
    JOIN ledger_entry entry ON entry.source_type = 'refund' AND entry.source_id = refund.id
    JOIN ledger_line line ON line.entry_id = entry.id
    JOIN ledger_account account ON account.id = line.account_id AND account.code = '2030'
    GROUP BY refund.payment_id
) books ON books.payment_id = payment.id
WHERE payment.returned + coalesce(asked.open, 0) <> coalesce(books.owed, 0)
"""

_REVERSALS_ARE_TOLD: Final = """
SELECT format('pay_%s: %s taken back, its events tell of %s', replace(payment.id::text, '-', ''), payment.reversed,
              coalesce(told.reversed, 0))
FROM payments_payment payment
LEFT JOIN (
    SELECT aggregate_id, sum((data->>'taken_back')::bigint) AS reversed FROM events_outboxevent
    WHERE type = 'payment.capture_reversed' GROUP BY aggregate_id
) told ON told.aggregate_id = payment.id
WHERE payment.reversed <> coalesce(told.reversed, 0)
"""

_NO_ENTRY_WITHOUT_CAUSE: Final = """
SELECT format('ent_%s: posted for a %s that does not exist', replace(entry.id::text, '-', ''), entry.source_type)
FROM ledger_entry entry
WHERE entry.source_type IN ('payment', 'capture', 'refund', 'dispute')
  AND NOT EXISTS (SELECT FROM payments_payment WHERE id = entry.source_id AND entry.source_type = 'payment')
  AND NOT EXISTS (SELECT FROM payments_capture WHERE id = entry.source_id AND entry.source_type = 'capture')
  AND NOT EXISTS (SELECT FROM payments_refund WHERE id = entry.source_id AND entry.source_type = 'refund')
  AND NOT EXISTS (SELECT FROM payments_dispute WHERE id = entry.source_id AND entry.source_type = 'dispute')
"""

_EXCESS_IS_TOLD: Final = """
SELECT CASE WHEN entry.id IS NULL THEN format('evt_%s: tells of an excess that is not posted',
                                              replace(told.id::text, '-', ''))
            ELSE format('ent_%s: is an excess that no event tells of', replace(entry.id::text, '-', '')) END
FROM (SELECT * FROM ledger_entry WHERE source_type = 'payment' AND source_kind = 'surplus') entry
FULL JOIN (SELECT * FROM events_outboxevent WHERE type = 'payment.excess_recorded') told
       ON told.aggregate_id = entry.source_id AND told.sequence = entry.source_sequence
WHERE entry.id IS NULL OR told.id IS NULL
"""

STATEMENTS: Final = MappingProxyType(
    {
        "payments.amounts_as_proved": _AS_PROVED,
        "payments.reversals_as_proved": _REVERSALS_AS_PROVED,
        "payments.reversals_are_told": _REVERSALS_ARE_TOLD,
        "payments.success_has_one_proof": _SUCCESS_HAS_ONE_PROOF,
        "payments.voided_with_cause": _VOIDED_WITH_CAUSE,
        "payments.amounts_fit_state": _FIT_THE_STATE,
        "payments.amounts_within_limits": _WITHIN_LIMITS,
        "payments.refunds_add_up": _REFUNDS_ADD_UP,
        "payments.amounts_as_in_ledger": _AS_IN_THE_LEDGER,
        "payments.owed_as_in_ledger": _OWED_AS_IN_THE_LEDGER,
        "payments.no_entry_without_cause": _NO_ENTRY_WITHOUT_CAUSE,
        "payments.excess_is_told": _EXCESS_IS_TOLD,
    }
)
