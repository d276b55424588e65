"""Notifications of the API Pix: received Pix and their refunds, several in one request.

The standard knows no signature; it asks for TLS with a certificate of the bank (mTLS), which ends before this process,
at the proxy. What is checked here is a secret in the query of the URL that the bank was given. Without a secret that
is accepted here, every notification is refused. Nothing signed says when it was sent; each event counts once.
"""

import hmac
from datetime import datetime
from typing import Final

from paymentops.providers.adapters.pix import mapping
from paymentops.providers.adapters.pix.mapping import Document, Unreadable
from paymentops.providers.contract import (
    InboundWebhook,
    Operation,
    ProviderEvent,
    Reversed,
    Unknown,
    WebhookRefused,
    WebhookUnauthentic,
    attempt_id_of,
)

_TOKEN: Final = "token"  # noqa: S105 - the name of the query's parameter
_MOST: Final = 1000


def require_authentic(webhook: InboundWebhook, *, tokens: tuple[str, ...]) -> None:
    """Make sure that the URL called is one that only the bank was given.

    Raises:
        WebhookUnauthentic: it carries no accepted secret.
    """
    given = webhook.query.get(_TOKEN, "").encode(errors="surrogatepass")
    if not any(hmac.compare_digest(given, token.encode()) for token in tokens):
        raise WebhookUnauthentic("The notification was not sent to the address that the bank was given.")


def read(body: bytes, *, now: datetime) -> list[ProviderEvent]:
    """Read what a request tells; nothing for the empty one by which a bank tries the address.

    Raises:
        WebhookRefused: it cannot be read.
    """
    try:
        return [event for entry in _objects(mapping.read_object(body), "pix") for event in _events(entry, now=now)]
    except Unreadable as unreadable:
        raise WebhookRefused(f"The notification cannot be read: {unreadable}.") from unreadable


def _objects(document: Document, name: str) -> list[Document]:
    found = document.get(name, [])
    if not isinstance(found, list) or len(found) > _MOST or not all(isinstance(entry, dict) for entry in found):
        raise Unreadable(f"{name} is not a list of objects")
    return found


def _events(entry: Document, *, now: datetime) -> list[ProviderEvent]:
    end_to_end_id = mapping.text(entry, "endToEndId")[:60]
    refunds = _objects(entry, "devolucoes")
    received = _received(entry, end_to_end_id=end_to_end_id, now=now)
    taken = mapping.taken_by_bank(refunds, success=received.outcome, now=now)
    told = [
        _taken(refund, received, taken) if mapping.is_taken_by_bank(refund) else _refund(refund, received, now=now)
        for refund in refunds
    ]
    return [received, *told]


def _received(entry: Document, *, end_to_end_id: str, now: datetime) -> ProviderEvent:
    """Read a received Pix; one that belongs to no charge of ours is only recorded."""
    outcome = mapping.received(entry, now=now)
    txid = entry.get("txid")
    key = txid if isinstance(txid, str) and attempt_id_of(txid) is not None else ""
    return ProviderEvent(
        event_id=end_to_end_id,
        kind="pix.received",
        occurred_at=outcome.at,
        operation=Operation.AUTHORIZE if key else None,
        outcome=outcome if key else None,
        provider_key=key,
        provider_reference=end_to_end_id,
    )


def _taken(refund: Document, received: ProviderEvent, taken: Reversed | None) -> ProviderEvent:
    """Read a refund that the bank made by itself: it takes back what the payment of the charge had brought."""
    return ProviderEvent(
        event_id=_refund_id(refund, received),
        kind=f"refund.{mapping.text(refund, 'natureza')}"[:80].lower(),
        occurred_at=taken.at if taken is not None else received.occurred_at,
        operation=received.operation,
        outcome=taken,
        provider_key=received.provider_key,
        provider_reference=received.provider_reference,
    )


def _refund_id(refund: Document, received: ProviderEvent) -> str:
    about, status = mapping.text(refund, "id")[:35], mapping.text(refund, "status")[:20]
    return f"{received.provider_reference}/{about}/{status}"


def _refund(refund: Document, received: ProviderEvent, *, now: datetime) -> ProviderEvent:
    """Read a refund; one that was not asked for by us is only recorded, under its nature."""
    outcome = mapping.refund_news(refund, now=now)
    about, status = mapping.text(refund, "id")[:35], mapping.text(refund, "status")[:20]
    is_ours = mapping.is_our_refund(refund)
    nature = refund.get("natureza")
    return ProviderEvent(
        event_id=_refund_id(refund, received),
        kind=f"refund.{status if is_ours or not isinstance(nature, str) else nature}"[:80].lower(),
        occurred_at=outcome.at,
        operation=Operation.REFUND if is_ours else None,
        outcome=outcome if is_ours and not isinstance(outcome, Unknown) else None,
        provider_key=about if is_ours else "",
        provider_reference=received.provider_reference,
    )
