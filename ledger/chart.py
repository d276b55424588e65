"""The chart of accounts as data: which accounts can exist, of what kind they are and on which side they stand.

An account is written ``<number>`` or ``<number>:<part>``; the part names the provider account, the client or the bank
account that it belongs to. There is one account per currency. Source: the accounts table of the ledger's semantics.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from paymentops.core.errors import ApplicationError


class Kind(StrEnum):
    """What an account stands for in the books."""

    ASSET = "ASSET"
    LIABILITY = "LIABILITY"
    INCOME = "INCOME"
    EXPENSE = "EXPENSE"
    CLEARING = "CLEARING"


class Side(StrEnum):
    """The side on which an account's balance normally stands; a clearing account has none."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"
    NONE = "NONE"


class UnknownAccount(ApplicationError):
    """A code does not follow the chart of accounts."""

    code = "ledger.unknown_account"
    title = "The chart of accounts has no such account"


@dataclass(frozen=True, slots=True)
class ChartAccount:
    """One line of the chart.

    Args:
        number: the four digits that begin the code.
        name: the name in words, without the part.
        part: what the part after the colon names; empty when the account has none.
        guarded: whether the database refuses a balance on the wrong side. Never set on a hot account, because the
            rule is checked under a lock on the account.
    """

    number: str
    name: str
    kind: Kind
    side: Side
    part: str = ""
    guarded: bool = False


@dataclass(frozen=True, slots=True, order=True)
class AccountRef:
    """Names one account: its code, its name in words and its ISO 4217 currency."""

    code: str
    currency: str
    name: str


_ACCOUNTS: Final = (
    ChartAccount("1010", "bank", Kind.ASSET, Side.DEBIT, part="bank account"),
    ChartAccount("1110", "provider_receivable", Kind.ASSET, Side.DEBIT, part="provider account"),
    ChartAccount("1120", "payout_in_transit", Kind.ASSET, Side.DEBIT, part="provider account"),
    ChartAccount("1130", "provider_reserve", Kind.ASSET, Side.DEBIT, part="provider account", guarded=True),
    ChartAccount("1190", "fx_clearing", Kind.CLEARING, Side.NONE),
    ChartAccount("1210", "dispute_withheld", Kind.ASSET, Side.DEBIT, part="provider account", guarded=True),
    ChartAccount("1290", "recon_suspense", Kind.CLEARING, Side.NONE),
    ChartAccount("2010", "merchant_payable", Kind.LIABILITY, Side.CREDIT, part="client"),
    ChartAccount("2020", "refunds_in_flight", Kind.LIABILITY, Side.CREDIT, guarded=True),
    ChartAccount("2030", "customer_refund_due", Kind.LIABILITY, Side.CREDIT, guarded=True),
    ChartAccount("2090", "unidentified_receipts", Kind.LIABILITY, Side.CREDIT, guarded=True),
    ChartAccount("4050", "fx_gain", Kind.INCOME, Side.CREDIT),
    ChartAccount("4090", "recon_gain", Kind.INCOME, Side.CREDIT),
    ChartAccount("5010", "processing_fees", Kind.EXPENSE, Side.DEBIT),
    ChartAccount("5020", "dispute_fees", Kind.EXPENSE, Side.DEBIT),
    ChartAccount("5030", "chargeback_loss", Kind.EXPENSE, Side.DEBIT),
    ChartAccount("5040", "write_off", Kind.EXPENSE, Side.DEBIT),
    ChartAccount("5050", "fx_loss", Kind.EXPENSE, Side.DEBIT),
)
CHART: Final = MappingProxyType({account.number: account for account in _ACCOUNTS})

# The first digit says what an account is, the first two what it is about.
_GROUPS: Final = MappingProxyType(
    {
        "1": "assets",
        "10": "cash",
        "11": "receivables",
        "12": "withheld and suspense",
        "2": "liabilities",
        "20": "payables",
        "4": "income",
        "40": "gains",
        "5": "expenses",
        "50": "costs and losses",
    }
)


@dataclass(frozen=True, slots=True)
class Branch:
    """One place in the tree of accounts: a group such as ``11``, a line of the chart, or an account in use below it.

    Args:
        code: the digits of a group or line, or the whole code of an account.
        name: the name in words; of an account with a part, the part.
        line: the line of the chart, with kind and normal side; None for a group.
        branches: what stands below, by code.
    """

    code: str
    name: str
    line: ChartAccount | None
    branches: tuple["Branch", ...]


def find(code: str) -> ChartAccount:
    """Return the line of the chart that an account code belongs to.

    Raises:
        UnknownAccount: the number is not in the chart, or the part is missing or one too many.
    """
    number, _, part = code.partition(":")
    line = CHART.get(number)
    if line is None or bool(part) != bool(line.part):
        raise UnknownAccount(f"{code[:80]!r} does not follow the chart of accounts.")
    return line


def account(number: str, currency: str, *, part: str = "") -> AccountRef:
    """Name the account ``number`` of ``part`` in ``currency``.

    Raises:
        UnknownAccount: see ``find``.
    """
    code = f"{number}:{part}" if part else number
    line = find(code)
    return AccountRef(code=code, currency=currency, name=f"{line.name}:{part}" if part else line.name)


def tree(codes: Iterable[str] = ()) -> tuple[Branch, ...]:
    """Return the chart as a tree: assets, receivables, provider_receivable, and the accounts given at the ends.

    Args:
        codes: codes of accounts in use, such as ``1110:sandbox``, in any order; one without a part is its line itself.

    Raises:
        UnknownAccount: see ``find``.
    """
    parts: dict[str, set[str]] = {number: set() for number in CHART}
    for code in codes:
        line = find(code)
        if line.part:
            parts[line.number].add(code)
    return tuple(_group(prefix, parts) for prefix in _GROUPS if len(prefix) == 1)


def path(code: str) -> tuple[str, ...]:
    """Return the codes from the root of the tree down to an account: ``1``, ``11``, ``1110``, ``1110:sandbox``.

    Raises:
        UnknownAccount: see ``find``.
    """
    line = find(code)
    above = (line.number[:1], line.number[:2], line.number)
    return (*above, code) if line.part else above


def _group(prefix: str, parts: dict[str, set[str]]) -> Branch:
    groups = tuple(_group(below, parts) for below in _GROUPS if below[:-1] == prefix)
    return Branch(prefix, _GROUPS[prefix], None, groups or _lines(prefix, parts))


def _lines(prefix: str, parts: dict[str, set[str]]) -> tuple[Branch, ...]:
    return tuple(
        Branch(number, line.name, line, _in_use(line, parts[number]))
        for number, line in CHART.items()
        if number.startswith(prefix)
    )


def _in_use(line: ChartAccount, codes: set[str]) -> tuple[Branch, ...]:
    return tuple(Branch(code, code.partition(":")[2], line, ()) for code in sorted(codes))
