"""SWIFT MT940 customer statements and MT942 interim reports."""

from reconciliation.formats.mt940.reader import read

__all__ = ["read"]
