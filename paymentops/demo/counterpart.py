"""The other side of the demo: the payer at the sandbox provider, its silences, and its notifications in story time."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

import httpx

from paymentops.providers.contract import InboundWebhook
from paymentops.providers.sandbox import notices
from paymentops.providers.sandbox.tokens import Notice

_LATE: Final = timedelta(seconds=90)
_BODY: Final = ("id", "type", "created_at", "data")
# In the story payers and time decide when it says so; what is pending at its end settles hours after it was told.
_PENDING_SECONDS: Final = 6 * 3600


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification on its way, and when it arrives."""

    event_id: str
    body: bytes
    at: datetime
    secret: str = field(repr=False)

    def signed(self, *, at: datetime) -> InboundWebhook:
        """Return it as it reaches our door at a moment, which is later than planned after a break in the telling."""
        timestamp = str(int(at.timestamp()))
        headers = {
            "content-type": "application/json",
            "sandbox-event-id": self.event_id,
            "sandbox-timestamp": timestamp,
            "sandbox-signature": notices.signature(secret=self.secret, timestamp=timestamp, body=self.body),
        }
        return InboundWebhook(body=self.body, headers=headers)


class Counterpart:
    """Speaks to a running sandbox in the payer's and the administrator's place; closed at the end of a ``with``."""

    def __init__(self, *, url: str, api_key: str, webhook_secret: str) -> None:
        self._secret = webhook_secret
        self._seen = 0
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {api_key}"}, timeout=30, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def answer_inquiries(self) -> None:
        """Let inquiries be answered."""
        self._profile(pending_seconds=_PENDING_SECONDS)

    def answer_no_inquiry(self) -> None:
        """Let every inquiry fail."""
        self._profile(pending_seconds=_PENDING_SECONDS, rates={"inquiry_error": 1})

    def behave_as_usual(self) -> None:
        """Forget what the story changed."""
        self._profile()

    def decide(self, *, provider_key: str, approve: bool, at: datetime) -> None:
        """Confirm or refuse, in the payer's or the bank's place, what waits under a key; nothing may wait any more."""
        operations = self._http.get("/v1/operations", params={"key": provider_key}).raise_for_status().json()["data"]
        for operation in operations:
            answer = self._http.post(
                f"/pay/{operation['id']}",
                params={"result": "approve" if approve else "decline"},
                headers={"X-Sandbox-Now": at.isoformat()},
            )
            if answer.status_code != httpx.codes.NOT_FOUND:
                answer.raise_for_status()

    def new_deliveries(self) -> list[Delivery]:
        """Return the notifications the sandbox has written since the last time, as they reach us in the story.

        Some come late, twice or never.
        """
        answer = self._http.get("/admin/events", params={"after": self._seen}).raise_for_status()
        written = answer.json()["events"]
        if written:
            self._seen = written[-1]["seq"]
        return [delivery for event in written for delivery in self._on_the_way(event)]

    def _on_the_way(self, event: Mapping[str, Any]) -> list[Delivery]:
        if event["notice"] == Notice.NEVER:
            return []
        at = datetime.fromisoformat(event["created_at"])
        at += _LATE if event["notice"] == Notice.LATE else _travel_time(event["id"])
        body = json.dumps({name: event[name] for name in _BODY}).encode()
        delivery = Delivery(event["id"], body, at, self._secret)
        return [delivery, delivery] if event["notice"] == Notice.DOUBLED else [delivery]

    def _profile(self, **profile: Any) -> None:
        self._http.put("/admin/faults", json=profile).raise_for_status()


def _travel_time(event_id: str) -> timedelta:
    """Return one to nine seconds: some arrive before the first inquiry about a lost answer, some after it."""
    return timedelta(milliseconds=1000 + zlib.crc32(event_id.encode()) % 8000)
