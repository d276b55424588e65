"""Which provider takes a payment: a pure choice among declared capabilities."""

from collections.abc import Mapping
from dataclasses import dataclass

from paymentops.core.errors import ApplicationError
from paymentops.providers.contract import Capabilities, Method


class NoRoute(ApplicationError):
    """No provider can take this payment; nothing was accepted and the key is still free."""

    code = "payment.no_route"
    status = 422
    title = "No provider can take this payment"


@dataclass(frozen=True, slots=True)
class Route:
    """The chosen provider and why."""

    provider: str
    reason: str


def choose(*, wanted: str, method: Method, preferred: str, providers: Mapping[str, Capabilities]) -> Route:
    """Choose a provider: the one asked for, else the preferred one, else the first by name that takes the method.

    Raises:
        NoRoute: the provider asked for is unknown or does not take the method, or none does.
    """
    able = sorted(name for name, capabilities in providers.items() if method in capabilities.methods)
    if wanted:
        if wanted not in providers:
            raise NoRoute(f"There is no provider {wanted!r}; configured: {', '.join(sorted(providers))}.")
        if wanted not in able:
            raise NoRoute(f"{wanted} does not take {method.value}. Leave out `provider` to let routing decide.")
        return Route(wanted, "asked for")
    if preferred in able:
        return Route(preferred, "preferred")
    if able:
        return Route(able[0], "only by capability")
    raise NoRoute(f"No configured provider takes {method.value}.")
