"""BAI2 balance reports."""

from reconciliation.formats.bai2.reader import read

__all__ = ["read"]
