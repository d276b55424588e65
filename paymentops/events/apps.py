from django.apps import AppConfig


class EventsConfig(AppConfig):
    """The room ``events``."""

    name = "paymentops.events"
    label = "events"
