from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    """The room ``reconciliation``: sources, their statement files, and what stands in them."""

    name = "reconciliation"
    label = "reconciliation"
