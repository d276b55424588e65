"""Pix as a provider, through the standard API of any payment service provider in Brazil.

There is no idempotency header: each charge and each refund has an id that we choose, derived from the attempt, so that
the same request can be sent for ever and has one effect. A request that is refused although it may have been carried
out before (the id is taken, the charge is no longer open) is settled by reading what stands under its id.

A payment waits for its payer from the start and is never held: it is a sale, or it is not made.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from django.conf import settings

from paymentops.core import clock
from paymentops.providers import budget
from paymentops.providers.adapters.pix import amounts, mapping, notifications
from paymentops.providers.adapters.pix.client import Credentials, PixClient, cob_path, devolucao_path
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
from paymentops.providers.transport import Answer, Interrupted, NotConnected, Transport

NAME: Final = "pix"
_DONE: Final = frozenset({200, 201, 202})


@dataclass(frozen=True, slots=True)
class Config:
    """One account at one bank.

    Args:
        api_base: where the API Pix is, with its version: ``https://pix.example.com/api/v2``.
        credentials: how to get an access token.
        pix_key: the Pix key (``chave``) that receives the money.
        webhook_tokens: secrets in the URL of notifications, any of which counts.
        expires_seconds: how long a payer may take.
        certificate, private_key: paths of PEM files for TLS in both directions; empty where the bank asks for none.
        authorities: path of a PEM file with the roots that the bank's own certificate is checked against.
    """

    api_base: str
    credentials: Credentials
    pix_key: str
    webhook_tokens: tuple[str, ...] = ()
    expires_seconds: int = 3600
    certificate: str = ""
    private_key: str = ""
    authorities: str = ""


class PixProvider:
    """Meets ``Provider`` and ``Withdrawing`` for Pix; ``now`` is the clock, which only this edge reads."""

    name = NAME
    capabilities = Capabilities(
        methods=frozenset({Method.PIX}),
        currencies=frozenset({amounts.CURRENCY}),
        # A txid has 26 to 35 letters and digits; the bare digits of an attempt's id are 32.
        key_length=32,
        # The standard sets no end: an id stands for the same charge as long as the bank keeps it.
        key_window=timedelta(days=36_500),
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
        call_timeout=timedelta(seconds=30),
        p99=timedelta(seconds=5),
        partial_capture=False,
        multiple_captures=False,
        can_hold=False,
    )

    def __init__(self, config: Config, *, now: Callable[[], datetime] = clock.now) -> None:
        self._config = config
        self._client = PixClient(
            url=config.api_base,
            credentials=config.credentials,
            transport=Transport(tls=_tls(config)),
            monotonic=time.monotonic,
        )
        self._now = now

    def authorize(self, instruction: Instruction) -> Outcome:
        """Create a charge that the payer pays by scanning its code."""
        now = instruction.at or self._now()
        if not instruction.capture_now:
            return _invalid("cannot_hold", "Pix takes money at once; it cannot hold it.", now)
        if not _fits(instruction):
            return _invalid("amount_not_supported", "Pix takes BRL up to ten digits before the point.", now)
        document = mapping.charge_document(
            amount=instruction.amount,
            pix_key=self._config.pix_key,
            reference=instruction.reference,
            expires_seconds=self._config.expires_seconds,
        )
        return self._carry_out(instruction, method="PUT", path=cob_path(instruction.provider_key), document=document)

    def capture(self, instruction: Instruction) -> Outcome:
        """Say that nothing can be captured: what a payer paid was taken."""
        return _invalid(
            "cannot_capture", "Pix takes money at once; there is nothing to capture.", instruction.at or self._now()
        )

    def void(self, instruction: Instruction) -> Outcome:
        """Take back a charge that nobody has paid; ``provider_reference`` is its txid."""
        path = cob_path(instruction.provider_reference)
        return self._carry_out(instruction, method="PATCH", path=path, document=mapping.removal_document())

    def refund(self, instruction: Instruction) -> Outcome:
        """Give part or all of a received Pix back; ``provider_reference`` is its end-to-end id."""
        path = devolucao_path(instruction.provider_reference, instruction.provider_key)
        document = mapping.refund_document(amount=instruction.amount)
        return self._carry_out(instruction, method="PUT", path=path, document=document)

    def withdraw(self, withdrawal: Withdrawal) -> Outcome:
        """Take back a charge while its payer has not paid; one that was paid meanwhile is told as paid."""
        now = withdrawal.at or self._now()
        question = Question(
            operation=Operation.AUTHORIZE,
            provider_key=withdrawal.provider_key,
            reference=withdrawal.reference,
            amount=withdrawal.amount,
            submitted_at=withdrawal.submitted_at,
            deadline=withdrawal.deadline,
        )
        path = cob_path(withdrawal.provider_key)
        return self._exchange(question, method="PATCH", path=path, document=mapping.removal_document(), now=now)

    def inquire(self, question: Question) -> InquiryOutcome:
        """Tell what stands under the id of an instruction."""
        now = question.at or self._now()
        seconds = budget.seconds_left(now=now, deadline=question.deadline, limit=self.capabilities.call_timeout)
        if seconds <= 0:
            return Unknown(reason="no_time_left", at=now)
        return self._look(question, now=now, ends_at=time.monotonic() + seconds)

    def require_authentic(self, webhook: InboundWebhook, *, now: datetime) -> None:  # noqa: ARG002 - the contract's
        """Check the secret in the URL.

        Raises:
            WebhookUnauthentic: the URL carries no accepted secret.
        """
        notifications.require_authentic(webhook, tokens=self._config.webhook_tokens)

    def read_webhook(self, body: bytes, *, now: datetime) -> list[ProviderEvent]:
        """Read every received Pix and refund.

        Raises:
            WebhookRefused: it cannot be read.
        """
        return notifications.read(body, now=now)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _carry_out(self, instruction: Instruction, *, method: str, path: str, document: Mapping[str, Any]) -> Outcome:
        now = instruction.at or self._now()
        question = _question(instruction, now=now)
        return self._exchange(question, method=method, path=path, document=document, now=now)

    def _exchange(
        self, question: Question, *, method: str, path: str, document: Mapping[str, Any], now: datetime
    ) -> Outcome:
        """Send a request with an effect, and read its answer as the answer to ``question``."""
        seconds = budget.seconds_left(now=now, deadline=question.deadline, limit=self.capabilities.call_timeout)
        if seconds <= 0:
            return NotSent(reason="no_time_left", retry_class=RetryClass.NOT_SENT, at=now)
        ends_at = time.monotonic() + seconds
        try:
            answer = self._client.send(method=method, path=path, document=document, ends_at=ends_at)
        except NotConnected as error:
            return NotSent(reason=f"not_connected: {error}", retry_class=RetryClass.NOT_SENT, at=now)
        except Interrupted as error:
            return Unknown(reason=f"interrupted: {error}", at=now)
        if answer.status in _DONE:
            return _decided(_read(answer, question, now=now))
        refusal = mapping.refusal(answer, now=now)
        if not mapping.is_contested(answer):
            return refusal
        found = self._look(question, now=now, ends_at=ends_at)
        return refusal if isinstance(found, NotFound) else found

    def _look(self, question: Question, *, now: datetime, ends_at: float) -> mapping.Result | NotFound:
        try:
            answer = self._client.send(method="GET", path=_path(question), document=None, ends_at=ends_at)
        except (NotConnected, Interrupted) as error:
            return Unknown(reason="inquiry_failed", at=now, detail={"why": str(error)})
        if mapping.is_not_found(answer):
            return NotFound(at=now)
        if answer.status != 200:
            return Unknown(reason=f"http_{answer.status}", at=now)
        return _read(answer, question, now=now)


def from_settings() -> Provider | None:
    """Return the adapter that the settings describe; ``None`` without an address, credentials or a Pix key."""
    needed = (settings.PIX_API_BASE, settings.PIX_TOKEN_URL, settings.PIX_CLIENT_ID, settings.PIX_KEY)
    if not all(needed):
        return None
    return build(
        Config(
            api_base=settings.PIX_API_BASE,
            credentials=Credentials(
                token_url=settings.PIX_TOKEN_URL,
                client_id=settings.PIX_CLIENT_ID,
                client_secret=settings.PIX_CLIENT_SECRET,
                scope=settings.PIX_SCOPE,
            ),
            pix_key=settings.PIX_KEY,
            webhook_tokens=tuple(settings.PIX_WEBHOOK_TOKENS),
            expires_seconds=settings.PIX_EXPIRES_SECONDS,
            certificate=settings.PIX_CERTIFICATE_FILE,
            private_key=settings.PIX_PRIVATE_KEY_FILE,
            authorities=settings.PIX_AUTHORITIES_FILE,
        )
    )


@lru_cache(maxsize=8)
def build(config: Config) -> Provider:
    """Return one adapter per configuration and process."""
    return PixProvider(config)


def _tls(config: Config) -> ssl.SSLContext | None:
    if not config.certificate and not config.authorities:
        return None
    context = ssl.create_default_context(cafile=config.authorities or None)
    if config.certificate:
        context.load_cert_chain(config.certificate, config.private_key or None)
    return context


def _fits(instruction: Instruction) -> bool:
    amount = instruction.amount
    return amount.currency == amounts.CURRENCY and 0 < amount.minor <= amounts.LARGEST_MINOR


def _invalid(code: str, message: str, now: datetime) -> Declined:
    return Declined(code=code, retry_class=RetryClass.INVALID, message=message, at=now)


def _question(instruction: Instruction, *, now: datetime) -> Question:
    return Question(
        operation=instruction.operation,
        provider_key=instruction.provider_key,
        reference=instruction.reference,
        amount=instruction.amount,
        submitted_at=now,
        deadline=instruction.deadline,
        provider_reference=instruction.provider_reference,
    )


def _path(question: Question) -> str:
    match question.operation:
        case Operation.REFUND:
            return devolucao_path(question.provider_reference, question.provider_key)
        case Operation.VOID:
            return cob_path(question.provider_reference)
        case _:
            return cob_path(question.provider_key)


def _read(answer: Answer, question: Question, *, now: datetime) -> mapping.Result | NotFound:
    match question.operation:
        case Operation.REFUND:
            return mapping.refund(answer, key=question.provider_key, asked=question.amount, now=now)
        case Operation.VOID:
            return mapping.removal(answer, txid=question.provider_reference, asked=question.amount, now=now)
        case _:
            return mapping.charge(answer, txid=question.provider_key, asked=question.amount, now=now)


def _decided(result: mapping.Result | NotFound) -> Outcome:
    """Turn a state that says "not done" right after a 200 into what it is: an answer we do not understand."""
    return Unknown(reason="state_unchanged", at=result.at) if isinstance(result, NotFound) else result
