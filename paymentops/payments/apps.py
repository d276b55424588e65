from importlib import import_module

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from paymentops.casework import kinds
from paymentops.events import subscribers as events
from paymentops.payments import proposals, routes
from paymentops.payments.retry import published


class PaymentsConfig(AppConfig):
    """The room ``payments``."""

    name = "paymentops.payments"
    label = "payments"

    def ready(self) -> None:
        """Refuse to start with unusable routes or policies; say what is proposed and how dead letters are handled.

        What handles them needs models, which exist only from here on.

        Raises:
            ImproperlyConfigured: the route table cannot be used, or ``PAYMENTOPS_RETRY_POLICY`` names none that was
                published.
        """
        routes.check()
        try:
            published.policy(settings.RETRY_POLICY)
        except published.NoSuchPolicy as error:
            raise ImproperlyConfigured(f"PAYMENTOPS_RETRY_POLICY: {error}") from error
        for kind in proposals.KINDS:
            kinds.registered.register(kind)
        notifying = import_module("paymentops.payments.operations.notifying")
        events.registered.register_replay("webhook", notifying.replay)
        giving_up = import_module("paymentops.payments.operations.giving_up")
        events.registered.register_replay(giving_up.KIND, giving_up.handle_again)
