"""Asking whether somebody may do something, at the moment of doing it."""

from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.core.errors import ApplicationError


class NotAllowed(ApplicationError):
    """The person has not the right, or has it no longer."""

    code = "casework.not_allowed"
    status = 403
    title = "Your rights do not cover this"


def require(*, actor: Actor, permission: str) -> User | None:
    """Return the person as stored now, with the right to do this; services were asked for their scope at the door.

    Raises:
        NotAllowed: the person is inactive or lacks the permission at this moment.
    """
    if actor.user is None:
        return None
    # Read anew: a right taken away since the person signed in no longer counts.
    user = User.objects.get(pk=actor.user.pk)
    if not user.is_active or not user.has_perm(permission):
        raise NotAllowed(f"This needs the permission {permission}; somebody with the role Admin can give it.")
    return user


def require_person(*, actor: Actor, permission: str) -> User:
    """Return the person as stored now, with the right to do this.

    Raises:
        NotAllowed: it is no person, or see ``require``.
    """
    person = require(actor=actor, permission=permission)
    if person is None:
        raise NotAllowed("Only a person can do this.")
    return person
