from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """The room ``payments``."""

    name = "paymentops.payments"
    label = "payments"
