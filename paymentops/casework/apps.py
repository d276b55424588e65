from django.apps import AppConfig


class CaseworkConfig(AppConfig):
    """The room ``casework``: what people attach to a thing they work on, and what needs a second person."""

    name = "paymentops.casework"
    label = "casework"
