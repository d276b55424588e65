"""Stripe's notifications: the signature by Stripe's own check, the content by ``mapping``."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import stripe

from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money
from paymentops.providers.adapters.stripe import disputes, mapping
from paymentops.providers.adapters.stripe.amounts import from_stripe
from paymentops.providers.contract import (
    InboundWebhook,
    NotFound,
    Operation,
    ProviderEvent,
    Reversed,
    Unknown,
    WebhookRefused,
    WebhookUnauthentic,
)

_TOLERANCE: Final = timedelta(minutes=5)
_TIMESTAMP: Final = re.compile(r"(?:^|,)\s*t=(\d{1,10})(?:,|$)", re.ASCII)


def require_authentic(webhook: InboundWebhook, *, secrets: tuple[str, ...], now: datetime) -> None:
    """Make sure that Stripe sent this, and lately.

    Raises:
        WebhookUnauthentic: no accepted secret made the signature.
        WebhookRefused: it is more than 5 minutes old or ahead.
    """
    header = webhook.headers.get("stripe-signature", "")
    if not any(_is_signed(webhook.body, header=header, secret=secret) for secret in secrets):
        raise WebhookUnauthentic("The signature does not match the notification.")
    found = _TIMESTAMP.search(header)
    if found is None or abs(now - datetime.fromtimestamp(int(found[1]), UTC)) > _TOLERANCE:
        raise WebhookRefused("The notification is more than 5 minutes old; it may be a replay.")


def read(body: bytes, *, now: datetime) -> ProviderEvent:
    """Read an event whose signature was checked.

    Raises:
        WebhookRefused: it cannot be read.
    """
    document = _object(body)
    event_id, kind, created = document.get("id"), document.get("type"), document.get("created")
    data = document.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    if not isinstance(event_id, str) or not isinstance(kind, str) or not isinstance(about, dict):
        raise WebhookRefused("The notification is not an event of Stripe.")
    is_time = isinstance(created, int) and not isinstance(created, bool) and 0 < created < 2**33
    occurred_at = datetime.fromtimestamp(created, UTC) if is_time and isinstance(created, int) else now
    if kind.startswith("charge.dispute."):
        return disputes.event_of(about, event_id=event_id, kind=kind, occurred_at=occurred_at)
    operation = mapping.operation_of(kind, about)
    # The key in an intent's metadata is that of its creation; a capture or a void is found by the intent itself.
    is_own_key = operation in {Operation.AUTHORIZE, Operation.REFUND}
    return ProviderEvent(
        event_id=event_id,
        kind=kind,
        occurred_at=occurred_at,
        operation=operation,
        outcome=_outcome(kind, operation, about, now=occurred_at),
        reference=mapping.reference_of(about),
        provider_key=mapping.key_of(about) if is_own_key else "",
        provider_reference=_intent_of(operation, about),
    )


def _outcome(kind: str, operation: Operation | None, about: mapping.Document, *, now: datetime) -> Any:
    result: mapping.Result | Reversed | NotFound
    match operation:
        case None:
            return None
        case Operation.AUTHORIZE if kind == "charge.failed":
            return mapping.failed_charge(about, now=now)
        case Operation.AUTHORIZE:
            result = mapping.authorization(about, now=now)
        case Operation.REFUND:
            result = mapping.refund_news(about, now=now)
        case Operation.CAPTURE | Operation.VOID:
            asked = _amount(about)
            if asked is None:
                return None
            read_state = mapping.capture if operation is Operation.CAPTURE else mapping.void
            result = read_state(about, asked=asked, now=now)
    return None if isinstance(result, Unknown | NotFound) else result


def _amount(about: mapping.Document) -> Money | None:
    units = about.get("amount")
    if not isinstance(units, int) or isinstance(units, bool):
        return None
    try:
        return from_stripe(units, str(about.get("currency", "")))
    except ApplicationError:
        return None


def _intent_of(operation: Operation | None, about: mapping.Document) -> str:
    is_below = operation is Operation.REFUND or about.get("object") == "charge"
    found = about.get("payment_intent") if is_below else about.get("id")
    return found if isinstance(found, str) else ""


def _is_signed(body: bytes, *, header: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WebhookRefused("The notification is not JSON.") from error
    if not isinstance(document, dict):
        raise WebhookRefused("The notification is not a JSON object.")
    return document
