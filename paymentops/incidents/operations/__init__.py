"""Writes of the room ``incidents``."""

from paymentops.incidents.operations.moving import MAY_WORK, Deed, IncidentChanged, IncidentNotFound
from paymentops.incidents.operations.owning import accept, assign, claim, decline, hand_over, release
from paymentops.incidents.operations.raising import Affected, Report, raise_incident
from paymentops.incidents.operations.watching import watch
from paymentops.incidents.operations.working import (
    PaymentNotLinked,
    PaymentsUnresolved,
    acknowledge,
    close,
    merge,
    mitigate,
    monitor,
    resolve,
    settle_payment,
    suppress,
)

__all__ = [
    "MAY_WORK",
    "Affected",
    "Deed",
    "IncidentChanged",
    "IncidentNotFound",
    "PaymentNotLinked",
    "PaymentsUnresolved",
    "Report",
    "accept",
    "acknowledge",
    "assign",
    "claim",
    "close",
    "decline",
    "hand_over",
    "merge",
    "mitigate",
    "monitor",
    "raise_incident",
    "release",
    "resolve",
    "settle_payment",
    "suppress",
    "watch",
]
