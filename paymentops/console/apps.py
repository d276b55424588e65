from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class ConsoleConfig(AppConfig):
    """The room ``console``."""

    name = "paymentops.console"
    label = "console"


class ConsoleAdminConfig(admin_apps.AdminConfig):
    """Django's admin with the console as its site."""

    default = False
    default_site = "paymentops.console.sites.ConsoleSite"
