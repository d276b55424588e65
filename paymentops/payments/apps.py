from importlib import import_module

from django.apps import AppConfig

from paymentops.events import subscribers as events
from paymentops.payments import routes


class PaymentsConfig(AppConfig):
    """The room ``payments``; dead letters of providers' notifications are handled again here."""

    name = "paymentops.payments"
    label = "payments"

    def ready(self) -> None:
        """Refuse to start with a route table that cannot be used, and say how a notification is handled again.

        What handles one needs models, which exist only from here on.
        """
        routes.check()
        notifying = import_module("paymentops.payments.operations.notifying")
        events.registered.register_replay("webhook", notifying.replay)
