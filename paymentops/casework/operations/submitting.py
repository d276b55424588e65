"""A form counts once, however often it is sent."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from paymentops.access.models import User
from paymentops.casework.models import FormToken
from paymentops.core.errors import InvalidInput

_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,64}")


@dataclass(frozen=True, slots=True)
class Submission:
    """What a form led to: ``result`` of its first submit, and whether this was the first."""

    result: str
    first: bool


@transaction.atomic
def submit_once(*, user: User, action: str, token: str, work: Callable[[], str], now: datetime) -> Submission:
    """Do what a form asks for, in this transaction; the same form a second time returns the first result.

    What ``work`` refuses leaves no token behind, so a corrected form may be sent with the same one. A second submit
    that arrives during the first waits for it.

    Args:
        user: who sent it.
        action: what the form does, ``ledger.propose_journal``.
        token: the random text the form was shown with, 16 to 64 letters, digits, ``_`` or ``-``.
        work: does it and returns what a second submit is answered with, at most 300 characters: an id or an address.
        now: when.

    Raises:
        InvalidInput: the token has another form.
    """
    if not _TOKEN.fullmatch(token):
        raise InvalidInput("The form carries no usable token; open the page again.")
    made = _claim(user=user, action=action, token=token, now=now)
    if made is None:
        return Submission(FormToken.objects.get(user=user, action=action, token=token).result, first=False)
    made.result = work()
    made.save(update_fields=["result"])
    return Submission(made.result, first=True)


def forget_forms(*, before: datetime, limit: int) -> int:
    """Delete tokens of forms sent before a moment; returns how many. Nobody sends such a form any more."""
    old = FormToken.objects.filter(used_at__lt=before).order_by("used_at").values("pk")[:limit]
    deleted, _ = FormToken.objects.filter(pk__in=old).delete()
    return deleted


def _claim(*, user: User, action: str, token: str, now: datetime) -> FormToken | None:
    """Insert the token; a twin waits here until the first submit is committed or undone."""
    try:
        with transaction.atomic():
            return FormToken.objects.create(user=user, action=action, token=token, used_at=now)
    except IntegrityError as error:
        diagnosis = getattr(error.__cause__, "diag", None)
        if diagnosis is None or diagnosis.constraint_name != "form_counts_once":
            raise
        return None
