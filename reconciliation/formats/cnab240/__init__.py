"""CNAB 240 return files of Brazilian banks, with layouts as data."""

from reconciliation.formats.cnab240.reader import read

__all__ = ["read"]
