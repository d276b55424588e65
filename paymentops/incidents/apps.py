from importlib import import_module

from django.apps import AppConfig

from paymentops.events import subscribers as events


class IncidentsConfig(AppConfig):
    """The room ``incidents``; it listens to what other rooms tell."""

    name = "paymentops.incidents"
    label = "incidents"

    def ready(self) -> None:
        """Listen. What handles an event needs models, which exist only from here on."""
        events.registered.register(import_module("paymentops.incidents.subscribers").SUBSCRIBER)
