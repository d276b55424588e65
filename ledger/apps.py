from django.apps import AppConfig


class LedgerConfig(AppConfig):
    """The room ``ledger``: accounts, entries, lines and their verification."""

    name = "ledger"
    label = "ledger"
