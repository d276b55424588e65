"""Which providers there are. Adding one is a folder under ``adapters`` and a line here."""

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from paymentops.core.errors import ApplicationError
from paymentops.providers.adapters.adyen import adapter as adyen
from paymentops.providers.adapters.pix import adapter as pix
from paymentops.providers.adapters.sandbox import adapter as sandbox
from paymentops.providers.adapters.stripe import adapter as stripe
from paymentops.providers.contract import Capabilities, Provider

_ADAPTERS: Final[Mapping[str, Callable[[], Provider | None]]] = MappingProxyType(
    {
        adyen.NAME: adyen.from_settings,
        pix.NAME: pix.from_settings,
        sandbox.NAME: sandbox.from_settings,
        stripe.NAME: stripe.from_settings,
    }
)


class UnknownProvider(ApplicationError):
    """There is no provider of this name, or it has no credentials here; ``extra["known"]`` lists the usable ones."""

    code = "provider.unknown"
    status = 422
    title = "This payment provider is not available"


def get(name: str) -> Provider:
    """Return the adapter of a provider; the same one for every caller in this process.

    Raises:
        UnknownProvider: there is none of this name, or its credentials are not set.
    """
    configured = _ADAPTERS.get(name)
    provider = configured() if configured else None
    if provider is None:
        raise UnknownProvider(f"There is no provider {name[:80]!r} here.", extra={"known": names()})
    return provider


def known() -> list[str]:
    """Return the names of all adapters there are, with credentials here or without, sorted."""
    return sorted(_ADAPTERS)


def names() -> list[str]:
    """Return the names of all providers that can be used here, sorted."""
    return sorted(name for name, configured in _ADAPTERS.items() if configured() is not None)


def capabilities() -> dict[str, Capabilities]:
    """Return what each usable provider declares, by name."""
    usable = ((name, configured()) for name, configured in _ADAPTERS.items())
    return {name: provider.capabilities for name, provider in usable if provider is not None}


def _forget() -> None:
    adyen.build.cache_clear()
    pix.build.cache_clear()
    sandbox.build.cache_clear()
    stripe.build.cache_clear()


# Two processes must never write to one connection: after a fork (Celery's prefork workers) the child makes its own.
os.register_at_fork(after_in_child=_forget)
