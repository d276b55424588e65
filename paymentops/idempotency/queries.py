"""Reads of the room ``idempotency``: what became of a key."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Max, Q

from paymentops.core import ids
from paymentops.core.errors import NotFound
from paymentops.idempotency.models import IdempotencyKey, UseOutcome


class KeyUnknown(NotFound):
    """The client has never had a request accepted under this key."""

    code = "idempotency.key_unknown"
    title = "This key was never used"


@dataclass(frozen=True, slots=True)
class KeyStory:
    """The first accepted use of a key for one operation, and what came after it."""

    first: IdempotencyKey
    replays: int
    refused_reuses: int
    last_replay_at: datetime | None

    @property
    def resource(self) -> str:
        """The public id of what the first use made, ``pay_…``."""
        return ids.public(ids.Prefix[self.first.resource_type.upper()], self.first.resource_id)


def stories_of(*, client_id: UUID, key: str) -> list[KeyStory]:
    """Return the client's own uses of a key, one per operation, the earliest first. One query.

    Raises:
        KeyUnknown: the client has none.
    """
    replayed = Q(uses__outcome=UseOutcome.REPLAYED)
    found = (
        IdempotencyKey.objects.filter(key=key, client_id=client_id)
        .annotate(
            replays=Count("uses", filter=replayed),
            refused_reuses=Count("uses", filter=Q(uses__outcome=UseOutcome.REFUSED)),
            last_replay_at=Max("uses__at", filter=replayed),
        )
        .order_by("created_at", "id")
    )
    stories = [KeyStory(row, row.replays, row.refused_reuses, row.last_replay_at) for row in found]
    if not stories:
        raise KeyUnknown("No accepted request of this client carries this key; a refused request leaves no key behind.")
    return stories
