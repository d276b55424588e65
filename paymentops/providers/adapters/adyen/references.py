"""The reference we give each request to Adyen, from which a notification is known again.

A notification's signature covers the merchant reference but not the additional data, so all that a notification must
tell us about our own request stands in it: our public id, the provider key and what was asked. Adyen keeps up to 80
characters; these are 74. A refund made in Adyen's Customer Area carries the reference of the payment, which then does
not fit what the notification is about.
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from paymentops.providers.contract import Operation

_SEPARATOR: Final = "/"


class Errand(StrEnum):
    """What a request asked for."""

    SALE = "s"
    HOLD = "h"
    CAPTURE = "c"
    VOID = "v"
    REFUND = "r"


_ERRANDS: Final = MappingProxyType(
    {Operation.CAPTURE: Errand.CAPTURE, Operation.VOID: Errand.VOID, Operation.REFUND: Errand.REFUND}
)
_OPERATIONS: Final = MappingProxyType({errand: operation for operation, errand in _ERRANDS.items()})


@dataclass(frozen=True, slots=True)
class Tag:
    """A merchant reference that is ours, taken apart."""

    reference: str
    provider_key: str
    errand: Errand

    @property
    def operation(self) -> Operation:
        """The operation that the request was for."""
        return _OPERATIONS.get(self.errand, Operation.AUTHORIZE)


def write(*, operation: Operation, reference: str, provider_key: str, capture_now: bool) -> str:
    """Return the merchant reference of a request."""
    errand = _ERRANDS.get(operation) or (Errand.SALE if capture_now else Errand.HOLD)
    return _SEPARATOR.join((reference, provider_key, errand))


def read(text: str) -> Tag | None:
    """Take a merchant reference apart; ``None`` for one that is not ours."""
    parts = text.split(_SEPARATOR)
    if len(parts) != 3 or not all(parts) or parts[2] not in set(Errand):
        return None
    return Tag(reference=parts[0], provider_key=parts[1], errand=Errand(parts[2]))
