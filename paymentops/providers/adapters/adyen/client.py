"""HTTP to Adyen's Checkout API."""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from paymentops.providers.transport import Answer, Transport


class AdyenClient:
    """Sends requests to one Adyen account. Errors are those of ``Transport.exchange``."""

    def __init__(self, *, url: str, api_key: str) -> None:
        self._url = url.rstrip("/")
        self._api_key = api_key
        self._transport = Transport()

    def post(self, *, path: str, key: str, document: Mapping[str, Any], seconds: float) -> Answer:
        """Send one operation under its idempotency key; the same document always makes the same bytes."""
        return self._transport.exchange(
            method="POST",
            url=f"{self._url}{path}",
            headers={"X-API-Key": self._api_key, "Content-Type": "application/json", "Idempotency-Key": key},
            content=json.dumps(document, sort_keys=True, separators=(",", ":")).encode(),
            seconds=seconds,
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def modification_path(payment: str, action: str) -> str:
    """Return the path of an action on a payment; a payment's reference never changes the path's shape."""
    return f"/payments/{quote(payment, safe='')}/{action}"
