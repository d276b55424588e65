from django.apps import AppConfig


class ProvidersConfig(AppConfig):
    """The room ``providers``."""

    name = "paymentops.providers"
    label = "providers"
