from django.apps import AppConfig

from paymentops.payments import routes


class PaymentsConfig(AppConfig):
    """The room ``payments``."""

    name = "paymentops.payments"
    label = "payments"

    def ready(self) -> None:
        """Refuse to start with a route table that cannot be used."""
        routes.check()
