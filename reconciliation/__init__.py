"""Reconciliation: what providers and banks report, against the ledger."""
