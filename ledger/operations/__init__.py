"""Writes of the ledger: posting, settling, voiding and reversing entries, and sealing them in the background."""

from ledger.operations.accounts import AccountNotEmpty, AccountNotFound, close_account, reopen_account
from ledger.operations.balances import BalanceCheck, check_balance, check_next_balance, rebuild_balances
from ledger.operations.journals import (
    NotReversedByHand,
    approve_journal,
    approve_reversal,
    propose_journal,
    propose_reversal,
)
from ledger.operations.posting import (
    AccountClosed,
    AccountOnWrongSide,
    EntryNotFound,
    EntryNotInState,
    SourceReused,
    post,
    post_many,
    reverse,
    settle,
    void,
)
from ledger.operations.sealing import RootFileDiffers, Sealed, export_roots, root_file, seal, seal_all, take_root

__all__ = [
    "AccountClosed",
    "AccountNotEmpty",
    "AccountNotFound",
    "AccountOnWrongSide",
    "BalanceCheck",
    "EntryNotFound",
    "EntryNotInState",
    "NotReversedByHand",
    "RootFileDiffers",
    "Sealed",
    "SourceReused",
    "approve_journal",
    "approve_reversal",
    "check_balance",
    "check_next_balance",
    "close_account",
    "export_roots",
    "post",
    "post_many",
    "propose_journal",
    "propose_reversal",
    "rebuild_balances",
    "reopen_account",
    "reverse",
    "root_file",
    "seal",
    "seal_all",
    "settle",
    "take_root",
    "void",
]
