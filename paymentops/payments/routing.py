"""Which provider takes a payment: a pure choice among declared capabilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a payment needs: how the payer pays, in which currency, and whether it is held before it is captured."""

    method: Method
    currency: str
    hold: bool

    def __str__(self) -> str:
        return f"{self.method.value} in {self.currency}{', held and captured later' if self.hold else ''}"

    def is_met_by(self, capabilities: Capabilities) -> bool:
        """Tell whether a provider declares all that is needed."""
        takes_currency = capabilities.currencies is None or self.currency in capabilities.currencies
        return self.method in capabilities.methods and takes_currency and (capabilities.can_hold or not self.hold)


def choose(*, wanted: str, wish: Wish, preferred: str, providers: Mapping[str, Capabilities]) -> Route:
    """Choose a provider: the one asked for, else the preferred one, else the first by name that can take it.

    Raises:
        NoRoute: the provider asked for is unknown or cannot take it, or none can; ``extra["possible"]`` says what each
            of them takes.
    """
    able = sorted(name for name, capabilities in providers.items() if wish.is_met_by(capabilities))
    if wanted:
        return _asked_for(wanted, wish, able, providers)
    if preferred in able:
        return Route(preferred, "preferred")
    if able:
        return Route(able[0], "first by name that can take it")
    raise NoRoute(f"No configured provider takes {wish}.", extra={"possible": _possible(providers)})


def _asked_for(wanted: str, wish: Wish, able: list[str], providers: Mapping[str, Capabilities]) -> Route:
    if wanted not in providers:
        raise NoRoute(
            f"There is no provider {wanted!r}; configured: {', '.join(sorted(providers))}.",
            extra={"possible": _possible(providers)},
        )
    if wanted not in able:
        others = f"{' or '.join(able)} would" if able else "no other would either"
        raise NoRoute(
            f"{wanted} does not take {wish}; {others}.", extra={"possible": _possible({wanted: providers[wanted]})}
        )
    return Route(wanted, "asked for")


def _possible(providers: Mapping[str, Capabilities]) -> list[dict[str, Any]]:
    """Say what providers take; ``currencies`` is ``None`` for all that we know."""
    return [
        {
            "provider": name,
            "methods": sorted(method.value for method in capabilities.methods),
            "currencies": None if capabilities.currencies is None else sorted(capabilities.currencies),
            "capture": ["automatic", "manual"] if capabilities.can_hold else ["automatic"],
        }
        for name, capabilities in sorted(providers.items())
    ]
