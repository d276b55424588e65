"""What an entry is before it is written, and the few shapes that all posting rules are made of."""

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


def reversal(*, original: UUID, source: Source, lines: Iterable[PostingLine], description: str = "") -> Posting:
    """Take an entry back: the same lines with the other sign, under a source derived from the original's."""
    opposite = tuple(PostingLine(line.account, -line.amount, line.method) for line in lines)
    derived = Source(source.type, source.id, f"{source.kind}_reversed", source.sequence)
    return Posting(derived, State.POSTED, opposite, description or "Reversal", reverses=original)


def posted(source: Source, lines: tuple[PostingLine, ...], description: str) -> Posting:
    """Make an entry that counts at once."""
    return Posting(source, State.POSTED, lines, description)


def pair(debit: AccountRef, credit: AccountRef, amount: Money, *, method: str = "") -> tuple[PostingLine, PostingLine]:
    """Debit one account and credit the other with a positive amount.

    Raises:
        UnbalancedPosting: the amount is zero or negative, which would post the opposite of the event.
    """
    if amount.minor <= 0:
        raise UnbalancedPosting(f"{amount} cannot be posted; a posting moves a positive amount.")
    return line(debit, amount.minor, method), line(credit, -amount.minor, method)


def line(account: AccountRef, amount: int, method: str) -> PostingLine:
    """Build a line; the method is a dimension of what providers owe us (1110) and of nothing else."""
    return PostingLine(account, amount, method if account.code.startswith("1110:") else "")


def provider(number: str, provider_account: str, amount: Money) -> AccountRef:
    """Name the account ``number`` of a provider account in the currency of an amount."""
    return chart.account(number, amount.currency, part=provider_account)


def shared(number: str, amount: Money) -> AccountRef:
    """Name the one account ``number`` that all clients and providers share, in the currency of an amount."""
    return chart.account(number, amount.currency)


def bank(bank_account: str, amount: Money) -> AccountRef:
    """Name 1010, our account at a bank, in the currency of an amount."""
    return chart.account("1010", amount.currency, part=bank_account)
