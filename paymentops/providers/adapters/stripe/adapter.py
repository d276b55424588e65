"""Stripe as a provider, by its official SDK with all of the SDK's retries off.

A capture and a cancellation are found again by the intent's state, a creation or a refund by our key in its metadata.
Stripe's search lags behind by a minute and more, its lists do not, so an inquiry without the intent's id reads the
list of intents (newest first) until it is older than the question; what would take too many pages stays unknown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import stripe
from django.conf import settings
from stripe import StripeClient

from paymentops.core import clock
from paymentops.providers import budget
from paymentops.providers.adapters.stripe import events, mapping
from paymentops.providers.adapters.stripe.amounts import to_stripe
from paymentops.providers.adapters.stripe.decline_codes import CHARGE_DECLINES
from paymentops.providers.adapters.stripe.http import DeadlineClient, within
from paymentops.providers.contract import (
    Capabilities,
    Declined,
    InboundWebhook,
    InquiryOutcome,
    Instruction,
    Method,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Provider,
    ProviderEvent,
    Question,
    RetryClass,
    Unknown,
    Withdrawal,
)
from paymentops.providers.transport import NotConnected
from paymentops.providers.units import Inexpressible

NAME: Final = "stripe"
_PAGE: Final = 100
_MOST_PAGES: Final = 50
# Our clock and Stripe's may differ; an intent this much older than our sending cannot be the one asked about.
_CLOCKS_DIFFER: Final = timedelta(minutes=10)


class _OutOfReach(Exception):
    """What was asked about may lie beyond the pages that could be read."""


@dataclass(frozen=True, slots=True)
class Config:
    """Credentials of one Stripe account; ``api_base`` empty means Stripe itself."""

    api_key: str
    api_base: str = ""
    webhook_secrets: tuple[str, ...] = ()
    return_url: str = ""


class StripeProvider:
    """Meets ``Provider`` and ``Withdrawing`` for Stripe; ``now`` is the clock, which only this edge reads."""

    name = NAME
    capabilities = Capabilities(
        methods=frozenset({Method.CARD}),
        key_length=255,
        key_window=timedelta(hours=24),
        visibility_horizon=timedelta(minutes=15),
        not_found_gap=timedelta(seconds=60),
        inquiry_schedule=(
            timedelta(seconds=5),
            timedelta(seconds=30),
            timedelta(minutes=2),
            timedelta(minutes=10),
            timedelta(hours=1),
            timedelta(hours=6),
            timedelta(days=1),
        ),
        call_timeout=timedelta(seconds=20),
        p99=timedelta(seconds=5),
        declines=CHARGE_DECLINES,
        partial_capture=True,
        multiple_captures=False,
    )

    def __init__(self, config: Config, *, now: Callable[[], datetime] = clock.now) -> None:
        self._http = DeadlineClient()
        self._client = StripeClient(
            config.api_key,
            http_client=self._http,
            max_network_retries=0,
            base_addresses={"api": config.api_base} if config.api_base else None,
        )
        self._secrets = config.webhook_secrets
        self._return_url = config.return_url
        self._now = now

    def authorize(self, instruction: Instruction) -> Outcome:
        """Create and confirm a payment intent; the payment token is the id of a payment method."""

        def create(now: datetime) -> Outcome:
            params: dict[str, Any] = {
                "amount": to_stripe(instruction.amount),
                "currency": instruction.amount.currency.lower(),
                "payment_method": instruction.payment_token,
                "payment_method_types": ["card"],
                "capture_method": "automatic" if instruction.capture_now else "manual",
                "confirm": True,
                "metadata": mapping.metadata(reference=instruction.reference, key=instruction.provider_key),
            }
            if self._return_url:
                params["return_url"] = self._return_url
            intent = self._client.v1.payment_intents.create(params, _options(instruction))  # type: ignore[arg-type]
            return mapping.authorization(_document(intent), now=now)

        return self._carry_out(instruction, create)

    def capture(self, instruction: Instruction) -> Outcome:
        """Capture an intent once; Stripe releases what is left of it."""

        def take(now: datetime) -> Outcome:
            intent = self._client.v1.payment_intents.capture(
                instruction.provider_reference,
                {"amount_to_capture": to_stripe(instruction.amount)},
                _options(instruction),
            )
            return _decided(mapping.capture(_document(intent), asked=instruction.amount, now=now))

        return self._carry_out(instruction, take)

    def void(self, instruction: Instruction) -> Outcome:
        """Cancel an intent."""

        def cancel(now: datetime) -> Outcome:
            intent = self._client.v1.payment_intents.cancel(instruction.provider_reference, {}, _options(instruction))
            return _decided(mapping.void(_document(intent), asked=instruction.amount, now=now))

        return self._carry_out(instruction, cancel)

    def refund(self, instruction: Instruction) -> Outcome:
        """Refund part or all of an intent."""

        def pay_back(now: datetime) -> Outcome:
            refund = self._client.v1.refunds.create(
                {
                    "payment_intent": instruction.provider_reference,
                    "amount": to_stripe(instruction.amount),
                    "metadata": mapping.metadata(reference=instruction.reference, key=instruction.provider_key),
                },
                _options(instruction),
            )
            return mapping.refund(_document(refund), now=now)

        return self._carry_out(instruction, pay_back)

    def withdraw(self, withdrawal: Withdrawal) -> Outcome:
        """Cancel an intent that waits; one that can no longer be cancelled is told as it stands.

        No key is sent: under one, Stripe would answer a later try with the refusal of an earlier one.
        """
        now = withdrawal.at or self._now()
        seconds = budget.seconds_left(now=now, deadline=withdrawal.deadline, limit=self.capabilities.call_timeout)
        if seconds <= 0:
            return NotSent(reason="no_time_left", retry_class=RetryClass.NOT_SENT, at=now)
        try:
            with within(seconds):
                return self._cancel_or_look(withdrawal, now=now)
        except _OutOfReach:
            return Unknown(reason="too_much_to_read", at=now)
        except stripe.StripeError as error:
            return _failure(error, now=now)

    def inquire(self, question: Question) -> InquiryOutcome:
        """Tell what became of an instruction, without an effect of its own."""
        now = question.at or self._now()
        seconds = budget.seconds_left(now=now, deadline=question.deadline, limit=self.capabilities.call_timeout)
        if seconds <= 0:
            return Unknown(reason="no_time_left", at=now)
        try:
            with within(seconds):
                return self._find(question, now=now)
        except _OutOfReach:
            return Unknown(reason="too_much_to_read", at=now)
        except stripe.StripeError as error:
            return Unknown(reason="inquiry_failed", at=now, detail={"why": type(error).__name__})

    def require_authentic(self, webhook: InboundWebhook, *, now: datetime) -> None:
        """Verify Stripe's signature and the moment it was made at.

        Raises:
            WebhookUnauthentic: no accepted secret made the signature.
            WebhookRefused: it is more than 5 minutes old or ahead.
        """
        events.require_authentic(webhook, secrets=self._secrets, now=now)

    def read_webhook(self, body: bytes, *, now: datetime) -> list[ProviderEvent]:
        """Read the event.

        Raises:
            WebhookRefused: it cannot be read.
        """
        return [events.read(body, now=now)]

    def close(self) -> None:
        """Close the connections to Stripe."""
        self._http.close()

    def _carry_out(self, instruction: Instruction, send: Callable[[datetime], Outcome]) -> Outcome:
        now = instruction.at or self._now()
        seconds = budget.seconds_left(now=now, deadline=instruction.deadline, limit=self.capabilities.call_timeout)
        if seconds <= 0:
            return NotSent(reason="no_time_left", retry_class=RetryClass.NOT_SENT, at=now)
        try:
            with within(seconds):
                return send(now)
        except Inexpressible as error:
            return Declined(code=error.code, retry_class=RetryClass.INVALID, message=error.detail, at=now)
        except stripe.StripeError as error:
            return _failure(error, now=now)

    def _cancel_or_look(self, withdrawal: Withdrawal, *, now: datetime) -> Outcome:
        about = withdrawal.provider_reference or self._intent_under(withdrawal)
        if not about:
            return Unknown(reason="not_found", at=now)
        try:
            return mapping.authorization(_document(self._client.v1.payment_intents.cancel(about)), now=now)
        except stripe.InvalidRequestError:
            return mapping.authorization(self._intent(about), now=now)

    def _intent_under(self, withdrawal: Withdrawal) -> str:
        found = self._search_intents(withdrawal.provider_key, submitted_at=withdrawal.submitted_at)
        return str(found.get("id", "")) if found else ""

    def _find(self, question: Question, *, now: datetime) -> InquiryOutcome:
        match question.operation:
            case Operation.REFUND:
                return self._find_refund(question, now=now)
            case Operation.CAPTURE:
                return mapping.capture(self._intent(question.provider_reference), asked=question.amount, now=now)
            case Operation.VOID:
                return mapping.void(self._intent(question.provider_reference), asked=question.amount, now=now)
        if question.provider_reference:
            return mapping.authorization(self._intent(question.provider_reference), now=now)
        return self._find_intent(question, now=now)

    def _intent(self, intent_id: str) -> mapping.Document:
        return _document(self._client.v1.payment_intents.retrieve(intent_id))

    def _find_intent(self, question: Question, *, now: datetime) -> InquiryOutcome:
        found = self._search_intents(question.provider_key, submitted_at=question.submitted_at)
        return NotFound(at=now) if found is None else mapping.authorization(found, now=now)

    def _search_intents(self, key: str, *, submitted_at: datetime) -> mapping.Document | None:
        too_old = (submitted_at - _CLOCKS_DIFFER).timestamp()

        def page(params: dict[str, Any]) -> mapping.Document:
            return _document(self._client.v1.payment_intents.list(params))  # type: ignore[arg-type]

        return _search(page, key=key, too_old=too_old)

    def _find_refund(self, question: Question, *, now: datetime) -> InquiryOutcome:
        if question.attempt_reference:
            return mapping.refund(_document(self._client.v1.refunds.retrieve(question.attempt_reference)), now=now)

        def page(params: dict[str, Any]) -> mapping.Document:
            whole = {"payment_intent": question.provider_reference, **params}
            return _document(self._client.v1.refunds.list(whole))  # type: ignore[arg-type]

        found = _search(page, key=question.provider_key, too_old=0)
        return NotFound(at=now) if found is None else mapping.refund(found, now=now)


def from_settings() -> Provider | None:
    """Return the adapter that the settings describe; ``None`` without an API key."""
    if not settings.STRIPE_API_KEY:
        return None
    return build(
        Config(
            api_key=settings.STRIPE_API_KEY,
            api_base=settings.STRIPE_API_BASE,
            webhook_secrets=tuple(settings.STRIPE_WEBHOOK_SECRETS),
            return_url=settings.STRIPE_RETURN_URL,
        )
    )


@lru_cache(maxsize=8)
def build(config: Config) -> Provider:
    """Return one adapter per configuration and process."""
    return StripeProvider(config)


def _options(instruction: Instruction) -> stripe.RequestOptions:
    return {"idempotency_key": instruction.provider_key}


def _document(answer: Any) -> mapping.Document:
    """Return the plain JSON object behind one of the SDK's objects."""
    response = answer.last_response
    return response.data if response is not None and isinstance(response.data, Mapping) else {}


def _decided(result: mapping.Result | NotFound) -> Outcome:
    """Turn a state that says "not done" right after a 200 into what it is: an answer we do not understand."""
    return Unknown(reason="state_unchanged", at=result.at) if isinstance(result, NotFound) else result


def _failure(error: stripe.StripeError, *, now: datetime) -> Outcome:
    if isinstance(error, stripe.APIConnectionError):
        if isinstance(error.__cause__, NotConnected):
            return NotSent(reason=f"not_connected: {error.__cause__}", retry_class=RetryClass.NOT_SENT, at=now)
        return Unknown(reason=f"interrupted: {error.__cause__}", at=now)
    body = error.json_body if isinstance(error.json_body, Mapping) else {}
    details = body.get("error")
    return mapping.refusal(status=error.http_status, error=details if isinstance(details, Mapping) else {}, now=now)


def _search(page: Callable[[dict[str, Any]], mapping.Document], *, key: str, too_old: float) -> mapping.Document | None:
    """Look through pages for our key; ``None`` when it is certainly not there.

    Raises:
        _OutOfReach: there may be more than could be read.
    """
    params: dict[str, Any] = {"limit": _PAGE}
    for _ in range(_MOST_PAGES):
        document = page(params)
        entries = [entry for entry in document.get("data") or [] if isinstance(entry, Mapping)]
        for entry in entries:
            if mapping.key_of(entry) == key:
                return entry
        if document.get("has_more") is False or _is_past(entries, too_old):
            return None
        if not entries:
            break
        params["starting_after"] = entries[-1].get("id")
    raise _OutOfReach


def _is_past(entries: list[mapping.Document], too_old: float) -> bool:
    """Tell whether a page goes back beyond ``too_old``; only a page that is really in falling order counts."""
    times = [entry.get("created") for entry in entries]
    first, last = (times[0], times[-1]) if times else (None, None)
    return isinstance(first, int) and isinstance(last, int) and last < too_old and first > last
