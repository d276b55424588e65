"""PayPal settlement reports (STL)."""

from reconciliation.formats.paypal.reader import read

__all__ = ["read"]
