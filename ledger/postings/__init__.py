"""Posting rules: what each business event writes into the books, from values to values.

A ``Posting`` is one entry before it is written. Every function is one line of the posting table of the ledger's
semantics. Amounts given to them are positive ``Money``, unless they say otherwise; lines are signed minor units, debit
positive. A ``Source`` names the business event, so the same event can never be posted twice.
"""

from ledger.postings.charges import (
    capture_kept,
    captured_in_part,
    captured_late,
    held,
    hold_source,
    sold,
    surplus_found,
    surplus_returned,
)
from ledger.postings.conversions import (
    Conversion,
    converted,
    exchange_result,
)
from ledger.postings.disputes import (
    chargeback_charged_to_client,
    chargeback_lost,
    chargeback_opened,
    chargeback_won,
    dispute_fee,
    dispute_fee_returned,
)
from ledger.postings.entries import (
    LARGEST_LINE_COUNT,
    Parties,
    Posting,
    PostingLine,
    Source,
    UnbalancedPosting,
    lines_digest,
    reversal,
)
from ledger.postings.refunds import (
    refund_came_back,
    refund_failed,
    refund_found,
    refund_paid_again,
    refund_requested,
    refund_succeeded,
)
from ledger.postings.settlements import (
    bank_charges,
    client_paid_out,
    payout_received,
    provider_fees,
    receipt_identified,
    receipt_kept,
    receipt_unidentified,
    reserve_held,
    reserve_released,
    settlement_announced,
    shortfall_accepted,
    shortfall_arrived,
    shortfall_was_fees,
    written_off,
)

__all__ = [
    "LARGEST_LINE_COUNT",
    "Conversion",
    "Parties",
    "Posting",
    "PostingLine",
    "Source",
    "UnbalancedPosting",
    "bank_charges",
    "capture_kept",
    "captured_in_part",
    "captured_late",
    "chargeback_charged_to_client",
    "chargeback_lost",
    "chargeback_opened",
    "chargeback_won",
    "client_paid_out",
    "converted",
    "dispute_fee",
    "dispute_fee_returned",
    "exchange_result",
    "held",
    "hold_source",
    "lines_digest",
    "payout_received",
    "provider_fees",
    "receipt_identified",
    "receipt_kept",
    "receipt_unidentified",
    "refund_came_back",
    "refund_failed",
    "refund_found",
    "refund_paid_again",
    "refund_requested",
    "refund_succeeded",
    "reserve_held",
    "reserve_released",
    "reversal",
    "settlement_announced",
    "shortfall_accepted",
    "shortfall_arrived",
    "shortfall_was_fees",
    "sold",
    "surplus_found",
    "surplus_returned",
    "written_off",
]
