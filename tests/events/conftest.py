from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import transaction

from paymentops.core import ids
from paymentops.events import operations
from paymentops.events.models import OutboxEvent
from paymentops.events.subscribers import Event, Registry, Subscriber

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@dataclass
class Listener:
    """A subscriber that writes down what it sees and fails when told to."""

    seen: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    seen_at: datetime | None = None

    def __call__(self, *, event: Event, now: datetime) -> None:
        if event.id in self.failing:
            raise LookupError(f"no row for {event.type}\x00")
        self.seen.append(event.id)
        self.seen_at = now

    def registry(self, *types: str) -> Registry:
        registry = Registry()
        registry.register(
            Subscriber(
                name="ears", event_types=frozenset(types or {"payment.captured"}), owner="engineering", handle=self
            )
        )
        return registry


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def tell(db):
    """Record events of one aggregate, sequence 1, 2, …"""

    def record(*types: str, aggregate_id: UUID | None = None, now: datetime = NOW, first: int = 1) -> list[OutboxEvent]:
        aggregate_id = aggregate_id or ids.new(now)
        with transaction.atomic():
            return [
                operations.record(
                    aggregate_type="payment",
                    aggregate_id=aggregate_id,
                    sequence=number,
                    type=name,
                    data={"amount": "12990"},
                    occurred_at=now,
                    now=now,
                )
                for number, name in enumerate(types, start=first)
            ]

    return record
