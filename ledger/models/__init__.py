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
from ledger.models.periods import (
    Period,
    PeriodBalance,
    PeriodSnapshot,
    PeriodState,
    PeriodTotal,
    PeriodTransition,
)
from ledger.models.sealing import BalanceSnapshot, ChainHead, ChainLink, ChainRoot, FoldedBalance, Movement

__all__ = [
    "LARGEST_AMOUNT",
    "Account",
    "BalanceSnapshot",
    "ChainHead",
    "ChainLink",
    "ChainRoot",
    "CurrentTransaction",
    "Entry",
    "EntryTransition",
    "FoldedBalance",
    "GuardedBalance",
    "Line",
    "Movement",
    "Period",
    "PeriodBalance",
    "PeriodSnapshot",
    "PeriodState",
    "PeriodTotal",
    "PeriodTransition",
    "State",
    "TransactionIdField",
]
