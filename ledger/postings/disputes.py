"""Disputes: what a chargeback withholds, what it costs, and how it ends."""

from ledger.postings.entries import Parties, Posting, Source, pair, posted, provider, shared
from paymentops.core.money import Money


def chargeback_opened(*, source: Source, parties: Parties, amount: Money) -> Posting:
    """A dispute takes X: 1210 / 1110."""
    withheld = provider("1210", parties.provider_account, amount)
    lines = pair(withheld, parties.receivable(amount.currency), amount, method=parties.method)
    return posted(source, lines, "Chargeback")


def dispute_fee(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """The provider charges for a dispute: 5020 / 1110."""
    lines = pair(shared("5020", amount), provider("1110", provider_account, amount), amount)
    return posted(source, lines, "Dispute fee")


def chargeback_won(*, source: Source, parties: Parties, amount: Money) -> Posting:
    """A dispute was won and X came back: 1110 / 1210."""
    withheld = provider("1210", parties.provider_account, amount)
    lines = pair(parties.receivable(amount.currency), withheld, amount, method=parties.method)
    return posted(source, lines, "Chargeback won")


def dispute_fee_returned(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """The provider gives the fee of a dispute back, whole or in part: 1110 / 5020."""
    lines = pair(provider("1110", provider_account, amount), shared("5020", amount), amount)
    return posted(source, lines, "Dispute fee returned")


def chargeback_lost(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """A dispute was lost or accepted at our cost: 5030 / 1210."""
    lines = pair(shared("5030", amount), provider("1210", provider_account, amount), amount)
    return posted(source, lines, "Chargeback lost")


def chargeback_charged_to_client(*, source: Source, parties: Parties, amount: Money) -> Posting:
    """A dispute was lost or accepted and the client bears it: 2010 / 1210."""
    withheld = provider("1210", parties.provider_account, amount)
    return posted(source, pair(parties.payable(amount.currency), withheld, amount), "Chargeback charged to the client")
