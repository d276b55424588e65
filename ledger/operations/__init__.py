"""Writes of the ledger: posting, settling, voiding and reversing entries."""

from ledger.operations.posting import (
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

__all__ = [
    "AccountOnWrongSide",
    "EntryNotFound",
    "EntryNotInState",
    "SourceReused",
    "post",
    "post_many",
    "reverse",
    "settle",
    "void",
]
