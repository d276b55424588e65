"""Reads of the room ``reconciliation``."""

from reconciliation.queries.diffs import Change, ChangeKind, LineChange, changes, count_changes
from reconciliation.queries.files import file_with_runs, last_run, rejects, totals
from reconciliation.queries.sources import Tolerance, source, sources, tolerance_at

__all__ = [
    "Change",
    "ChangeKind",
    "LineChange",
    "Tolerance",
    "changes",
    "count_changes",
    "file_with_runs",
    "last_run",
    "rejects",
    "source",
    "sources",
    "tolerance_at",
    "totals",
]
