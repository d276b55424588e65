"""Adyen's standard webhooks: signed items, one event each.

Sources: https://docs.adyen.com/development-resources/webhooks/webhook-types and
https://docs.adyen.com/development-resources/webhooks/secure-webhooks/verify-hmac-signatures, read in 2026.

The signature covers eight fields and no moment of sending, so an old notification cannot be told from a new one: what
keeps a replay from having an effect is that every event counts once.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from paymentops.providers.adapters.adyen import disputes, mapping, references, refusals
from paymentops.providers.adapters.adyen.mapping import Document, Unreadable
from paymentops.providers.adapters.adyen.references import Errand, Tag
from paymentops.providers.contract import (
    Approved,
    Declined,
    Operation,
    ProviderEvent,
    RetryClass,
    Reversed,
    WebhookRefused,
    WebhookUnauthentic,
)

_SIGNED: Final = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
_MOST_ITEMS: Final = 100
_RESULTS: Final = MappingProxyType(
    {
        "AUTHORISATION": Operation.AUTHORIZE,
        "CAPTURE": Operation.CAPTURE,
        "CANCELLATION": Operation.VOID,
        "REFUND": Operation.REFUND,
    }
)
# News that undo an operation, also after its success was told: what it is about and the code.
_REVERSALS: Final = MappingProxyType(
    {
        "CAPTURE_FAILED": (Operation.CAPTURE, "capture_failed"),
        "REFUND_FAILED": (Operation.REFUND, "refund_failed"),
        "REFUNDED_REVERSED": (Operation.REFUND, "refund_reversed"),
    }
)
# News that end an authorisation although nobody refused it: a time ran out.
_LAPSES: Final = MappingProxyType({"OFFER_CLOSED": "offer_closed", "EXPIRE": "expired"})


def require_authentic(body: bytes, *, keys: tuple[bytes, ...]) -> None:
    """Make sure that Adyen signed every item of a request; one bad item refuses them all.

    Raises:
        WebhookUnauthentic: an item carries no signature made with an accepted key.
        WebhookRefused: there are no items to verify.
    """
    try:
        for item in _items(mapping.read_object(body)):
            _require_authentic(item, keys)
    except Unreadable as unreadable:
        raise WebhookRefused(f"The notification cannot be read: {unreadable}.") from unreadable


def read(body: bytes, *, merchant_account: str, now: datetime) -> list[ProviderEvent]:
    """Read all items of an authentic request.

    Raises:
        WebhookRefused: it cannot be read.
    """
    try:
        items = _items(mapping.read_object(body))
        return [_event(item, merchant_account=merchant_account, now=now) for item in items]
    except Unreadable as unreadable:
        raise WebhookRefused(f"The notification cannot be read: {unreadable}.") from unreadable


def sign(item: Document, key: bytes) -> str:
    """Return the signature of an item under a key.

    Raises:
        Unreadable: a signed field is missing.
    """
    amount = item.get("amount")
    if not isinstance(amount, Mapping):
        raise Unreadable("amount is missing")
    fields = [item.get(name) or "" for name in _SIGNED]
    fields += [amount.get("value"), amount.get("currency"), item.get("eventCode"), item.get("success")]
    message = ":".join(str(field) for field in fields).encode(errors="surrogatepass")
    return base64.b64encode(hmac.digest(key, message, hashlib.sha256)).decode()


def binary_keys(keys: tuple[str, ...]) -> tuple[bytes, ...]:
    """Turn hexadecimal keys, as Adyen shows them, into bytes.

    Raises:
        ValueError: one is not hexadecimal.
    """
    try:
        return tuple(binascii.a2b_hex(key) for key in keys)
    except ValueError as error:
        raise ValueError("ADYEN_HMAC_KEYS must be hexadecimal, as Adyen's Customer Area shows them.") from error


def _items(document: Document) -> list[Document]:
    wrapped = document.get("notificationItems")
    if not isinstance(wrapped, list) or not 0 < len(wrapped) <= _MOST_ITEMS:
        raise Unreadable("notificationItems is not a list of items")
    items = [entry.get("NotificationRequestItem") if isinstance(entry, dict) else None for entry in wrapped]
    if not all(isinstance(item, dict) for item in items):
        raise Unreadable("an item is not an object")
    return [item for item in items if isinstance(item, dict)]


def _require_authentic(item: Document, keys: tuple[bytes, ...]) -> None:
    extra = item.get("additionalData")
    given = extra.get("hmacSignature") if isinstance(extra, dict) else None
    signature = given.encode(errors="surrogatepass") if isinstance(given, str) else b""
    if not any(hmac.compare_digest(sign(item, key).encode(), signature) for key in keys):
        raise WebhookUnauthentic("The signature does not match the notification.")


def _event(item: Document, *, merchant_account: str, now: datetime) -> ProviderEvent:
    kind, about = mapping.text(item, "eventCode"), mapping.text(item, "pspReference")
    success = mapping.text(item, "success")
    occurred_at = _moment(item.get("eventDate"), otherwise=now)
    reference = item.get("merchantReference")
    tag = references.read(reference) if isinstance(reference, str) else None
    if disputes.is_about_one(kind) and item.get("merchantAccountCode") == merchant_account:
        return disputes.event_of(item, tag=tag, occurred_at=occurred_at)
    operation = _operation(kind, tag) if item.get("merchantAccountCode") == merchant_account else None
    known = tag is not None and operation is not None
    return ProviderEvent(
        event_id=f"{kind}/{about}/{success}"[:120],
        kind=kind[:80],
        occurred_at=occurred_at,
        operation=operation,
        outcome=_outcome(item, operation, tag, at=occurred_at) if tag and operation else None,
        reference=tag.reference if known and tag else "",
        provider_key=tag.provider_key if known and tag else "",
        provider_reference=about,
    )


def _operation(kind: str, tag: Tag | None) -> Operation | None:
    """Tell which operation of ours the news is about; ``None`` when it is not about a request that we made."""
    if tag is None:
        return None
    if kind == "CAPTURE_FAILED" and tag.errand is Errand.SALE:
        # A sale is captured by Adyen itself, under the reference of its authorisation.
        return Operation.AUTHORIZE
    told = Operation.AUTHORIZE if kind in _LAPSES else _REVERSALS[kind][0] if kind in _REVERSALS else _RESULTS.get(kind)
    return told if told is tag.operation else None


def _outcome(item: Document, operation: Operation, tag: Tag, *, at: datetime) -> Approved | Declined | Reversed | None:
    kind, about = mapping.text(item, "eventCode"), mapping.text(item, "pspReference")
    success = mapping.text(item, "success")
    name = item.get("reason")
    name = name if isinstance(name, str) else ""
    if kind in _REVERSALS or kind in _LAPSES:
        return _ended(item, kind=kind, name=name, about=about, at=at) if success == "true" else None
    if success == "true":
        amount = mapping.money(item.get("amount"))
        captured = amount if operation is Operation.AUTHORIZE and tag.errand is Errand.SALE else None
        return Approved(provider_reference=about, amount=amount, at=at, captured=captured)
    if success == "false":
        return mapping.declined(code=refusals.code_of(name), name=name, about=about, at=at)
    return None


def _ended(item: Document, *, kind: str, name: str, about: str, at: datetime) -> Declined | Reversed:
    code = _LAPSES[kind] if kind in _LAPSES else _REVERSALS[kind][1]
    message = f"Adyen: {name[:200] or code.replace('_', ' ')}."
    if kind in _LAPSES:
        return Declined(
            code=code,
            retry_class=RetryClass.AUTH_REQUIRED,
            message=message,
            at=at,
            provider_reference=about,
            lapsed=True,
        )
    # Adyen takes modifications back as a whole; the amount is that of the modification.
    amount = mapping.money(item.get("amount"))
    return Reversed(amount=amount, code=code, message=message, at=at, provider_reference=about)


def _moment(value: object, *, otherwise: datetime) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else otherwise
    except ValueError:
        return otherwise
    return moment if moment.tzinfo is not None else otherwise
