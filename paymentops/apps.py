from django.apps import AppConfig

from paymentops.celery import app as celery_app


class PaymentOpsConfig(AppConfig):
    """The composition root as an app: brings the commands, and the Celery application into every process.

    Without the latter, a task sent by a web process would go to Celery's default broker.
    """

    name = "paymentops"
    verbose_name = "PaymentOps"
    celery = celery_app
