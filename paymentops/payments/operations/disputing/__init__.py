"""Disputes: what providers tell of them, in any order, and what is done about them."""

from paymentops.payments.operations.disputing.linking import Charge, link_unlinked
from paymentops.payments.operations.disputing.recording import Recorded, Told, record
from paymentops.payments.operations.disputing.watching import watch

__all__ = ["Charge", "Recorded", "Told", "link_unlinked", "record", "watch"]
