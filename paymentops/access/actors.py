"""Who acts, as a value that every operation of a person, a service or a command passes on to its audit row."""

from dataclasses import dataclass
from typing import Self

from paymentops.access.models import ActorKind, User


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something.

    Args:
        kind: person, API client, operator command or the system itself.
        name: the user name, the client's public id, the command, or the part of the system.
        user: the person, where it is one.
        on_behalf_of: for whom, where it is somebody else.
        request_id: the HTTP request it came with.
        ip: the address it came from.
    """

    kind: ActorKind
    name: str
    user: User | None = None
    on_behalf_of: str = ""
    request_id: str = ""
    ip: str | None = None

    @classmethod
    def person(cls, user: User, *, request_id: str = "", ip: str | None = None) -> Self:
        """Return the actor for a member of staff."""
        return cls(ActorKind.PERSON, user.get_username(), user=user, request_id=request_id, ip=ip)

    @classmethod
    def client(cls, public_id: str, *, request_id: str = "", ip: str | None = None) -> Self:
        """Return the actor for a service that calls the API."""
        return cls(ActorKind.CLIENT, public_id, request_id=request_id, ip=ip)

    @classmethod
    def command(cls, name: str, *, on_behalf_of: str = "") -> Self:
        """Return the actor for an operator's command, ``api_client``."""
        return cls(ActorKind.COMMAND, name, on_behalf_of=on_behalf_of)

    @classmethod
    def system(cls, part: str) -> Self:
        """Return the actor for a part of the system that acts by itself, ``events.relay``."""
        return cls(ActorKind.SYSTEM, part)
