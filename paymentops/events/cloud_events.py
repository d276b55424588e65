"""The form in which an event leaves the system: CloudEvents 1.0, Kafka protocol binding, binary mode.

Sources: CloudEvents specification 1.0.2; its Kafka protocol binding 1.0.2, section 3.2; its extensions ``sequence`` and
``distributed tracing``.
"""

import json
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from paymentops.core import ids
from paymentops.events.subscribers import Event

TYPE_PREFIX: Final = "payops"
TYPE_VERSION: Final = "v1"
# PositiveIntegerField ends at 2147483647; with equal width, text order is number order.
SEQUENCE_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class Message:
    """One Kafka record."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


def message(event: Event, *, source: str) -> Message:
    """Return the Kafka record of an event.

    Args:
        event: what happened.
        source: URI reference of the system that tells it, ``/paymentops/production``.
    """
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": source,
        "ce_type": f"{TYPE_PREFIX}.{event.type}.{TYPE_VERSION}",
        "ce_subject": f"{event.aggregate_type}/{_public_id(event)}",
        "ce_time": event.occurred_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "ce_sequence": f"{event.sequence:0{SEQUENCE_DIGITS}d}",
        "content-type": "application/json",
    }
    if event.traceparent:
        # For readers of CloudEvents, and for instrumentation of Kafka clients.
        attributes |= {"ce_traceparent": event.traceparent, "traceparent": event.traceparent}
    return Message(
        key=str(event.aggregate_id).encode(),
        value=json.dumps(event.data, ensure_ascii=False, separators=(",", ":")).encode(),
        headers=tuple((name, value.encode()) for name, value in attributes.items()),
    )


def _public_id(event: Event) -> str:
    prefix = ids.Prefix.__members__.get(event.aggregate_type.upper())
    return ids.public(prefix, event.aggregate_id) if prefix else str(event.aggregate_id)
