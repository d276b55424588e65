"""The contract every payment provider meets: what we ask, and the few things that can come back.

An adapter turns an ``Instruction`` into one HTTP call and the provider's answer into one ``Outcome``. It never
raises for something a network or a provider can do: a timeout is an outcome. Only a programming error escapes.

The rule that decides between "did not happen" and "may have happened" (SEMANTICS section 2, Attempt): ``NotSent``
means *proven not executed*; a read timeout, a reset after sending, a 5xx, an unreadable body or an unknown status
value is ``Unknown``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

from paymentops.core.errors import ApplicationError
from paymentops.core.money import Money
from paymentops.providers.disputes import DisputeNews


class Operation(StrEnum):
    """What an attempt does at a provider."""

    AUTHORIZE = "AUTHORIZE"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"


class Method(StrEnum):
    """How the payer pays."""

    CARD = "card"
    PIX = "pix"
    WALLET = "wallet"
    BANK_TRANSFER = "bank_transfer"


class RetryClass(StrEnum):
    """What a negative answer means for further tries (SEMANTICS section 4)."""

    NOT_SENT = "NOT_SENT"
    THROTTLED = "THROTTLED"
    UNKNOWN = "UNKNOWN"
    INVALID = "INVALID"
    SOFT_DECLINE = "SOFT_DECLINE"
    DATA_DECLINE = "DATA_DECLINE"
    AUTH_REQUIRED = "AUTH_REQUIRED"
    HARD_DECLINE = "HARD_DECLINE"
    RISK_BLOCK = "RISK_BLOCK"
    PROVIDER_GUARD = "PROVIDER_GUARD"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One operation to be carried out under one provider key.

    Args:
        operation: what to do.
        provider_key: the idempotency key sent to the provider; the same for every dispatch of one attempt.
        reference: our public id of the thing (``pay_…`` or ``ref_…``); the provider stores it and finds by it.
        amount: what to authorise, capture, void or refund.
        method: how the payer pays.
        payment_token: stands for the payer's instrument; empty for everything but AUTHORIZE.
        capture_now: for AUTHORIZE, whether the money is taken at once (a sale without hold).
        final_capture: for CAPTURE, whether the provider may release what is left.
        provider_reference: the provider's id of the charge that a CAPTURE, VOID or REFUND works on.
        deadline: no call may go on after this moment.
        at: the moment this counts as sent, when a story is told in simulated time; ``deadline`` is then on the
            same simulated clock. ``None`` means the real moment.
    """

    operation: Operation
    provider_key: str
    reference: str
    amount: Money
    method: Method
    deadline: datetime
    payment_token: str = ""
    capture_now: bool = False
    final_capture: bool = False
    provider_reference: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Asks what became of one earlier instruction; found by our key and reference, never by trying again.

    ``submitted_at`` is when the instruction was first dispatched, ``attempt_reference`` the provider's id of the
    operation itself where an earlier answer already told it. ``at`` as in ``Instruction``.
    """

    operation: Operation
    provider_key: str
    reference: str
    amount: Money
    submitted_at: datetime
    deadline: datetime
    provider_reference: str = ""
    attempt_reference: str = ""
    capture_now: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the payer brought back from a required action, for an authorisation that waits for it.

    ``details`` are handed to the provider as they came. The other fields are those of the instruction it answers.
    """

    provider_key: str
    reference: str
    amount: Money
    details: Mapping[str, str]
    deadline: datetime
    capture_now: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """Takes back an authorisation that waits for its payer or for the provider, before anything was moved.

    ``provider_reference`` is the provider's id of the charge where an earlier answer told it; ``submitted_at`` is when
    the authorisation was first dispatched. The other fields are those of its instruction.
    """

    provider_key: str
    reference: str
    amount: Money
    submitted_at: datetime
    deadline: datetime
    provider_reference: str = ""
    capture_now: bool = False
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """The provider did it.

    Args:
        amount: what was authorised, captured, voided or refunded; may be less than asked for (partial approval).
        captured: for AUTHORIZE, how much was captured with it; ``None`` when nothing was.
        provider_reference: the provider's id of the charge (AUTHORIZE) or of the operation (others).
        at: when it happened, by the provider's clock where it tells, else when the answer was read.
        expires_at: for an authorisation that holds money, when the hold lapses, where the provider tells.
    """

    provider_reference: str
    amount: Money
    at: datetime
    captured: Money | None = None
    expires_at: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """A definitive no. ``code`` is the provider's own code, ``retry_class`` what it means in our words.

    ``lapsed`` and ``withdrawn`` say that nobody refused: time ran out, or it was taken back before anything was moved.
    """

    code: str
    retry_class: RetryClass
    message: str
    at: datetime
    provider_reference: str = ""
    lapsed: bool = False
    withdrawn: bool = False
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRequired:
    """The payer must do something first; ``action`` is ``{"type": "redirect" | "challenge" | "qr", "url": …}``."""

    provider_reference: str
    action: Mapping[str, str]
    at: datetime
    expires_at: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The provider has it and will tell later."""

    provider_reference: str
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Proven not executed: refused connection, DNS, TLS, 429, a 503 marked transient, our own limit.

    The same attempt may be dispatched again later under the same key. ``retry_after`` is a minimum.
    """

    reason: str
    retry_class: RetryClass
    at: datetime
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """It may have happened. Nothing may be sent again before an inquiry."""

    reason: str
    at: datetime
    provider_reference: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """Only for an inquiry: the provider answered and knows no such operation (yet)."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversed:
    """What had succeeded did not last: ``amount`` is the total taken back by now, so news counts once in any order.

    ``success`` is the approval taken back, where both are told; without it a whole is a no while none is known.
    """

    amount: Money
    code: str
    message: str
    at: datetime
    provider_reference: str = ""
    retry_class: RetryClass = RetryClass.SOFT_DECLINE
    success: Approved | None = None


type Outcome = Approved | Declined | ActionRequired | Pending | NotSent | Unknown
type InquiryOutcome = Approved | Declined | ActionRequired | Pending | Unknown | NotFound | Reversed


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """One verified provider notification, in our words.

    ``event_id`` is the provider's id of the notification, by which it is de-duplicated. ``provider_key`` or
    ``reference`` says what it is about; ``outcome`` is ``None`` for a kind we only record. With ``dispute`` it tells of
    a dispute, and ``provider_reference`` is the provider's id of the disputed charge.
    """

    event_id: str
    kind: str
    occurred_at: datetime
    operation: Operation | None
    outcome: Approved | Declined | ActionRequired | Pending | Reversed | None
    reference: str = ""
    provider_key: str = ""
    provider_reference: str = ""
    dispute: DisputeNews | None = None


class WebhookRefused(ApplicationError):
    """A notification is forged, stale or unreadable; nothing was changed."""

    code = "webhook.refused"
    status = 400
    title = "The notification was not accepted"


class WebhookUnauthentic(WebhookRefused):
    """The signature does not match the raw body under any accepted secret."""

    code = "webhook.signature_invalid"
    status = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do and the windows it declares. All durations are data, not guesses in code.

    Args:
        methods: the payment methods it takes.
        currencies: the currencies it takes; ``None`` for all that we know.
        key_length: the longest idempotency key it accepts, in characters.
        key_window: how long it remembers a key; after 80 % of it we inquire and never resend.
        visibility_horizon: how long after sending "not found" may still be wrong.
        not_found_gap: the least time between the two "not found" answers that together count as "no".
        inquiry_schedule: when to ask again after an unknown outcome, counted from the previous step; the last
            value repeats.
        call_timeout: the longest one call may take.
        p99: under which 99 of 100 calls stay; no call begins with less time than that. ``None`` takes a quarter of
            ``call_timeout``.
        declines: what its decline codes mean in our words, where it has a list of them.
        partial_capture: whether less than the authorised amount can be captured.
        multiple_captures: whether one authorisation can be captured more than once.
        can_hold: whether an amount can be authorised now and captured later; if not, it only takes money at once.
        can_inquire: whether it can be asked by our key or reference. If not, an unknown outcome is resolved by its
            notification or by sending the same key and bytes again inside the key window (SEMANTICS section 2).
        webhook_receipt: the exact body it wants in return for a notification; empty when any 2xx will do.
    """

    methods: frozenset[Method]
    key_length: int
    key_window: timedelta
    visibility_horizon: timedelta
    not_found_gap: timedelta
    inquiry_schedule: tuple[timedelta, ...]
    call_timeout: timedelta
    partial_capture: bool
    multiple_captures: bool
    can_hold: bool = True
    can_inquire: bool = True
    currencies: frozenset[str] | None = None
    webhook_receipt: str = ""
    p99: timedelta | None = None
    declines: Mapping[str, RetryClass] = field(default_factory=dict)

    @property
    def slow_call(self) -> timedelta:
        """The time a call needs, slow ones included: none is begun with less."""
        return self.call_timeout / 4 if self.p99 is None else self.p99


@dataclass(frozen=True, slots=True)
class InboundWebhook:
    """A request of a provider as it arrived: the raw bytes, the headers (names in lower case) and the URL's query."""

    body: bytes
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)


class Provider(Protocol):
    """What an adapter implements. Methods never open a transaction and never touch our database."""

    name: str
    capabilities: Capabilities

    def authorize(self, instruction: Instruction) -> Outcome:
        """Reserve the amount on the payer's instrument, or take it at once with ``capture_now``."""

    def capture(self, instruction: Instruction) -> Outcome:
        """Take part or all of an authorised amount."""

    def void(self, instruction: Instruction) -> Outcome:
        """Release an authorisation that was not captured."""

    def refund(self, instruction: Instruction) -> Outcome:
        """Give part or all of a captured amount back."""

    def inquire(self, question: Question) -> InquiryOutcome:
        """Tell what became of an earlier instruction, without any effect of its own."""

    def require_authentic(self, webhook: InboundWebhook, *, now: datetime) -> None:
        """Make sure that the provider sent this, and lately; it is kept only afterwards.

        The raw bytes are checked, in constant time and under every accepted secret. Nothing is read out of them, except
        where the provider signs values inside the document.

        Raises:
            WebhookUnauthentic: the signature does not match.
            WebhookRefused: it is stale.
        """

    def read_webhook(self, body: bytes, *, now: datetime) -> Sequence[ProviderEvent]:
        """Read what an authentic request tells: one event at most providers, several or none at some.

        It is called again with the same bytes while they cannot be applied, and then tells the same. ``now`` is when
        they arrived.

        Raises:
            WebhookRefused: it cannot be read.
        """


@runtime_checkable
class Completing(Protocol):
    """What an adapter implements besides, if its provider goes on only when told what the payer did."""

    def complete(self, completion: Completion) -> Outcome:
        """Hand in what the payer brought back; the same details have one effect, however often they are handed in."""


@runtime_checkable
class Withdrawing(Protocol):
    """What an adapter implements besides, if an authorisation can be taken back while it waits."""

    def withdraw(self, withdrawal: Withdrawal) -> Outcome:
        """Take the authorisation back; return how it stands then, which is ``Declined`` with ``withdrawn`` on success.

        What can no longer be withdrawn is told as an inquiry would tell it: paid, refused, or still open. Withdrawing
        twice has one effect. ``NotSent`` means that the provider was not reached, ``Unknown`` that an inquiry decides.
        """


def provider_key(attempt_id: UUID, *, limit: int) -> str:
    """Derive the provider's idempotency key from our attempt, so that no crash can lose or change it.

    Raises:
        ValueError: the provider's limit is too short to hold the attempt's identity (32 digits).
    """
    if limit < 32:
        raise ValueError(f"A provider key needs 32 characters; this provider allows {limit}.")
    return f"po-{attempt_id.hex}" if limit >= 35 else attempt_id.hex


def attempt_id_of(key: str) -> UUID | None:
    """Return the attempt a provider key was derived from; ``None`` for a key that is not ours."""
    digits = key.removeprefix("po-")
    try:
        return UUID(hex=digits) if len(digits) == 32 else None
    except ValueError:
        return None
