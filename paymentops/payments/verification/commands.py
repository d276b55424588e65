"""A replay answers from columns that never change; the fingerprint of the first command proves that they did not.

SEMANTICS section 9, invariant 6: the same client, operation and key give the same bytes, for ever.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from paymentops.idempotency import fingerprint as fingerprints


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of command that a key can stand for.

    Args:
        statement: selects the public id, the stored fingerprint and the columns the command can be rebuilt from.
        commands: rebuilds the business fields; several, where a request may leave out what the service then fills in.
    """

    statement: str
    commands: Callable[..., list[dict[str, Any]]]


def differing(kind: Kind, row: tuple[Any, ...]) -> Iterator[str]:
    """Name a row whose columns no longer give the fingerprint of the command that made it."""
    public_id, stored, *columns = row
    candidates = kind.commands(*columns)
    if all(fingerprints.of(command).digest != bytes(stored) for command in candidates):
        yield f"{public_id}: its columns differ from the command that made it"


def _payment(  # noqa: PLR0917 - columns in the order of the statement
    amount: int,
    currency: str,
    method: str,
    payment_token: str,
    reference: str,
    customer_reference: str,
    capture: str,
    provider: str,
    metadata: str,
) -> list[dict[str, Any]]:
    command = {
        "amount": amount,
        "currency": currency,
        "method": method,
        "payment_token": payment_token,
        "reference": reference,
        "customer_reference": customer_reference,
        "capture": capture,
        "metadata": json.loads(metadata),
    }
    return [command | {"provider": provider}, command | {"provider": ""}]


def _capture(payment: str, amount: int) -> list[dict[str, Any]]:
    return [{"payment": payment, "amount": amount}, {"payment": payment, "amount": None}]


def _refund(payment: str, amount: int, reason: str) -> list[dict[str, Any]]:
    return [{"payment": payment, "amount": asked, "reason": reason} for asked in (amount, None)]


def _cancellation(payment: str) -> list[dict[str, Any]]:
    return [{"payment": payment}]


def _resumption(payment: str, details_digest: str) -> list[dict[str, Any]]:
    return [{"payment": payment, "details": details_digest}]


KINDS: Final = (
    Kind(
        "SELECT 'pay_' || replace(p.id::text, '-', ''), k.fingerprint, p.requested, p.currency, p.method,"
        " p.payment_token, p.reference, p.customer_reference, p.capture_mode, p.provider, p.metadata"
        " FROM payments_payment p JOIN idempotency_idempotencykey k ON k.id = p.key_id",
        _payment,
    ),
    Kind(
        "SELECT 'cap_' || replace(c.id::text, '-', ''), k.fingerprint, 'pay_' || replace(c.payment_id::text, '-', ''),"
        " c.amount FROM payments_capture c JOIN idempotency_idempotencykey k ON k.id = c.key_id",
        _capture,
    ),
    Kind(
        "SELECT 'ref_' || replace(r.id::text, '-', ''), k.fingerprint, 'pay_' || replace(r.payment_id::text, '-', ''),"
        " r.amount, r.reason FROM payments_refund r JOIN idempotency_idempotencykey k ON k.id = r.key_id",
        _refund,
    ),
    Kind(
        "SELECT 'can_' || replace(c.id::text, '-', ''), k.fingerprint, 'pay_' || replace(c.payment_id::text, '-', '')"
        " FROM payments_cancellation c JOIN idempotency_idempotencykey k ON k.id = c.key_id",
        _cancellation,
    ),
    Kind(
        "SELECT 'res_' || replace(r.id::text, '-', ''), k.fingerprint, 'pay_' || replace(r.payment_id::text, '-', ''),"
        " r.details_digest FROM payments_resumption r JOIN idempotency_idempotencykey k ON k.id = r.key_id",
        _resumption,
    ),
)
