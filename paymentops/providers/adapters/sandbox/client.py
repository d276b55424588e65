"""HTTP to the sandbox: one method per kind of request, an answer or a network error."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from paymentops.providers.transport import Answer, Transport


class SandboxClient:
    """Sends requests to one sandbox. Errors are those of ``Transport.exchange``."""

    def __init__(self, *, url: str, api_key: str) -> None:
        self._url = url.rstrip("/")
        self._authorization = f"Bearer {api_key}"
        self._transport = Transport()

    def move_money(
        self, *, path: str, key: str, document: Mapping[str, Any], at: datetime | None, seconds: float
    ) -> Answer:
        """Send one operation under its idempotency key; ``at`` tells the sandbox when it counts as made."""
        headers = {
            "Authorization": self._authorization,
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        if at is not None:
            headers["X-Sandbox-Now"] = at.isoformat()
        content = json.dumps(document).encode()
        return self._transport.exchange(
            method="POST", url=f"{self._url}{path}", headers=headers, content=content, seconds=seconds
        )

    def change(self, *, path: str, document: Mapping[str, Any], at: datetime | None, seconds: float) -> Answer:
        """Ask for a change of a charge that waits; it needs no key, because asking twice changes nothing more."""
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        if at is not None:
            headers["X-Sandbox-Now"] = at.isoformat()
        content = json.dumps(document).encode()
        return self._transport.exchange(
            method="POST", url=f"{self._url}{path}", headers=headers, content=content, seconds=seconds
        )

    def operations(self, *, key: str, seconds: float) -> Answer:
        """Ask what became of a key."""
        return self._transport.exchange(
            method="GET",
            url=f"{self._url}/v1/operations?{urlencode({'key': key})}",
            headers={"Authorization": self._authorization},
            content=b"",
            seconds=seconds,
        )

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def charge_path(charge: str, action: str) -> str:
    """Return the path of an action on a charge; a charge's id never changes the path's shape."""
    return f"/v1/charges/{quote(charge, safe='')}/{action}"
