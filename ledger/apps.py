from django.apps import AppConfig

from ledger import proposals
from paymentops.casework import kinds


class LedgerConfig(AppConfig):
    """The room ``ledger``: accounts, entries, lines and their verification."""

    name = "ledger"
    label = "ledger"

    def ready(self) -> None:
        """Tell the casework what can be proposed to the ledger."""
        for kind in proposals.KINDS:
            kinds.registered.register(kind)
