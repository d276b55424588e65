"""The sandbox as a provider."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from django.conf import settings

from paymentops.core import clock
from paymentops.providers import budget
from paymentops.providers.adapters.sandbox import mapping
from paymentops.providers.adapters.sandbox.client import SandboxClient, charge_path
from paymentops.providers.contract import (
    Capabilities,
    Completion,
    InboundWebhook,
    InquiryOutcome,
    Instruction,
    Method,
    NotSent,
    Outcome,
    ProviderEvent,
    Question,
    RetryClass,
    Unknown,
    WebhookRefused,
    WebhookUnauthentic,
    Withdrawal,
)
from paymentops.providers.transport import Answer, Interrupted, NotConnected

NAME: Final = "sandbox"
_TOLERANCE: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Config:
    """How to reach one sandbox. Durations in seconds; ``inquiry_seconds`` is the schedule, its last value repeats."""

    url: str
    api_key: str
    webhook_secrets: tuple[str, ...]
    timeout_seconds: float = 3.0
    inquiry_seconds: tuple[float, ...] = (0.5, 1, 2, 3, 5, 10, 30, 60)
    visibility_seconds: float = 5.0
    not_found_gap_seconds: float = 2.0
    can_inquire: bool = True


class SandboxProvider:
    """Meets ``Provider``, ``Completing`` and ``Withdrawing``; ``now`` is the clock, which only this edge reads."""

    name = NAME

    def __init__(self, config: Config, *, now: Callable[[], datetime] = clock.now) -> None:
        self._client = SandboxClient(url=config.url, api_key=config.api_key)
        self._secrets = config.webhook_secrets
        self._now = now
        self.capabilities = Capabilities(
            methods=frozenset(Method),
            key_length=64,
            key_window=timedelta(hours=24),
            visibility_horizon=timedelta(seconds=config.visibility_seconds),
            not_found_gap=timedelta(seconds=config.not_found_gap_seconds),
            inquiry_schedule=tuple(timedelta(seconds=seconds) for seconds in config.inquiry_seconds),
            call_timeout=timedelta(seconds=config.timeout_seconds),
            declines=mapping.DECLINES,
            partial_capture=True,
            multiple_captures=True,
            can_inquire=config.can_inquire,
        )

    def authorize(self, instruction: Instruction) -> Outcome:
        """Reserve the amount, or take it at once with ``capture_now``."""
        document = {
            "currency": instruction.amount.currency,
            "method": str(instruction.method),
            "source": instruction.payment_token,
            "capture": instruction.capture_now,
        }
        return self._move(instruction, path="/v1/charges", document=document)

    def capture(self, instruction: Instruction) -> Outcome:
        """Take part or all of an authorised amount."""
        path = charge_path(instruction.provider_reference, "captures")
        return self._move(instruction, path=path, document={"final": instruction.final_capture})

    def void(self, instruction: Instruction) -> Outcome:
        """Release what was authorised and not captured."""
        return self._move(instruction, path=charge_path(instruction.provider_reference, "voids"), document={})

    def refund(self, instruction: Instruction) -> Outcome:
        """Give part or all of a captured amount back."""
        return self._move(instruction, path=charge_path(instruction.provider_reference, "refunds"), document={})

    def complete(self, completion: Completion) -> Outcome:
        """Hand in what the payer brought back; without a ``result`` the charge is told as it stands."""
        document = {"key": completion.provider_key, "details": dict(completion.details)}
        return self._change(completion, path="/v1/completions", document=document)

    def withdraw(self, withdrawal: Withdrawal) -> Outcome:
        """Take back a charge that waits."""
        return self._change(withdrawal, path="/v1/withdrawals", document={"key": withdrawal.provider_key})

    def inquire(self, question: Question) -> InquiryOutcome:
        """Tell what became of an instruction, found by its provider key."""
        now = question.at or self._now()
        if not self.capabilities.can_inquire:
            return Unknown(reason="cannot_inquire", at=now)
        seconds = budget.seconds_left(now=now, deadline=question.deadline, limit=self.capabilities.call_timeout)
        if seconds <= 0:
            return Unknown(reason="no_time_left", at=now)
        try:
            answer = self._client.operations(key=question.provider_key, seconds=seconds)
        except (NotConnected, Interrupted) as error:
            return Unknown(reason="inquiry_failed", at=now, detail={"why": str(error)})
        return mapping.inquiry_outcome_of(answer, key=question.provider_key, amount=question.amount, now=now)

    def require_authentic(self, webhook: InboundWebhook, *, now: datetime) -> None:
        """Verify the signature over the raw bytes and the moment of sending.

        Raises:
            WebhookUnauthentic: no accepted secret made the signature.
            WebhookRefused: it is more than 5 minutes old or ahead.
        """
        timestamp = webhook.headers.get("sandbox-timestamp", "")
        given = webhook.headers.get("sandbox-signature", "").encode()
        message = timestamp.encode() + b"." + webhook.body
        if not any(hmac.compare_digest(given, _signature(secret, message)) for secret in self._secrets):
            raise WebhookUnauthentic("The signature does not match the notification.")
        if not timestamp.isdigit() or abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > _TOLERANCE:
            raise WebhookRefused("The notification is more than 5 minutes old; it may be a replay.")

    def read_webhook(self, body: bytes, *, now: datetime) -> list[ProviderEvent]:  # noqa: ARG002 - the contract's
        """Read the notification.

        Raises:
            WebhookRefused: it cannot be read.
        """
        return [mapping.event_of(body)]

    def close(self) -> None:
        """Close the connections to the sandbox."""
        self._client.close()

    def _change(self, wish: Completion | Withdrawal, *, path: str, document: Mapping[str, Any]) -> Outcome:
        return self._exchange(
            wish, lambda seconds: self._client.change(path=path, document=document, at=wish.at, seconds=seconds)
        )

    def _move(self, instruction: Instruction, *, path: str, document: Mapping[str, Any]) -> Outcome:
        whole = {"reference": instruction.reference, "amount": instruction.amount.minor, **document}
        return self._exchange(
            instruction,
            lambda seconds: self._client.move_money(
                path=path, key=instruction.provider_key, document=whole, at=instruction.at, seconds=seconds
            ),
        )

    def _exchange(self, wish: Instruction | Completion | Withdrawal, send: Callable[[float], Answer]) -> Outcome:
        now = wish.at or self._now()
        seconds = budget.seconds_left(now=now, deadline=wish.deadline, limit=self.capabilities.call_timeout)
        if seconds <= 0:
            return NotSent(reason="no_time_left", retry_class=RetryClass.NOT_SENT, at=now)
        try:
            answer = send(seconds)
        except NotConnected as error:
            return NotSent(reason=f"not_connected: {error}", retry_class=RetryClass.NOT_SENT, at=now)
        except Interrupted as error:
            return Unknown(reason=f"interrupted: {error}", at=now)
        return mapping.outcome_of(answer, key=wish.provider_key, amount=wish.amount, now=now)


def from_settings() -> SandboxProvider:
    """Return the adapter that the settings describe."""
    return build(
        Config(
            url=settings.SANDBOX_URL,
            api_key=settings.SANDBOX_API_KEY,
            webhook_secrets=tuple(settings.SANDBOX_WEBHOOK_SECRETS),
            timeout_seconds=settings.SANDBOX_TIMEOUT_SECONDS,
            inquiry_seconds=tuple(settings.SANDBOX_INQUIRY_SECONDS),
            visibility_seconds=settings.SANDBOX_VISIBILITY_SECONDS,
            not_found_gap_seconds=settings.SANDBOX_NOT_FOUND_GAP_SECONDS,
            can_inquire=settings.SANDBOX_CAN_INQUIRE,
        )
    )


@lru_cache(maxsize=8)
def build(config: Config) -> SandboxProvider:
    """Return one adapter per configuration and process."""
    return SandboxProvider(config)


def _signature(secret: str, message: bytes) -> bytes:
    return b"v1=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest().encode()
