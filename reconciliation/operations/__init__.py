"""Writes of the room ``reconciliation``."""

from reconciliation.operations.ingesting import Worker, clean_refused, ingest, ingest_due, resume
from reconciliation.operations.receiving import FileInTransit, Received, SourceInactive, read_again, receive
from reconciliation.operations.sources import (
    SourceDeclaration,
    SourceNotUsable,
    add_tolerance,
    change_source,
    create_source,
)

__all__ = [
    "FileInTransit",
    "Received",
    "SourceDeclaration",
    "SourceInactive",
    "SourceNotUsable",
    "Worker",
    "add_tolerance",
    "change_source",
    "clean_refused",
    "create_source",
    "ingest",
    "ingest_due",
    "read_again",
    "receive",
    "resume",
]
