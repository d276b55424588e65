from django.apps import AppConfig
from django.db.models.signals import post_migrate

from paymentops.access import roles


class AccessConfig(AppConfig):
    """The room ``access``."""

    name = "paymentops.access"
    label = "access"

    def ready(self) -> None:
        """Give the roles their permissions whenever migrations have run."""
        # The one signal we listen to: setting up the database, no business behaviour.
        post_migrate.connect(roles.grant, dispatch_uid="access.roles")
