"""What every state machine of this room shares: a version to compare and set, and causes that count once."""

from dataclasses import dataclass
from typing import Final, Self

from django.db import models
from django_fsm import FSMModelMixin

SYSTEM: Final = "system"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something moved. The same cause moves the same thing once.

    Args:
        kind: what it was: ``request``, ``dispatch``, ``outcome``, ``inquiry``, ``webhook``, ``lease``, ``expiry``.
        reference: which one, unique within the kind for the thing that moves.
        actor: who: ``system``, an API client's public id, or a person's user name.
        reason: a sentence for a person, where there is one.
    """

    kind: str
    reference: str
    actor: str = SYSTEM
    reason: str = ""

    @property
    def key(self) -> str:
        """The text under which the cause is unique."""
        return f"{self.kind}:{self.reference}"


class Versioned(FSMModelMixin, models.Model):
    """A row with a state machine and a version that grows with every change."""

    version = models.PositiveIntegerField(default=1)

    class Meta:
        abstract = True

    @classmethod
    def lock(cls, pk: object) -> Self:
        """Read the row under its lock, inside the caller's transaction."""
        return cls._default_manager.select_for_update(of=("self",)).get(pk=pk)
