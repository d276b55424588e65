"""Refunds: asked for, carried out, failed, found, come back and paid out again."""

from uuid import UUID

from ledger.postings.entries import Parties, Posting, Source, line, pair, posted, shared
from paymentops.core.money import Money


def refund_requested(*, refund_id: UUID, parties: Parties, amount: Money) -> Posting:
    """Refund asked for: 2010 / 2020."""
    lines = pair(parties.payable(amount.currency), shared("2020", amount), amount)
    return posted(Source("refund", refund_id, "requested"), lines, "Refund requested")


def refund_succeeded(*, refund_id: UUID, parties: Parties, requested: Money, refunded: Money) -> Posting:
    """Refund carried out: 2020 / 1110, always releasing what was in flight.

    Where the provider proves another amount than was asked for, the difference is the client's (2010). So 2020, which
    must not stand on the wrong side, never refuses evidence.
    """
    difference = refunded - requested
    lines = (
        line(shared("2020", requested), requested.minor, ""),
        line(parties.payable(requested.currency), difference.minor, ""),
        line(parties.receivable(requested.currency), -refunded.minor, parties.method),
    )
    moved = tuple(made for made in lines if made.amount)
    return posted(Source("refund", refund_id, "succeeded"), moved, "Refund succeeded")


def refund_failed(*, refund_id: UUID, parties: Parties, amount: Money) -> Posting:
    """Refund refused, cancelled or failed: 2020 / 2010."""
    lines = pair(shared("2020", amount), parties.payable(amount.currency), amount)
    return posted(Source("refund", refund_id, "failed"), lines, "Refund failed")


def refund_found(*, refund_id: UUID, sequence: int, parties: Parties, amount: Money) -> Posting:
    """Evidence of a refund with nothing in flight (made in the provider's dashboard, or failed before): 2010 / 1110."""
    lines = pair(parties.payable(amount.currency), parties.receivable(amount.currency), amount, method=parties.method)
    return posted(Source("refund", refund_id, "found", sequence), lines, "Refund found at the provider")


def refund_came_back(*, refund_id: UUID, sequence: int, parties: Parties, amount: Money) -> Posting:
    """The customer's bank returned a refund: 1110 / 2030."""
    due = shared("2030", amount)
    lines = pair(parties.receivable(amount.currency), due, amount, method=parties.method)
    return posted(Source("refund", refund_id, "came_back", sequence), lines, "Refund came back")


def refund_paid_again(*, refund_id: UUID, sequence: int, parties: Parties, amount: Money) -> Posting:
    """A refund that came back was paid to the customer again: 2030 / 1110."""
    lines = pair(shared("2030", amount), parties.receivable(amount.currency), amount, method=parties.method)
    return posted(Source("refund", refund_id, "paid_again", sequence), lines, "Refund paid again")
