"""Posting rules: what each business event writes into the books, from values to values.

A ``Posting`` is one entry before it is written. Every function below is one line of the posting table of the ledger's
semantics. Amounts given to them are positive ``Money``; lines are signed minor units, debit positive. A ``Source``
names the business event, so the same event can never be posted twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

from ledger import chart
from ledger.chart import AccountRef
from ledger.models import LARGEST_AMOUNT, State
from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money

LARGEST_LINE_COUNT: Final = 32_767


class UnbalancedPosting(ApplicationError):
    """Lines do not make an entry: too few, a zero, an amount beyond bigint, or a sum that is not zero."""

    code = "ledger.unbalanced"
    status = 422
    title = "These lines do not make a balanced entry"


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """The business event an entry stands for: unique in the ledger.

    Args:
        type: the kind of thing, for example ``payment``, ``capture`` or ``refund``.
        id: the thing.
        kind: what happened to it, for example ``authorised``.
        sequence: counts where the same can happen to a thing several times, from 0.
    """

    type: str
    id: UUID
    kind: str
    sequence: int = 0

    def __str__(self) -> str:
        return f"{self.type} {self.id.hex} {self.kind} {self.sequence}"


@dataclass(frozen=True, slots=True)
class PostingLine:
    """A signed amount in minor units, debit positive, on one account; ``method`` is how the payer paid, or empty."""

    account: AccountRef
    amount: int
    method: str = ""


@dataclass(frozen=True, slots=True)
class Posting:
    """One entry before it is written: its source, its first state (PENDING or POSTED) and its balanced lines.

    ``reverses`` is the id of the entry it takes back, where it is a reversal.

    Raises:
        UnbalancedPosting: the lines do not make an entry.
    """

    source: Source
    state: State
    lines: tuple[PostingLine, ...]
    description: str = ""
    reverses: UUID | None = None

    def __post_init__(self) -> None:
        if not 2 <= len(self.lines) <= LARGEST_LINE_COUNT:
            raise UnbalancedPosting(
                f"An entry has 2 to {LARGEST_LINE_COUNT} lines; {self.source} has {len(self.lines)}."
            )
        totals: dict[str, int] = defaultdict(int)
        for line in self.lines:
            if not 0 < abs(line.amount) <= LARGEST_AMOUNT:
                raise UnbalancedPosting(f"{line.amount} cannot be an amount of a line of {self.source}.")
            totals[line.account.currency] += line.amount
        for currency, total in totals.items():
            if total:
                raise UnbalancedPosting(f"The {currency} lines of {self.source} add up to {total}, not to zero.")


@dataclass(frozen=True, slots=True)
class Parties:
    """Who stands on the two sides of a charge: the client (``cli_…``), the provider account, and how was paid."""

    client: str
    provider_account: str
    method: str

    def receivable(self, currency: str) -> AccountRef:
        """Return 1110, what the provider owes us."""
        return chart.account("1110", currency, part=self.provider_account)

    def payable(self, currency: str) -> AccountRef:
        """Return 2010, what we owe the client."""
        return chart.account("2010", currency, part=self.client)


def lines_digest(lines: Iterable[PostingLine], *, account_ids: Mapping[AccountRef, int]) -> bytes:
    """Return the SHA-256 that the header of an entry keeps of its lines.

    The canonical form has one row per line, ``number|account id|currency|amount|method``, joined by newlines. The
    database computes the same in ``ledger_line_complete``.
    """
    rows = (
        f"{number}|{account_ids[line.account]}|{line.account.currency}|{line.amount}|{line.method}"
        for number, line in enumerate(lines, start=1)
    )
    return sha256("\n".join(rows).encode()).digest()


# --- The hold and the charge ------------------------------------------------------------------------------------


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


def surplus_found(*, source: Source, parties: Parties, amount: Money) -> Posting:
    """A charge nobody asked for stands at the provider: 1110 / 2030, owed back to the customer."""
    due = chart.account("2030", amount.currency)
    lines = _pair(parties.receivable(amount.currency), due, amount, method=parties.method)
    return _posted(source, lines, "Surplus found")


def surplus_returned(*, source: Source, parties: Parties, amount: Money) -> Posting:
    """A surplus charge, or a refund that came back, was paid to the customer: 2030 / 1110."""
    due = chart.account("2030", amount.currency)
    lines = _pair(due, parties.receivable(amount.currency), amount, method=parties.method)
    return _posted(source, lines, "Paid back to the customer")


# --- Refunds ----------------------------------------------------------------------------------------------------


def refund_requested(*, refund_id: UUID, parties: Parties, amount: Money) -> Posting:
    """Refund asked for: 2010 / 2020."""
    lines = _pair(parties.payable(amount.currency), _in_flight(amount), amount)
    return _posted(Source("refund", refund_id, "requested"), lines, "Refund requested")


def refund_succeeded(*, refund_id: UUID, parties: Parties, requested: Money, refunded: Money) -> Posting:
    """Refund carried out: 2020 / 1110, always releasing what was in flight.

    Where the provider proves another amount than was asked for, the difference is the client's (2010). So 2020, which
    must not stand on the wrong side, never refuses evidence.
    """
    difference = refunded - requested
    lines = (
        _line(_in_flight(requested), requested.minor, ""),
        _line(parties.payable(requested.currency), difference.minor, ""),
        _line(parties.receivable(requested.currency), -refunded.minor, parties.method),
    )
    moved = tuple(line for line in lines if line.amount)
    return _posted(Source("refund", refund_id, "succeeded"), moved, "Refund succeeded")


def refund_failed(*, refund_id: UUID, parties: Parties, amount: Money) -> Posting:
    """Refund refused, cancelled or failed: 2020 / 2010."""
    lines = _pair(_in_flight(amount), parties.payable(amount.currency), amount)
    return _posted(Source("refund", refund_id, "failed"), lines, "Refund failed")


def refund_found(*, refund_id: UUID, sequence: int, parties: Parties, amount: Money) -> Posting:
    """Evidence of a refund with nothing in flight (made in the provider's dashboard, or failed before): 2010 / 1110."""
    lines = _pair(parties.payable(amount.currency), parties.receivable(amount.currency), amount, method=parties.method)
    return _posted(Source("refund", refund_id, "found", sequence), lines, "Refund found at the provider")


def refund_came_back(*, refund_id: UUID, sequence: int, parties: Parties, amount: Money) -> Posting:
    """The customer's bank returned a refund: 1110 / 2030."""
    due = chart.account("2030", amount.currency)
    lines = _pair(parties.receivable(amount.currency), due, amount, method=parties.method)
    return _posted(Source("refund", refund_id, "came_back", sequence), lines, "Refund came back")


# --- Fees, payouts, reserves, disputes --------------------------------------------------------------------------


def provider_fees(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """Fees of one settlement batch and fee kind: 5010 / 1110."""
    fees = chart.account("5010", amount.currency)
    return _posted(source, _pair(fees, _provider("1110", provider_account, amount), amount), "Provider fees")


def settlement_announced(*, source: Source, provider_account: str, net: Money) -> Posting:
    """A settlement batch of net N is on its way: 1120 / 1110; a negative N swaps the sides."""
    transit, receivable = _provider("1120", provider_account, net), _provider("1110", provider_account, net)
    lines = _pair(receivable, transit, -net) if net.minor < 0 else _pair(transit, receivable, net)
    return _posted(source, lines, "Settlement announced")


def payout_received(*, source: Source, provider_account: str, bank_account: str, amount: Money) -> Posting:
    """The bank credits R, whatever was announced: 1010 / 1120."""
    bank = chart.account("1010", amount.currency, part=bank_account)
    return _posted(source, _pair(bank, _provider("1120", provider_account, amount), amount), "Payout received")


def reserve_held(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """The provider keeps a reserve: 1130 / 1110."""
    reserve = _provider("1130", provider_account, amount)
    return _posted(source, _pair(reserve, _provider("1110", provider_account, amount), amount), "Reserve held")


def reserve_released(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """The provider gives a reserve back: 1110 / 1130."""
    reserve = _provider("1130", provider_account, amount)
    return _posted(source, _pair(_provider("1110", provider_account, amount), reserve, amount), "Reserve released")


def chargeback_opened(*, source: Source, parties: Parties, amount: Money) -> Posting:
    """A dispute takes X: 1210 / 1110."""
    withheld = _provider("1210", parties.provider_account, amount)
    lines = _pair(withheld, parties.receivable(amount.currency), amount, method=parties.method)
    return _posted(source, lines, "Chargeback")


def chargeback_won(*, source: Source, parties: Parties, amount: Money) -> Posting:
    """A dispute was won and X came back: 1110 / 1210."""
    withheld = _provider("1210", parties.provider_account, amount)
    lines = _pair(parties.receivable(amount.currency), withheld, amount, method=parties.method)
    return _posted(source, lines, "Chargeback won")


def chargeback_lost(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """A dispute was lost or accepted at our cost: 5030 / 1210."""
    loss = chart.account("5030", amount.currency)
    return _posted(source, _pair(loss, _provider("1210", provider_account, amount), amount), "Chargeback lost")


def dispute_fee(*, source: Source, provider_account: str, amount: Money) -> Posting:
    """The provider charges for a dispute: 5020 / 1110; a returned fee is the reversal of this entry."""
    fees = chart.account("5020", amount.currency)
    return _posted(source, _pair(fees, _provider("1110", provider_account, amount), amount), "Dispute fee")


# --- Reversal ---------------------------------------------------------------------------------------------------


def reversal(*, original: UUID, source: Source, lines: Iterable[PostingLine], description: str = "") -> Posting:
    """Take an entry back: the same lines with the other sign, under a source derived from the original's."""
    opposite = tuple(PostingLine(line.account, -line.amount, line.method) for line in lines)
    derived = Source(source.type, source.id, f"{source.kind}_reversed", source.sequence)
    return Posting(derived, State.POSTED, opposite, description or "Reversal", reverses=original)


def _posted(source: Source, lines: tuple[PostingLine, ...], description: str) -> Posting:
    return Posting(source, State.POSTED, lines, description)


def _pair(debit: AccountRef, credit: AccountRef, amount: Money, *, method: str = "") -> tuple[PostingLine, PostingLine]:
    """Debit one account and credit the other with a positive amount.

    Raises:
        UnbalancedPosting: the amount is zero or negative, which would post the opposite of the event.
    """
    if amount.minor <= 0:
        raise UnbalancedPosting(f"{amount} cannot be posted; a posting moves a positive amount.")
    return _line(debit, amount.minor, method), _line(credit, -amount.minor, method)


def _line(account: AccountRef, amount: int, method: str) -> PostingLine:
    """Build a line; the method is a dimension of what providers owe us (1110) and of nothing else."""
    return PostingLine(account, amount, method if account.code.startswith("1110:") else "")


def _charge_lines(parties: Parties, amount: Money) -> tuple[PostingLine, PostingLine]:
    return _pair(parties.receivable(amount.currency), parties.payable(amount.currency), amount, method=parties.method)


def _in_flight(amount: Money) -> AccountRef:
    return chart.account("2020", amount.currency)


def _provider(number: str, provider_account: str, amount: Money) -> AccountRef:
    return chart.account(number, amount.currency, part=provider_account)
