"""ISO 20022 bank-to-customer messages: camt.052, camt.053 and camt.054, every version."""

from reconciliation.formats.camt.reader import read_notification, read_report, read_statement

__all__ = ["read_notification", "read_report", "read_statement"]
