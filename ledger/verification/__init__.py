"""Recompute the ledger from its lines up and name every row that does not agree.

Nothing here trusts a trigger or a stored sum: a superuser can switch triggers off. One module per part of the ledger,
each with ``checks() -> Iterator[Check]``.
"""

from collections.abc import Iterator

from ledger.verification import balances, chain, entries, journals, periods
from paymentops.core.verification import Check


def checks() -> Iterator[Check]:
    """Run every check of the ledger, one after the other."""
    for part in (entries, chain, balances, journals, periods):
        yield from part.checks()
