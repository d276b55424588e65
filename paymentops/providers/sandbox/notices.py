"""Notifications of the sandbox: written with what they tell of, signed, and delivered in the background.

Headers: ``Sandbox-Event-Id``, ``Sandbox-Timestamp`` (epoch seconds of the sending) and ``Sandbox-Signature``, which
is ``v1=`` and the hexadecimal HMAC-SHA256 of ``<timestamp>.<body>`` under the shared secret.
"""

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from paymentops.providers.sandbox import struck
from paymentops.providers.sandbox.faults import Profile
from paymentops.providers.sandbox.tokens import Notice
from paymentops.providers.sandbox.truth import Truth

logger = logging.getLogger(__name__)
_RETRY_SECONDS: Final = (1, 2, 5, 10, 30)
_AT_ONCE: Final = 16
_POLL_SECONDS: Final = 0.1


def signature(*, secret: str, timestamp: str, body: bytes) -> str:
    """Return the value of the ``Sandbox-Signature`` header."""
    return "v1=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where notifications go; an empty address means that they are written and never sent."""

    url: str
    secret: str


class Courier:
    """Writes events to the store and carries them to the destination; also settles what was pending."""

    def __init__(self, *, truth: Truth, destination: Destination, profile: Callable[[], Profile]) -> None:
        self._truth = truth
        self._destination = destination
        self._profile = profile
        self._wake = asyncio.Event()

    def announce(self, operation: dict[str, Any]) -> None:
        """Write the event of a finished operation; what still waits is announced once it is finished."""
        if operation["status"] not in {"succeeded", "declined", "withdrawn"}:
            return
        self._write(f"{operation['kind']}.{operation['status']}", operation, at=operation["occurred_at"])

    def announce_reversal(self, operation: dict[str, Any]) -> None:
        """Write the event of an operation of which something was taken back."""
        self._write(f"{operation['kind']}.reversed", operation, at=operation["reversed_at"])

    def announce_dispute(self, dispute: dict[str, Any]) -> None:
        """Write the event of a dispute that was opened or moved."""
        self._write(f"dispute.{dispute['status']}", dispute, at=dispute["occurred_at"])

    def _write(self, kind: str, document: dict[str, Any], *, at: str) -> None:
        notice = self._truth.notice_of(document["charge"])
        if notice is not Notice.NORMAL:
            struck.count(self._truth, f"webhook_{notice}")
        event_id = f"evt_{secrets.token_hex(12)}"
        body = json.dumps(
            {
                "id": event_id,
                "type": kind,
                "created_at": at,
                "data": document,
            }
        )
        copies = 2 if notice is Notice.DOUBLED else 1
        with self._truth.changing() as db:
            db.execute(
                "INSERT INTO events (id, body, notice, copies, send_due) VALUES (?, ?, ?, ?, ?)",
                (event_id, body, notice, copies, self._first_sending(notice)),
            )
        self._wake.set()

    def events(self, *, after: int = 0) -> list[dict[str, Any]]:
        """Return all events after a sequence number with how often each was delivered, oldest first."""
        with self._truth.changing() as db:
            rows = db.execute("SELECT * FROM events WHERE seq > ? ORDER BY seq", (after,)).fetchall()
        return [
            {**{name: row[name] for name in ("seq", "notice", "delivered", "tries")}, **json.loads(row["body"])}
            for row in rows
        ]

    async def run(self) -> None:
        """Deliver and settle until cancelled."""
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            while True:
                self._settle_due()
                if not await self._deliver_due(client):
                    self._wake.clear()
                    try:
                        async with asyncio.timeout(_POLL_SECONDS):
                            await self._wake.wait()
                    except TimeoutError:
                        continue

    def _first_sending(self, notice: Notice) -> float | None:
        if notice is Notice.NEVER or not self._destination.url:
            return None
        late = self._profile().webhook_late_seconds
        if notice is Notice.LATE:
            return time.time() + late
        if notice is Notice.REORDERED:
            return time.time() + late * secrets.randbelow(1000) / 1000
        return time.time()

    def _ahead(self) -> timedelta:
        return timedelta(seconds=self._profile().ahead_seconds)

    def _settle_due(self) -> None:
        for operation_id in self._truth.due_to_settle(epoch=time.time()):
            settled = self._truth.settle(operation_id, approve=True, now=datetime.now(UTC) + self._ahead())
            if settled is not None:
                self.announce(settled)

    async def _deliver_due(self, client: httpx.AsyncClient) -> bool:
        with self._truth.changing() as db:
            rows = db.execute(
                "SELECT * FROM events WHERE send_due <= ? ORDER BY send_due, seq LIMIT ?", (time.time(), _AT_ONCE)
            ).fetchall()
        await asyncio.gather(*(self._deliver(client, dict(row)) for row in rows))
        return bool(rows)

    async def _deliver(self, client: httpx.AsyncClient, event: dict[str, Any]) -> None:
        arrived = await self._post(client, event_id=event["id"], body=event["body"].encode())
        copies = event["copies"] - arrived
        tries = event["tries"] + 1
        if copies == 0 or tries - event["delivered"] > len(_RETRY_SECONDS):
            due = None
        elif arrived:
            due = time.time()
        else:
            due = time.time() + _RETRY_SECONDS[tries - event["delivered"] - 1]
        with self._truth.changing() as db:
            db.execute(
                "UPDATE events SET copies = ?, tries = ?, delivered = delivered + ?, send_due = ? WHERE id = ?",
                (copies, tries, int(arrived), due, event["id"]),
            )

    async def _post(self, client: httpx.AsyncClient, *, event_id: str, body: bytes) -> bool:
        timestamp = str(int(time.time() + self._ahead().total_seconds()))
        headers = {
            "Content-Type": "application/json",
            "Sandbox-Event-Id": event_id,
            "Sandbox-Timestamp": timestamp,
            "Sandbox-Signature": signature(secret=self._destination.secret, timestamp=timestamp, body=body),
        }
        try:
            answer = await client.post(self._destination.url, content=body, headers=headers)
        except httpx.HTTPError as error:
            logger.info("The notification %s was not delivered: %s", event_id, type(error).__name__)
            return False
        return answer.is_success
