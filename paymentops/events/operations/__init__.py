"""Writes of the room ``events``: recording what happened, delivering it here, publishing it to Kafka, dead letters."""

from paymentops.events.operations.burial import bury, in_short
from paymentops.events.operations.dead_letters import ReplayFailed, ReplayUnknown, replay_dead_letter
from paymentops.events.operations.delivery import Delivery, deliver_due
from paymentops.events.operations.outbox import NotInTransaction, record
from paymentops.events.operations.publication import Publication, publish_due

__all__ = [
    "Delivery",
    "NotInTransaction",
    "Publication",
    "ReplayFailed",
    "ReplayUnknown",
    "bury",
    "deliver_due",
    "in_short",
    "publish_due",
    "record",
    "replay_dead_letter",
]
