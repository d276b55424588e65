"""From what the provider owes us to money at the bank: fees, batches, payouts, what is missing and what is too much."""

from ledger.postings.entries import Parties, Posting, Source, bank, pair, posted, provider, shared
from paymentops.core.money import Money


def provider_fees(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """Fees of one settlement batch and fee kind: 5010 / 1110."""
    lines = pair(shared("5010", amount), provider("1110", provider_account, amount), amount)
    return posted(source, lines, "Provider fees")


def settlement_announced(*, source: Source, provider_account: str, net: Money) -> Posting:
    """A settlement batch of net N is on its way: 1120 / 1110; a negative N swaps the sides."""
    transit, receivable = provider("1120", provider_account, net), provider("1110", provider_account, net)
    lines = pair(receivable, transit, -net) if net.minor < 0 else pair(transit, receivable, net)
    return posted(source, lines, "Settlement announced")


def payout_received(*, source: Source, provider_account: str, bank_account: str, amount: Money) -> Posting:
    """The bank credits R, whatever was announced: 1010 / 1120; a negative R, which pays a negative batch, swaps them.

    What was announced and has not arrived stays open on 1120 until it is due.
    """
    ours, transit = bank(bank_account, amount), provider("1120", provider_account, amount)
    if amount.minor < 0:
        return posted(source, pair(transit, ours, -amount), "Collected by the provider")
    return posted(source, pair(ours, transit, amount), "Payout received")


# --- A payout shorter than announced ------------------------------------------------------------------------------


def shortfall_accepted(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """The approved resolution of a shortfall begins: 1290 / 1120, so that transit is clear and the gap is in sight."""
    lines = pair(shared("1290", amount), provider("1120", provider_account, amount), amount)
    return posted(source, lines, "Shortfall accepted")


def shortfall_arrived(*, source: Source, bank_account: str, amount: Money) -> Posting:
    """What was short arrived later: 1010 / 1290."""
    return posted(source, pair(bank(bank_account, amount), shared("1290", amount), amount), "Shortfall arrived")


def shortfall_was_fees(*, source: Source, amount: Money) -> Posting:
    """What was short proved to be fees of the provider: 5010 / 1290."""
    return posted(source, pair(shared("5010", amount), shared("1290", amount), amount), "Shortfall was fees")


def written_off(*, source: Source, amount: Money) -> Posting:
    """What hangs in suspense, a shortfall or another difference, is given up: 5040 / 1290."""
    return posted(source, pair(shared("5040", amount), shared("1290", amount), amount), "Written off")


# --- More at the bank than announced, or money nobody can name ----------------------------------------------------


def receipt_unidentified(*, source: Source, bank_account: str, amount: Money) -> Posting:
    """More came than was announced, or from nobody we know: 1010 / 2090."""
    return posted(source, pair(bank(bank_account, amount), shared("2090", amount), amount), "Unidentified receipt")


def receipt_identified(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """An unidentified receipt proved to be a payout of this provider account: 2090 / 1120."""
    lines = pair(shared("2090", amount), provider("1120", provider_account, amount), amount)
    return posted(source, lines, "Receipt identified")


def receipt_kept(*, source: Source, amount: Money) -> Posting:
    """An unidentified receipt that nobody can claim any more is ours: 2090 / 4090."""
    return posted(source, pair(shared("2090", amount), shared("4090", amount), amount), "Receipt kept")


# --- The bank and the client --------------------------------------------------------------------------------------


def bank_charges(*, source: Source, bank_account: str, amount: Money) -> Posting:
    """The bank charges for its services: 5010 / 1010."""
    return posted(source, pair(shared("5010", amount), bank(bank_account, amount), amount), "Bank charges")


def client_paid_out(*, source: Source, parties: Parties, bank_account: str, amount: Money) -> Posting:
    """What we owe a client left our bank account: 2010 / 1010."""
    lines = pair(parties.payable(amount.currency), bank(bank_account, amount), amount)
    return posted(source, lines, "Paid out to the client")


# --- Reserves -----------------------------------------------------------------------------------------------------


def reserve_held(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """The provider keeps a reserve: 1130 / 1110."""
    lines = pair(provider("1130", provider_account, amount), provider("1110", provider_account, amount), amount)
    return posted(source, lines, "Reserve held")


def reserve_released(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """The provider gives a reserve back: 1110 / 1130."""
    lines = pair(provider("1110", provider_account, amount), provider("1130", provider_account, amount), amount)
    return posted(source, lines, "Reserve released")
