"""Publishing events to Kafka: at least once, marked only after the acknowledgement, in order per aggregate."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final, Protocol

from paymentops.core import failpoints
from paymentops.core.failpoints import Point
from paymentops.events import queries
from paymentops.events.cloud_events import Message, message
from paymentops.events.models import OutboxEvent
from paymentops.events.operations.burial import in_short
from paymentops.events.operations.single import only_one

logger = logging.getLogger(__name__)

ACKNOWLEDGED_WITHIN_SECONDS: Final = 30


class Sent(Protocol):
    """A record on its way."""

    def get(self, timeout: float | None = None) -> Any:
        """Wait for the acknowledgement; raise when there is none."""


class Producer(Protocol):
    """What is needed of a Kafka producer."""

    def send(self, topic: str, *, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> Sent:
        """Start sending a record."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What one run published, and how many aggregates it had to leave for the next run."""

    published: int = 0
    held_back: int = 0


def publish_due(*, connect: Callable[[], Producer], topic: str, source: str, now: datetime, limit: int) -> Publication:
    """Publish what is pending, about ``limit`` events.

    The first events of all aggregates go out together, then the second ones of those aggregates whose first was
    acknowledged, and so on: a record that fails holds back its own aggregate only. A crash between acknowledgement and
    mark publishes again, which consumers notice by ``ce_id``. Returns at once while another relay publishes, so that
    a broker that is away keeps one worker waiting and not all of them.

    Args:
        connect: returns a producer that waits for every replica; called only when there is something to publish.
        topic: where the records go.
        source: URI reference of this system, ``/paymentops/production``.
        now: when it is published.
        limit: events in one run.
    """
    with only_one("events.publish") as free:
        if not free:
            return Publication()
        aggregates = list(queries.to_publish(limit=limit))
        if not aggregates:
            return Publication()
        producer = connect()
        published, held_back = 0, set()
        for wave in zip_longest(*aggregates):
            rows = [row for row in wave if row is not None and row.aggregate_id not in held_back]
            failed = _publish(rows, producer=producer, topic=topic, source=source, now=now)
            held_back |= failed
            published += len(rows) - len(failed)
    return Publication(published=published, held_back=len(held_back))


def _publish(rows: list[OutboxEvent], *, producer: Producer, topic: str, source: str, now: datetime) -> set[Any]:
    """Send one event of each aggregate, mark what was acknowledged, return the aggregates whose event was not."""
    started = [
        (row, _start(message(queries.as_event(row), source=source), producer=producer, topic=topic)) for row in rows
    ]
    failures = {row.pk: error for row, sent in started if (error := _failure(sent)) is not None}
    failpoints.reach(Point.PUBLICATION_ACKNOWLEDGED)
    acknowledged = [row.pk for row in rows if row.pk not in failures]
    OutboxEvent.objects.filter(pk__in=acknowledged).update(publication_pending=False, published_at=now)
    failpoints.reach(Point.PUBLICATION_MARKED)
    for pk, error in failures.items():
        logger.warning("Kafka did not take %s: %s", pk, in_short(error))
        OutboxEvent.objects.filter(pk=pk).update(last_error=f"kafka: {in_short(error)}")
    return {row.aggregate_id for row in rows if row.pk in failures}


def _start(record: Message, *, producer: Producer, topic: str) -> Sent | Exception:
    try:
        return producer.send(topic, key=record.key, value=record.value, headers=list(record.headers))
    except Exception as error:  # noqa: BLE001 - a record too large, a full buffer: one aggregate waits, others go on
        return error


def _failure(sent: Sent | Exception) -> Exception | None:
    if isinstance(sent, Exception):
        return sent
    try:
        sent.get(timeout=ACKNOWLEDGED_WITHIN_SECONDS)
    except Exception as error:  # noqa: BLE001 - whatever it is, there is no acknowledgement
        return error
    return None
