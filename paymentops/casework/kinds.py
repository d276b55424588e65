"""What can be proposed, and who may propose and approve it.

Rooms register in ``AppConfig.ready``; nothing here touches the database, so an ``apps`` module may import it::

    kinds.registered.register(
        Kind(
            name="ledger.journal",
            title="Manual journal",
            may_propose="ledger.propose_journal",
            may_approve="ledger.approve_journal",
        )
    )
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of proposal.

    Args:
        name: the room and the thing, ``ledger.journal``; stable, it stands on every proposal.
        title: what people read.
        may_propose: the permission of those who propose it, ``app.codename``.
        may_approve: the permission of those who approve or reject it.
    """

    name: str
    title: str
    may_propose: str
    may_approve: str


class Registry:
    """Kinds by name."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def register(self, kind: Kind) -> None:
        """Add a kind.

        Raises:
            ImproperlyConfigured: the name is taken by another kind.
        """
        if self._kinds.setdefault(kind.name, kind) != kind:
            raise ImproperlyConfigured(f"There are two kinds of proposal named {kind.name}.")

    def named(self, name: str) -> Kind:
        """Return a kind by name.

        Raises:
            ImproperlyConfigured: nobody registered it.
        """
        try:
            return self._kinds[name]
        except KeyError:
            raise ImproperlyConfigured(f"No room registered proposals of the kind {name}.") from None


registered: Final = Registry()
