"""A submitted form: the same form sent twice has one effect."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from paymentops.access.models import User


class FormToken(models.Model):
    """A form that was carried out, written in the transaction of its effect; ``result`` answers a second submit."""

    id = models.BigAutoField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    action = models.CharField(max_length=80)
    token = models.CharField(max_length=64)
    result = models.CharField(max_length=300, blank=True)
    used_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "action", "token"], name="form_counts_once"),
            models.CheckConstraint(condition=Q(("token__regex", "^[A-Za-z0-9_-]{16,64}$")), name="form_token_is_long"),
        ]
        indexes: ClassVar = [models.Index(fields=["used_at"], name="form_token_by_age")]

    def __str__(self) -> str:
        return f"{self.action} {self.token}"
