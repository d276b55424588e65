from django.apps import AppConfig


class IdempotencyConfig(AppConfig):
    """The room ``idempotency``."""

    name = "paymentops.idempotency"
    label = "idempotency"
