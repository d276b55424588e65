"""Adyen as a provider, over plain HTTP: its library would hide which errors prove that nothing left.

What cannot be done at Adyen: asking by our key or reference. An unknown outcome is resolved by its notification, or by
sending the same bytes under the same key again, to which Adyen gives its first answer. Captures, cancellations and
refunds are only taken down; how they ended comes as a notification.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from django.conf import settings

from paymentops.core import clock
from paymentops.core.money import Money
from paymentops.providers import budget
from paymentops.providers.adapters.adyen import mapping, notifications, references, refusals
from paymentops.providers.adapters.adyen.amounts import to_adyen
from paymentops.providers.adapters.adyen.client import AdyenClient, modification_path
from paymentops.providers.contract import (
    Capabilities,
    Completion,
    Declined,
    InboundWebhook,
    InquiryOutcome,
    Instruction,
    Method,
    NotSent,
    Operation,
    Outcome,
    Provider,
    ProviderEvent,
    Question,
    RetryClass,
    Unknown,
)
from paymentops.providers.transport import Answer, Interrupted, NotConnected
from paymentops.providers.units import Inexpressible

NAME: Final = "adyen"


@dataclass(frozen=True, slots=True)
class Config:
    """One merchant account. ``api_base`` ends with the version; ``hmac_keys`` are hexadecimal, any of them counts."""

    api_base: str
    api_key: str
    merchant_account: str
    hmac_keys: tuple[str, ...] = ()
    return_url: str = ""


class AdyenProvider:
    """Meets ``Provider`` and ``Completing`` for Adyen; ``now`` is the clock, which only this edge reads."""

    name = NAME
    capabilities = Capabilities(
        methods=frozenset({Method.CARD}),
        key_length=64,
        # Its documentation has said 7 and 31 days at different times; the shorter one is safe under both.
        key_window=timedelta(days=7),
        visibility_horizon=timedelta(minutes=15),
        not_found_gap=timedelta(seconds=60),
        inquiry_schedule=(
            timedelta(seconds=30),
            timedelta(minutes=2),
            timedelta(minutes=10),
            timedelta(hours=1),
            timedelta(hours=6),
            timedelta(days=1),
        ),
        call_timeout=timedelta(seconds=30),
        p99=timedelta(seconds=5),
        declines=refusals.CLASSES,
        partial_capture=True,
        # Adyen must switch multiple captures on for an account; without it the rest is released with the first.
        multiple_captures=False,
        can_inquire=False,
        webhook_receipt="[accepted]",
    )

    def __init__(self, config: Config, *, now: Callable[[], datetime] = clock.now) -> None:
        self._client = AdyenClient(url=config.api_base, api_key=config.api_key)
        self._config = config
        self._keys = notifications.binary_keys(config.hmac_keys)
        self._now = now

    def authorize(self, instruction: Instruction) -> Outcome:
        """Make a payment with a stored payment method.

        The payment token is Adyen's id of the stored method, with the shopper's reference and a slash before it where
        Adyen was given one: ``shopper-77/8416038790273850``.
        """
        shopper, _, stored = instruction.payment_token.rpartition("/")
        document = {
            "paymentMethod": {"type": "scheme", "storedPaymentMethodId": stored},
            "shopperInteraction": "ContAuth",
            "recurringProcessingModel": "CardOnFile",
            "returnUrl": self._config.return_url,
            **({"shopperReference": shopper} if shopper else {}),
            **({"captureDelayHours": 0} if instruction.capture_now else {"additionalData": {"manualCapture": "true"}}),
        }
        return self._send(
            instruction,
            path="/payments",
            amount=instruction.amount,
            document=document,
            read=lambda answer, reference, now: mapping.authorization(
                answer, asked=instruction.amount, reference=reference, capture_now=instruction.capture_now, now=now
            ),
        )

    def complete(self, completion: Completion) -> Outcome:
        """Hand in what the payer brought back from a redirect or a step of their bank."""
        now = completion.at or self._now()
        reference = references.write(
            operation=Operation.AUTHORIZE,
            reference=completion.reference,
            provider_key=completion.provider_key,
            capture_now=completion.capture_now,
        )
        return self._exchange(
            path="/payments/details",
            key=_completion_key(completion),
            document={"details": dict(completion.details)},
            deadline=completion.deadline,
            now=now,
            read=lambda answer: mapping.authorization(
                answer, asked=completion.amount, reference=reference, capture_now=completion.capture_now, now=now
            ),
        )

    def capture(self, instruction: Instruction) -> Outcome:
        """Ask to take part or all of an authorised amount; the result comes as a notification."""
        return self._modify(instruction, action="captures", amount=instruction.amount)

    def void(self, instruction: Instruction) -> Outcome:
        """Ask to cancel an authorisation; the result comes as a notification."""
        return self._modify(instruction, action="cancels", amount=None)

    def refund(self, instruction: Instruction) -> Outcome:
        """Ask to give part or all of a captured amount back; the result comes as a notification."""
        return self._modify(instruction, action="refunds", amount=instruction.amount)

    def inquire(self, question: Question) -> InquiryOutcome:
        """Say that Adyen cannot be asked."""
        return Unknown(reason="cannot_inquire", at=question.at or self._now())

    def require_authentic(self, webhook: InboundWebhook, *, now: datetime) -> None:  # noqa: ARG002 - the contract's
        """Verify the signature of every item; Adyen signs values of the items and no moment of sending.

        Raises:
            WebhookUnauthentic: an item carries no signature made with an accepted key.
            WebhookRefused: there are no items to verify.
        """
        notifications.require_authentic(webhook.body, keys=self._keys)

    def read_webhook(self, body: bytes, *, now: datetime) -> list[ProviderEvent]:
        """Read every item.

        Raises:
            WebhookRefused: it cannot be read.
        """
        return notifications.read(body, merchant_account=self._config.merchant_account, now=now)

    def close(self) -> None:
        """Close the connections to Adyen."""
        self._client.close()

    def _modify(self, instruction: Instruction, *, action: str, amount: Money | None) -> Outcome:
        return self._send(
            instruction,
            path=modification_path(instruction.provider_reference, action),
            amount=amount,
            document={},
            read=lambda answer, reference, now: mapping.modification(answer, reference=reference, now=now),
        )

    def _send(
        self,
        instruction: Instruction,
        *,
        path: str,
        amount: Money | None,
        document: Mapping[str, Any],
        read: Callable[[Answer, str, datetime], Outcome],
    ) -> Outcome:
        now = instruction.at or self._now()
        reference = references.write(
            operation=instruction.operation,
            reference=instruction.reference,
            provider_key=instruction.provider_key,
            capture_now=instruction.capture_now,
        )
        whole = {"merchantAccount": self._config.merchant_account, "reference": reference, **document}
        if amount is not None:
            try:
                whole["amount"] = {"currency": amount.currency, "value": to_adyen(amount)}
            except Inexpressible as error:
                return Declined(code=error.code, retry_class=RetryClass.INVALID, message=error.detail, at=now)
        return self._exchange(
            path=path,
            key=instruction.provider_key,
            document=whole,
            deadline=instruction.deadline,
            now=now,
            read=lambda answer: read(answer, reference, now),
        )

    def _exchange(
        self,
        *,
        path: str,
        key: str,
        document: Mapping[str, Any],
        deadline: datetime,
        now: datetime,
        read: Callable[[Answer], Outcome],
    ) -> Outcome:
        seconds = budget.seconds_left(now=now, deadline=deadline, limit=self.capabilities.call_timeout)
        if seconds <= 0:
            return NotSent(reason="no_time_left", retry_class=RetryClass.NOT_SENT, at=now)
        try:
            answer = self._client.post(path=path, key=key, document=document, seconds=seconds)
        except NotConnected as error:
            return NotSent(reason=f"not_connected: {error}", retry_class=RetryClass.NOT_SENT, at=now)
        except Interrupted as error:
            return Unknown(reason=f"interrupted: {error}", at=now)
        return read(answer)


def from_settings() -> Provider | None:
    """Return the adapter that the settings describe; ``None`` without an API key or a merchant account."""
    if not settings.ADYEN_API_KEY or not settings.ADYEN_MERCHANT_ACCOUNT:
        return None
    return build(
        Config(
            api_base=settings.ADYEN_API_BASE,
            api_key=settings.ADYEN_API_KEY,
            merchant_account=settings.ADYEN_MERCHANT_ACCOUNT,
            hmac_keys=tuple(settings.ADYEN_HMAC_KEYS),
            return_url=settings.ADYEN_RETURN_URL,
        )
    )


@lru_cache(maxsize=8)
def build(config: Config) -> Provider:
    """Return one adapter per configuration and process."""
    return AdyenProvider(config)


def _completion_key(completion: Completion) -> str:
    """Derive the key of handing in what the payer brought back: the same details count once, others are another try."""
    details = json.dumps(dict(completion.details), sort_keys=True, separators=(",", ":")).encode()
    return f"{completion.provider_key}-{hashlib.sha256(details).hexdigest()[:16]}"
