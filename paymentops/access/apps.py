from django.apps import AppConfig


class AccessConfig(AppConfig):
    """The room ``access``."""

    name = "paymentops.access"
    label = "access"
