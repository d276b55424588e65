"""Charges that came twice, or look as if: looked for at the door and afterwards, kept in groups for people."""

from paymentops.payments.operations.duplicates.at_provider import notice_at_provider
from paymentops.payments.operations.duplicates.groups import Refused, dismiss, remember_alike, remember_refused
from paymentops.payments.operations.duplicates.looking import PossibleDuplicate, alike_after, alike_before, refusal
from paymentops.payments.operations.duplicates.sweeping import find

__all__ = [
    "PossibleDuplicate",
    "Refused",
    "alike_after",
    "alike_before",
    "dismiss",
    "find",
    "notice_at_provider",
    "refusal",
    "remember_alike",
    "remember_refused",
]
