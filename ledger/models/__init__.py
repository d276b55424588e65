"""What the ledger keeps: accounts, entries with their lines and transitions, and the periods they fall in.

Rows are written by ``ledger.operations`` only. What a row may look like is enforced by constraints and by the triggers
of the migrations.
"""

from ledger.models.entries import (
    LARGEST_AMOUNT,
    Account,
    CurrentTransaction,
    Entry,
    EntryTransition,
    GuardedBalance,
    Line,
    State,
    TransactionIdField,
)

__all__ = [
    "LARGEST_AMOUNT",
    "Account",
    "CurrentTransaction",
    "Entry",
    "EntryTransition",
    "GuardedBalance",
    "Line",
    "State",
    "TransactionIdField",
]
