"""Writes of the ledger: posting, settling, voiding and reversing entries, and sealing them in the background."""

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
from ledger.operations.sealing import RootFileDiffers, Sealed, export_roots, root_file, seal, seal_all, take_root

__all__ = [
    "AccountOnWrongSide",
    "EntryNotFound",
    "EntryNotInState",
    "RootFileDiffers",
    "Sealed",
    "SourceReused",
    "export_roots",
    "post",
    "post_many",
    "reverse",
    "root_file",
    "seal",
    "seal_all",
    "settle",
    "take_root",
    "void",
]
