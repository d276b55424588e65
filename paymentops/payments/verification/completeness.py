"""Nothing is missing and nothing is stuck: what commits together is there together, what is open goes on by itself.

Invariants 2, 6, 7 and 8 of SEMANTICS section 9.
"""

from types import MappingProxyType
from typing import Final

_ACCEPTED_WHOLE: Final = """
SELECT format('pay_%s: has no %s', replace(payment.id::text, '-', ''), missing)
FROM payments_payment payment, LATERAL (VALUES
    (NOT EXISTS (SELECT FROM idempotency_idempotencykey k WHERE k.id = payment.key_id
                 AND k.operation = 'payments.create' AND k.resource_type = 'payment' AND k.resource_id = payment.id
                 AND k.client_id = payment.client_id), 'idempotency key'),
    (NOT EXISTS (SELECT FROM payments_attempt a WHERE a.payment_id = payment.id AND a.operation = 'AUTHORIZE'),
     'attempt'),
    (NOT EXISTS (SELECT FROM payments_paymenttransition t WHERE t.payment_id = payment.id AND t.sequence = 1),
     'first transition'),
    (NOT EXISTS (SELECT FROM events_outboxevent e WHERE e.aggregate_id = payment.id AND e.sequence = 1),
     'payment.created event')
) AS parts (is_missing, missing)
WHERE is_missing
"""

_KEYS_HAVE_RESOURCE: Final = """
SELECT format('the key %s of %s: its %s does not exist or has another key', k.key, k.operation, k.resource_type)
FROM idempotency_idempotencykey k
LEFT JOIN (
    SELECT 'payment' AS type, 'payments.create' AS operation, id, key_id FROM payments_payment
    UNION ALL SELECT 'capture', 'payments.capture', id, key_id FROM payments_capture
    UNION ALL SELECT 'cancellation', 'payments.cancel', id, key_id FROM payments_cancellation
    UNION ALL SELECT 'resumption', 'payments.resume', id, key_id FROM payments_resumption
    UNION ALL SELECT 'refund', 'payments.refund', id, key_id FROM payments_refund
) made ON made.key_id = k.id AND made.id = k.resource_id AND made.type = k.resource_type
      AND made.operation = k.operation
WHERE made.id IS NULL AND k.operation LIKE 'payments.%'
"""

_REQUESTS_HAVE_KEY: Final = """
SELECT format('%s_%s: has no idempotency key of its client', prefix, replace(made.id::text, '-', ''))
FROM (
    SELECT 'cap' AS prefix, id, key_id, payment_id FROM payments_capture
    UNION ALL SELECT 'can', id, key_id, payment_id FROM payments_cancellation
    UNION ALL SELECT 'res', id, key_id, payment_id FROM payments_resumption
    UNION ALL SELECT 'ref', id, key_id, payment_id FROM payments_refund
) made
LEFT JOIN payments_payment payment ON payment.id = made.payment_id
LEFT JOIN idempotency_idempotencykey k ON k.id = made.key_id AND k.client_id = payment.client_id
WHERE k.id IS NULL
"""

_REQUESTS_HAVE_ATTEMPT: Final = """
SELECT format('%s_%s: has no attempt', prefix, replace(id::text, '-', ''))
FROM (
    SELECT 'cap' AS prefix, id FROM payments_capture c
    WHERE NOT EXISTS (SELECT FROM payments_attempt a WHERE a.capture_id = c.id)
    UNION ALL
    SELECT 'ref', id FROM payments_refund r
    WHERE state NOT IN ('REQUESTED', 'REJECTED', 'CANCELED')
      AND NOT EXISTS (SELECT FROM payments_attempt a WHERE a.refund_id = r.id)
) AS bare
"""

_SENT_ONLY_WHEN_COMMITTED: Final = """
SELECT format('att_%s: %s', replace(attempt.id::text, '-', ''), broken)
FROM payments_attempt attempt
LEFT JOIN (
    SELECT attempt_id, max(number) FILTER (WHERE kind = 'DISPATCH') AS dispatch,
           max(number) FILTER (WHERE kind = 'INQUIRY') AS inquiry,
           max(number) FILTER (WHERE kind = 'COMPLETION') AS completion,
           max(number) FILTER (WHERE kind = 'WITHDRAWAL') AS withdrawal
    FROM payments_providercall GROUP BY attempt_id
) answered ON answered.attempt_id = attempt.id
LEFT JOIN (
    SELECT attempt_id, count(*) AS dispatched FROM payments_attempttransition WHERE to_state = 'DISPATCHED'
    GROUP BY attempt_id
) committed ON committed.attempt_id = attempt.id,
LATERAL (VALUES
    (answered.dispatch > attempt.dispatches,
     format('answer to dispatch %s, only %s committed', answered.dispatch, attempt.dispatches)),
    (answered.inquiry > attempt.inquiries,
     format('answer to inquiry %s, only %s committed', answered.inquiry, attempt.inquiries)),
    (answered.completion > attempt.completions,
     format('answer to completion %s, only %s committed', answered.completion, attempt.completions)),
    (answered.withdrawal > attempt.withdrawals,
     format('answer to withdrawal %s, only %s committed', answered.withdrawal, attempt.withdrawals)),
    (attempt.dispatches <> coalesce(committed.dispatched, 0),
     format('%s dispatches, %s transitions to DISPATCHED', attempt.dispatches, coalesce(committed.dispatched, 0)))
) AS rules (is_broken, broken)
WHERE is_broken
"""

_ANSWERED_ONCE: Final = """
SELECT format('att_%s: %s answers to %s %s', replace(attempt_id::text, '-', ''), count(*), kind, number)
FROM payments_providercall WHERE kind <> 'NOTIFICATION'
GROUP BY attempt_id, kind, number HAVING count(*) > 1
"""

_PROVIDER_KEYS: Final = """
SELECT format('att_%s: its provider key %s was not derived from it', replace(id::text, '-', ''), provider_key)
FROM payments_attempt
WHERE provider_key NOT IN ('po-' || replace(id::text, '-', ''), replace(id::text, '-', ''))
"""

_OPEN: Final = "('PREPARED', 'DISPATCHED', 'PENDING', 'ACTION_REQUIRED', 'UNKNOWN')"

_ONE_OPEN_ATTEMPT: Final = f"""
SELECT format('pay_%s: %s open attempts (%s)', replace(payment_id::text, '-', ''), count(*),
              string_agg(format('att_%s', replace(id::text, '-', '')), ', ' ORDER BY id))
FROM payments_attempt WHERE state IN {_OPEN} AND operation <> 'REFUND'
GROUP BY payment_id HAVING count(*) > 1
UNION ALL
SELECT format('ref_%s: %s open attempts', replace(refund_id::text, '-', ''), count(*))
FROM payments_attempt WHERE state IN {_OPEN} AND operation = 'REFUND'
GROUP BY refund_id HAVING count(*) > 1
"""  # noqa: S608 - from the line above

_ONE_SUCCESS: Final = """
SELECT format('%s_%s: %s attempts succeeded', prefix, replace(id::text, '-', ''), count(*))
FROM (
    SELECT 'pay' AS prefix, payment_id AS id FROM payments_attempt
    WHERE state = 'SUCCEEDED' AND operation = 'AUTHORIZE'
    UNION ALL SELECT 'cap', capture_id FROM payments_attempt WHERE state = 'SUCCEEDED' AND operation = 'CAPTURE'
    UNION ALL SELECT 'ref', refund_id FROM payments_attempt WHERE state = 'SUCCEEDED' AND operation = 'REFUND'
) AS done
GROUP BY prefix, id HAVING count(*) > 1
"""

# Whatever is open must have a moment at which a worker takes it on, whatever has ended must have none.
_NOTHING_STUCK: Final = f"""
SELECT format('att_%s: is %s and nothing will ever take it on', replace(id::text, '-', ''), state)
FROM payments_attempt WHERE state IN {_OPEN} AND next_action_at IS NULL
UNION ALL
SELECT format('att_%s: is %s and still due at %s', replace(id::text, '-', ''), state, next_action_at)
FROM payments_attempt WHERE state NOT IN {_OPEN} AND (next_action_at IS NOT NULL OR lease_expires_at IS NOT NULL)
UNION ALL
SELECT format('pay_%s: is %s and has no open attempt', replace(payment.id::text, '-', ''), payment.state)
FROM payments_payment payment
WHERE payment.state IN ('CREATED', 'PROCESSING', 'REQUIRES_ACTION', 'UNKNOWN_OUTCOME')
  AND NOT EXISTS (SELECT FROM payments_attempt a WHERE a.payment_id = payment.id AND a.state IN {_OPEN}
                  AND a.operation <> 'REFUND')
UNION ALL
SELECT format('ref_%s: is %s and has no open attempt', replace(refund.id::text, '-', ''), refund.state)
FROM payments_refund refund
WHERE refund.state IN ('APPROVED', 'DISPATCHED', 'PENDING', 'ACTION_REQUIRED', 'UNKNOWN')
  AND NOT EXISTS (SELECT FROM payments_attempt a WHERE a.refund_id = refund.id AND a.state IN {_OPEN})
"""  # noqa: S608 - from the line above

# Workers and sweeps look every few seconds; an hour without one means that none runs, or none can take this on.
_NONE_OVERDUE: Final = """
SELECT format('att_%s: %s, due since %s%s', replace(id::text, '-', ''), state, next_action_at,
              CASE WHEN lease_expires_at IS NULL THEN '' ELSE ', when the lease of a dead worker ended' END)
FROM payments_attempt WHERE next_action_at < now() - interval '1 hour'
"""

# A provider did what we believe did not happen, and the payment had no room for it: a person must resolve it.
_NO_EFFECT_IGNORED: Final = """
SELECT format('att_%s: is %s, yet %s %s of %s says that it happened', replace(attempt.id::text, '-', ''),
              attempt.state, lower(call.kind), call.number, attempt.provider)
FROM payments_providercall call JOIN payments_attempt attempt ON attempt.id = call.attempt_id
WHERE call.outcome = 'Approved' AND NOT call.applied AND attempt.state NOT IN ('SUCCEEDED', 'REVERSED')
  -- What was taken back as a whole left nothing behind.
  AND NOT EXISTS (SELECT FROM payments_providercall taken WHERE taken.attempt_id = attempt.id
                  AND taken.outcome = 'Reversed' AND taken.amount >= attempt.amount)
UNION ALL
SELECT format('att_%s: is %s, yet %s says that %s of it was taken back', replace(attempt.id::text, '-', ''),
              attempt.state, attempt.provider, call.amount)
FROM payments_providercall call JOIN payments_attempt attempt ON attempt.id = call.attempt_id
WHERE call.outcome = 'Reversed' AND NOT call.applied
  AND (attempt.state = 'SUCCEEDED' AND call.amount > attempt.reversed
       OR attempt.state NOT IN ('SUCCEEDED', 'REVERSED') AND call.amount < attempt.amount)
"""

# Details wait with an authorisation that waits, and go on by themselves; whatever was not handed in may not be counted.
_RESUMPTIONS_END: Final = """
SELECT format('res_%s: %s', replace(resumption.id::text, '-', ''), broken)
FROM payments_resumption resumption
JOIN payments_attempt attempt ON attempt.id = resumption.attempt_id,
LATERAL (VALUES
    ((resumption.ended_at IS NULL) <> (resumption.details IS NOT NULL),
     'what its payer brought back was kept beyond its end, or lost before it'),
    (resumption.ended_at IS NULL AND attempt.state NOT IN ('ACTION_REQUIRED', 'UNKNOWN'),
     format('waits, while its attempt is %s', attempt.state)),
    (attempt.payment_id <> resumption.payment_id OR attempt.operation <> 'AUTHORIZE',
     'is about an attempt that cannot be resumed'),
    (resumption.hand_ins > attempt.completions,
     format('handed in %s times, its attempt counts %s', resumption.hand_ins, attempt.completions))
) AS rules (is_broken, broken)
WHERE is_broken
"""

# Once sent, nothing is cancelled on our word alone: the provider said that it took it back.
_TAKEN_BACK_WITH_PROOF: Final = """
SELECT format('att_%s: was sent and is CANCELED, and no answer says so', replace(attempt.id::text, '-', ''))
FROM payments_attempt attempt
WHERE attempt.state = 'CANCELED' AND attempt.dispatches > 0
  AND EXISTS (SELECT FROM payments_attempttransition t WHERE t.attempt_id = attempt.id AND t.to_state = 'CANCELED'
              AND t.from_state <> 'PREPARED')
  AND NOT EXISTS (SELECT FROM payments_providercall call WHERE call.attempt_id = attempt.id AND call.applied
                  AND call.outcome = 'Declined')
"""

_NEWS_WORKED_OFF: Final = """
SELECT format('whk_%s of %s: %s', replace(d.id::text, '-', ''), d.provider, broken)
FROM payments_webhookdelivery d, LATERAL (VALUES
    (d.next_try_at < now() - interval '1 hour', format('%s and due since %s', d.state, d.next_try_at)),
    (d.state = 'DEAD' AND NOT EXISTS (
        SELECT FROM events_deadletter l
        WHERE l.source = 'webhook:' || d.provider AND l.reference = 'whk_' || replace(d.id::text, '-', '')),
     'given up without a dead letter')
) AS parts (is_broken, broken)
WHERE is_broken
"""

# Over the limit, money leaves only if a second person agreed; what waits must be there to be decided on.
_SECOND_PERSON_ON_REFUNDS: Final = """
SELECT format('ref_%s: is %s, needed a second person and has %s', replace(refund.id::text, '-', ''), refund.state,
              missing)
FROM payments_refund refund, LATERAL (VALUES
    ('CARRIED_OUT', refund.state NOT IN ('REQUESTED', 'REJECTED', 'CANCELED'), 'no approval'),
    ('PROPOSED', refund.state = 'REQUESTED', 'nothing to decide on')
) AS wanted (state, matters, missing)
WHERE (refund.approval <> '' OR refund.state = 'REQUESTED') AND wanted.matters
  AND NOT EXISTS (SELECT FROM casework_proposal proposal
                  WHERE proposal.kind = 'payments.refund' AND proposal.subject_type = 'refund'
                    AND proposal.subject_id = 'ref_' || replace(refund.id::text, '-', '')
                    AND proposal.state = wanted.state)
"""

STATEMENTS: Final = MappingProxyType(
    {
        "payments.accepted_whole": _ACCEPTED_WHOLE,
        "payments.keys_have_resource": _KEYS_HAVE_RESOURCE,
        "payments.requests_have_key": _REQUESTS_HAVE_KEY,
        "payments.requests_have_attempt": _REQUESTS_HAVE_ATTEMPT,
        "payments.second_person_on_refunds": _SECOND_PERSON_ON_REFUNDS,
        "payments.sent_only_when_committed": _SENT_ONLY_WHEN_COMMITTED,
        "payments.answered_once": _ANSWERED_ONCE,
        "payments.provider_keys_derived": _PROVIDER_KEYS,
        "payments.one_open_attempt": _ONE_OPEN_ATTEMPT,
        "payments.one_success": _ONE_SUCCESS,
        "payments.no_effect_ignored": _NO_EFFECT_IGNORED,
        "payments.resumptions_end": _RESUMPTIONS_END,
        "payments.taken_back_with_proof": _TAKEN_BACK_WITH_PROOF,
        "payments.nothing_stuck": _NOTHING_STUCK,
        "payments.none_overdue": _NONE_OVERDUE,
        "payments.news_worked_off": _NEWS_WORKED_OFF,
    }
)
