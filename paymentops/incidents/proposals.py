"""What people propose while they work on trouble, as the casework knows it; registered when Django starts."""

from typing import Final

from paymentops.casework.kinds import Kind

DISCARD: Final = Kind(
    name="events.discard",
    title="Discarding a dead letter",
    may_propose="events.replay_deadletter",
    may_approve="events.discard_deadletter",
)
