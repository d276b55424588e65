from importlib import import_module

from django.apps import AppConfig

from paymentops.casework import kinds
from paymentops.events import subscribers as events
from paymentops.incidents import proposals


class IncidentsConfig(AppConfig):
    """The room ``incidents``; it listens to what other rooms tell."""

    name = "paymentops.incidents"
    label = "incidents"

    def ready(self) -> None:
        """Listen, and tell the casework what can be proposed. What handles an event needs models."""
        kinds.registered.register(proposals.DISCARD)
        events.registered.register(import_module("paymentops.incidents.subscribers").SUBSCRIBER)
