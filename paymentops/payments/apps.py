from importlib import import_module

from django.apps import AppConfig

from paymentops.casework import kinds
from paymentops.events import subscribers as events
from paymentops.payments import proposals, routes


class PaymentsConfig(AppConfig):
    """The room ``payments``."""

    name = "paymentops.payments"
    label = "payments"

    def ready(self) -> None:
        """Refuse to start with a route table that cannot be used; say what is proposed and how news is handled again.

        What handles a notification needs models, which exist only from here on.
        """
        routes.check()
        for kind in proposals.KINDS:
            kinds.registered.register(kind)
        notifying = import_module("paymentops.payments.operations.notifying")
        events.registered.register_replay("webhook", notifying.replay)
