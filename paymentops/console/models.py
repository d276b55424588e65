"""The console keeps nothing; it only names the rights that belong to no table."""

from typing import ClassVar

from django.db import models


class Right(models.Model):
    """Carries permissions; there is no such table."""

    class Meta:
        managed = False
        default_permissions: ClassVar = ()
        permissions: ClassVar = [("read_raw", "Can read the raw records behind a page")]

    def __str__(self) -> str:
        return "console"
