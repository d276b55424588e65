"""Writes of the room ``events``: recording what happened, delivering it here, publishing it to Kafka, dead letters."""

from paymentops.events.operations.burial import bury, in_short
from paymentops.events.operations.dead_letters import (
    MOST_AT_ONCE,
    DeadLetterClosed,
    Preview,
    Replayed,
    ReplayFailed,
    ReplayUnknown,
    discard_dead_letter,
    preview_dead_letter,
    replay_dead_letter,
    replay_dead_letters,
)
from paymentops.events.operations.delivery import Delivery, deliver_due
from paymentops.events.operations.outbox import NotInTransaction, record
from paymentops.events.operations.publication import Publication, publish_due

__all__ = [
    "MOST_AT_ONCE",
    "DeadLetterClosed",
    "Delivery",
    "NotInTransaction",
    "Preview",
    "Publication",
    "ReplayFailed",
    "ReplayUnknown",
    "Replayed",
    "bury",
    "deliver_due",
    "discard_dead_letter",
    "in_short",
    "preview_dead_letter",
    "publish_due",
    "record",
    "replay_dead_letter",
    "replay_dead_letters",
]
