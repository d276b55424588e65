"""Recompute the ledger from its lines up and name every row that does not agree.

Nothing here trusts a trigger or a stored sum: a superuser can switch triggers off. One module per part of the ledger,
each with ``checks() -> Iterator[Check]``.
"""

from collections.abc import Iterator

from django.core.files.storage import Storage

from ledger.verification import balances, chain, entries, journals, periods
from paymentops.core.verification import Check


def checks(*, roots: Storage | None = None) -> Iterator[Check]:
    """Run every check of the ledger, one after the other.

    Args:
        roots: where the files of roots are; by default the storage ``ledger_roots`` of the settings.
    """
    yield from entries.checks()
    yield from chain.checks(roots=roots)
    for part in (balances, journals, periods):
        yield from part.checks()
