"""The incident, what fired, how it moved, whose money is at risk, and what was escalated."""

from paymentops.incidents.models.history import Escalation, IncidentTransition, Signal
from paymentops.incidents.models.incident import Incident, IncidentQuerySet
from paymentops.incidents.models.payments import IncidentPayment

__all__ = ["Escalation", "Incident", "IncidentPayment", "IncidentQuerySet", "IncidentTransition", "Signal"]
