from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """The room ``console``."""

    name = "paymentops.console"
    label = "console"
