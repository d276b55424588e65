"""What reconciliation keeps: sources, statement files, the runs that read them, and their rows."""

from reconciliation.models.files import StatementFile
from reconciliation.models.rows import RejectedRow, Statement, StatementLine, StatementTotal
from reconciliation.models.runs import IngestRun, IngestTransition
from reconciliation.models.sources import Source, SourceKind, ToleranceKind, ToleranceRule

__all__ = [
    "IngestRun",
    "IngestTransition",
    "RejectedRow",
    "Source",
    "SourceKind",
    "Statement",
    "StatementFile",
    "StatementLine",
    "StatementTotal",
    "ToleranceKind",
    "ToleranceRule",
]
