"""Disputes agree with what was told, with their payments and with the ledger (SEMANTICS sections 2 and 3)."""

from types import MappingProxyType
from typing import Final

# Counted in a payment is what its disputes hold and what they took; in another currency, all that was captured.
_ADD_UP: Final = """
SELECT format('pay_%s: disputed %s and charged back %s; its disputes say %s and %s',
              replace(payment.id::text, '-', ''), payment.disputed, payment.charged_back,
              coalesce(told.held, 0), coalesce(told.taken, 0))
FROM payments_payment payment
LEFT JOIN (
    SELECT payment_id, sum(counted) FILTER (WHERE withheld > 0) AS held, sum(counted) FILTER (WHERE lost > 0) AS taken
    FROM payments_dispute WHERE payment_id IS NOT NULL GROUP BY payment_id
) told ON told.payment_id = payment.id
WHERE payment.disputed <> coalesce(told.held, 0) OR payment.charged_back <> coalesce(told.taken, 0)
"""

_FIT_THE_STATE: Final = """
SELECT format('dsp_%s: is %s of %s with %s withheld, %s lost, %s counted', replace(dispute.id::text, '-', ''),
              dispute.state, dispute.amount, dispute.withheld, dispute.lost, dispute.counted)
FROM payments_dispute dispute LEFT JOIN payments_payment payment ON payment.id = dispute.payment_id
WHERE dispute.withheld <> CASE WHEN dispute.state IN ('OPEN', 'UNDER_REVIEW', 'PRE_ARBITRATION', 'ARBITRATION')
                               THEN dispute.amount ELSE 0 END
   OR dispute.lost <> CASE WHEN dispute.state = 'LOST' OR dispute.state = 'ACCEPTED' AND dispute.stage <> 'INQUIRY'
                           THEN dispute.amount ELSE 0 END
   OR dispute.counted <> CASE WHEN payment.id IS NULL OR dispute.withheld + dispute.lost = 0 THEN 0
                              WHEN payment.currency = dispute.currency THEN dispute.withheld + dispute.lost
                              ELSE payment.captured END
"""

# 1210 is what is withheld, 5030 or 2010 what was lost, 5020 the fee, 1110 the opposite of it all.
_AS_IN_THE_LEDGER: Final = """
SELECT format('dsp_%s: %s withheld, %s lost, fee %s; the ledger has %s, %s and %s', replace(dispute.id::text, '-', ''),
              dispute.withheld, dispute.lost, dispute.fee, coalesce(books.withheld, 0), coalesce(books.lost, 0),
              coalesce(books.fee, 0))
FROM payments_dispute dispute
LEFT JOIN (
    SELECT entry.source_id,
           sum(line.amount) FILTER (WHERE account.code LIKE '1210:%') AS withheld,
           sum(line.amount) FILTER (WHERE account.code = '5030' OR account.code LIKE '2010:%') AS lost,
           sum(line.amount) FILTER (WHERE account.code = '5020') AS fee
    FROM ledger_entry entry
    JOIN ledger_line line ON line.entry_id = entry.id
    JOIN ledger_account account ON account.id = line.account_id
    WHERE entry.source_type = 'dispute' AND entry.state IN ('POSTED', 'REVERSED')
    GROUP BY entry.source_id
) books ON books.source_id = dispute.id
WHERE dispute.withheld <> coalesce(books.withheld, 0) OR dispute.lost <> coalesce(books.lost, 0)
   OR dispute.fee <> coalesce(books.fee, 0)
"""

_FOLLOWS_WHAT_WAS_TOLD: Final = """
SELECT format('dsp_%s: %s', replace(dispute.id::text, '-', ''), broken)
FROM payments_dispute dispute
LEFT JOIN LATERAL (
    SELECT * FROM payments_disputenotice notice WHERE notice.dispute_id = dispute.id AND notice.applied
    ORDER BY occurred_at DESC, recorded_at DESC, id DESC LIMIT 1
) newest ON true,
LATERAL (VALUES
    (newest.id IS NULL, 'no notification tells of it'),
    (newest.occurred_at <> dispute.told_at,
     format('follows news of %s, the newest that counted are of %s', dispute.told_at, newest.occurred_at)),
    (newest.state NOT IN ('', dispute.state), format('is %s and was last told %s', dispute.state, newest.state))
) AS rules (is_broken, broken)
WHERE is_broken
"""

_EXCESS_IS_TOLD: Final = """
SELECT format('dsp_%s: has an excess of %s, and %s was told', replace(dispute.id::text, '-', ''), dispute.excess,
              coalesce(told.excess, 0))
FROM payments_dispute dispute
LEFT JOIN (
    SELECT aggregate_id, max((data ->> 'excess')::bigint) AS excess
    FROM events_outboxevent WHERE type = 'dispute.excess_recorded' GROUP BY aggregate_id
) told ON told.aggregate_id = dispute.id
WHERE dispute.excess <> coalesce(told.excess, 0)
"""

STATEMENTS: Final = MappingProxyType(
    {
        "payments.disputes_add_up": _ADD_UP,
        "payments.disputes_fit_state": _FIT_THE_STATE,
        "payments.disputes_as_in_ledger": _AS_IN_THE_LEDGER,
        "payments.disputes_as_told": _FOLLOWS_WHAT_WAS_TOLD,
        "payments.dispute_excess_told": _EXCESS_IS_TOLD,
    }
)
