"""Who inside this process listens to which events, and how a dead letter of each kind is handled again.

Rooms register in ``AppConfig.ready``; nothing here touches the database, so an ``apps`` module may import it::

    subscribers.registered.register(
        Subscriber(name="incidents", event_types=frozenset({"alert.fired"}), owner="engineering", handle=open_incident)
    )
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Event:
    """One event as its subscribers see it; ``id`` is the public id, ``evt_…``."""

    id: str
    type: str
    aggregate_type: str
    aggregate_id: UUID
    sequence: int
    data: dict[str, Any]
    occurred_at: datetime
    recorded_at: datetime
    traceparent: str


class Handler(Protocol):
    """What a subscriber does with an event, inside a transaction that also remembers that it was done.

    It only writes to the database (no network: the transaction is open) and raises when it could not do it.
    """

    def __call__(self, *, event: Event, now: datetime) -> None:
        """Handle the event."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One listener.

    Args:
        name: stable; it stands in the inbox, so a renamed subscriber is a new one.
        event_types: the types it wants, ``payment.captured``.
        owner: the team that answers for what it could not handle.
        handle: see ``Handler``.
    """

    name: str
    event_types: frozenset[str]
    owner: str
    handle: Handler

    @property
    def source(self) -> str:
        """The source of its dead letters."""
        return f"subscriber:{self.name}"


class Registry:
    """Subscribers by name, and for other kinds of dead letter the function that handles one again."""

    def __init__(self) -> None:
        self._subscribers: dict[str, Subscriber] = {}
        self._replays: dict[str, Callable[..., None]] = {}

    def register(self, subscriber: Subscriber) -> None:
        """Add a subscriber.

        Raises:
            ImproperlyConfigured: the name is taken.
        """
        if subscriber.name in self._subscribers:
            raise ImproperlyConfigured(f"There are two subscribers named {subscriber.name}.")
        self._subscribers[subscriber.name] = subscriber

    def register_replay(self, kind: str, handle: Callable[..., None]) -> None:
        """Say how dead letters whose source is ``<kind>:…`` are handled again: ``handle(source=, reference=, now=)``.

        Raises:
            ImproperlyConfigured: the kind is taken.
        """
        if kind == "subscriber" or kind in self._replays:
            raise ImproperlyConfigured(f"Dead letters of the kind {kind} are handled elsewhere already.")
        self._replays[kind] = handle

    def wanting(self, event_type: str) -> list[Subscriber]:
        """Return the subscribers of an event type, in the order of their registration."""
        return [subscriber for subscriber in self._subscribers.values() if event_type in subscriber.event_types]

    def named(self, name: str) -> Subscriber | None:
        """Return a subscriber by name."""
        return self._subscribers.get(name)

    def replay_of(self, kind: str) -> Callable[..., None] | None:
        """Return how dead letters of a kind are handled again."""
        return self._replays.get(kind)

    def event_types(self) -> list[str]:
        """Return every type somebody wants, sorted."""
        return sorted({name for subscriber in self._subscribers.values() for name in subscriber.event_types})


registered: Final = Registry()
