"""The hold and the charge: authorise, capture, sell at once, and charges that nobody asked for."""

from uuid import UUID

from ledger.models import State
from ledger.postings.entries import Parties, Posting, PostingLine, Source, pair, posted, shared
from paymentops.core.money import Money


def hold_source(*, payment_id: UUID, sequence: int) -> Source:
    """Name the pending entry of an authorisation; ``sequence`` counts the partial captures before it, from 0."""
    return Source("payment", payment_id, "hold", sequence)


def held(*, payment_id: UUID, sequence: int, parties: Parties, amount: Money) -> Posting:
    """Authorise: PENDING 1110 / 2010. A full capture settles this very entry, a void or expiry voids it."""
    source = hold_source(payment_id=payment_id, sequence=sequence)
    return Posting(source, State.PENDING, _charge_lines(parties, amount), "Authorised")


def captured_in_part(
    *, payment_id: UUID, capture_id: UUID, hold_sequence: int, parties: Parties, captured: Money, rest: Money
) -> tuple[Posting, ...]:
    """Capture a part: POSTED for the part and, unless nothing is left, a new PENDING hold for the rest.

    The caller voids hold number ``hold_sequence`` in the same transaction; the new hold has the next number.
    """
    source = Source("capture", capture_id, "captured")
    taken = Posting(source, State.POSTED, _charge_lines(parties, captured), "Captured in part")
    if not rest.minor:
        return (taken,)
    return taken, held(payment_id=payment_id, sequence=hold_sequence + 1, parties=parties, amount=rest)


def sold(*, payment_id: UUID, parties: Parties, amount: Money) -> Posting:
    """Sale without hold: POSTED 1110 / 2010."""
    source = Source("payment", payment_id, "sale")
    return Posting(source, State.POSTED, _charge_lines(parties, amount), "Charged at once")


def captured_late(*, payment_id: UUID, sequence: int, parties: Parties, amount: Money) -> Posting:
    """Late evidence of a capture, after the hold was voided or never known: POSTED 1110 / 2010."""
    source = Source("payment", payment_id, "late_capture", sequence)
    return Posting(source, State.POSTED, _charge_lines(parties, amount), "Captured, found later")


def capture_kept(*, source: Source, parties: Parties, amount: Money) -> Posting:
    """What is left of a capture after a part of it was taken back and its entry reversed: POSTED 1110 / 2010."""
    return Posting(source, State.POSTED, _charge_lines(parties, amount), "Kept after a part was taken back")


def surplus_found(*, source: Source, parties: Parties, amount: Money) -> Posting:
    """A charge nobody asked for stands at the provider: 1110 / 2030, owed back to the customer."""
    due = shared("2030", amount)
    lines = pair(parties.receivable(amount.currency), due, amount, method=parties.method)
    return posted(source, lines, "Surplus found")


def surplus_returned(*, source: Source, parties: Parties, amount: Money) -> Posting:
    """A surplus charge was paid back to the customer: 2030 / 1110."""
    due = shared("2030", amount)
    lines = pair(due, parties.receivable(amount.currency), amount, method=parties.method)
    return posted(source, lines, "Paid back to the customer")


def _charge_lines(parties: Parties, amount: Money) -> tuple[PostingLine, PostingLine]:
    return pair(parties.receivable(amount.currency), parties.payable(amount.currency), amount, method=parties.method)
