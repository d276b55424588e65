"""When two payments look like one. No database, no clock."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from paymentops.access.models import DuplicatePolicy
from paymentops.core.money import Money

_COMPARED: Final = (
    "amount", "currency", "method", "payment_token", "reference", "customer_reference", "capture", "provider",
    "metadata",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Watch:
    """What a client wants of payments that look alike, and for how long after the first they do."""

    policy: DuplicatePolicy = DuplicatePolicy.OBSERVE
    window: timedelta = timedelta(0)


UNWATCHED: Final = Watch()


@dataclass(frozen=True, slots=True)
class Likeness:
    """What makes a payment look like another one of the same client: amount, and whose or which it is."""

    amount: Money
    reference: str
    customer_reference: str

    def names(self) -> tuple[str, ...]:
        """Return one text per way in which it can be like another; two that share one are alike."""
        ways = [("reference", self.reference), ("customer", self.customer_reference)]
        return tuple(
            "\x1f".join((kind, value, str(self.amount.minor), self.amount.currency)) for kind, value in ways if value
        )


def lock_numbers(client_id: UUID, likenesses: list[Likeness]) -> list[int]:
    """Return the advisory locks that keep like payments of a client apart, in the order in which to take them."""
    names = {name for likeness in likenesses for name in likeness.names()}
    return sorted(lock_number(client_id, name) for name in names)


def differing(rows: list[Mapping[str, Any]]) -> list[str]:
    """Return the names of the fields in which not all rows are equal, in the order in which people read them."""
    return [name for name in _COMPARED if len({repr(row.get(name)) for row in rows}) > 1]


def fingerprint(*parts: object) -> str:
    """Return what makes a group one, in 64 hexadecimal digits."""
    return sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def lock_number(*parts: object) -> int:
    """Return the number of an advisory lock, a signed 64-bit integer."""
    return int.from_bytes(sha256("\x1f".join(map(str, parts)).encode()).digest()[:8], signed=True)
