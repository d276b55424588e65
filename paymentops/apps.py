from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks

from paymentops.celery import app as celery_app
from paymentops.core import failpoints


class PaymentOpsConfig(AppConfig):
    """The composition root as an app: brings the commands, and the Celery application into every process.

    Without the latter, a task sent by a web process would go to Celery's default broker.
    """

    name = "paymentops"
    verbose_name = "PaymentOps"
    celery = celery_app

    def ready(self) -> None:
        """Arm failpoints where a chaos run asks for them, and let Django's checks say where that must not be."""
        checks.register(_check_failpoints, checks.Tags.security)
        failpoints.arm(
            folder=settings.FAILPOINTS, allowed=settings.FAILPOINTS_ALLOWED, environment=settings.ENVIRONMENT
        )


def _check_failpoints(**_: Any) -> list[checks.CheckMessage]:
    return failpoints.check(allowed=settings.FAILPOINTS_ALLOWED, environment=settings.ENVIRONMENT)
