"""What every page for people needs from ``access``: who is behind the request."""

from ipaddress import ip_address

from django.http import HttpRequest

from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.core.api import request_id


def person(request: HttpRequest) -> Actor:
    """Return the member of staff behind a console request, with the request's id and address for the audit row.

    Raises:
        TypeError: nobody is signed in; the page forgot to require it.
    """
    if not isinstance(request.user, User):
        raise TypeError("Only a page that requires sign-in may ask who acts.")
    return Actor.person(request.user, request_id=request_id(request), ip=_address(request))


def _address(request: HttpRequest) -> str | None:
    text = request.META.get("REMOTE_ADDR", "")
    try:
        return str(ip_address(text))
    except ValueError:  # a unix socket has none
        return None
