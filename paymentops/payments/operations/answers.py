"""What came back from a provider, and keeping it as a call: append-only, also where it did not count."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from paymentops.core import ids, tracing
from paymentops.payments.models import Attempt, ProviderCall
from paymentops.payments.models.moving import SYSTEM
from paymentops.providers.contract import (
    Approved,
    Declined,
    InquiryOutcome,
    NotSent,
    Outcome,
    Reversed,
    Unknown,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DidNotHappen:
    """No provider says this: two people decided it, on this evidence."""

    at: datetime
    evidence: str


type Told = Outcome | InquiryOutcome | DidNotHappen


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, and to which call.

    ``fence`` is ``None`` for a notification: evidence that nobody here asked for. ``reference`` makes the cause unique
    within the attempt: the number of the call, or the provider's id of the notification. ``actor`` and ``reason`` are
    of the person who decided, where it is a decision.
    """

    attempt_id: UUID
    kind: ProviderCall.Kind
    number: int
    fence: int | None
    started_at: datetime
    reference: str
    outcome: Told
    actor: str = SYSTEM
    reason: str = ""


def keep(
    answer: Answer,
    *,
    attempt: Attempt,
    outcome: Told,
    applied: bool,
    now: datetime,
    kept_as: str = "",
) -> None:
    """Keep one answered exchange, whether it counted or not; ``outcome`` is what was made of it."""
    ProviderCall.objects.create(
        id=ids.new(now),
        attempt=attempt,
        kind=answer.kind,
        number=answer.number,
        fence=answer.fence if answer.fence is not None else attempt.fence,
        started_at=answer.started_at,
        answered_at=max(now, answer.started_at),
        outcome=kept_as or type(outcome).__name__,
        code=_code(outcome)[:80],
        message=_message(outcome)[:300],
        provider_reference=reference(outcome)[:120],
        amount=outcome.amount.minor if isinstance(outcome, Approved | Reversed) else None,
        captured=outcome.captured.minor if isinstance(outcome, Approved) and outcome.captured is not None else None,
        applied=applied,
        trace_id=tracing.current_trace_id(),
    )


def reference(outcome: Told) -> str:
    """Return the provider's id that an outcome carries, or an empty text."""
    return str(getattr(outcome, "provider_reference", ""))


def _code(outcome: Told) -> str:
    match outcome:
        case Declined(code=code) | Reversed(code=code):
            return code
        case NotSent(retry_class=retry_class):
            return retry_class.value
        case _:
            return ""


def _message(outcome: Told) -> str:
    match outcome:
        case Declined(message=message) | Reversed(message=message):
            return message
        case NotSent(reason=reason) | Unknown(reason=reason):
            return reason
        case DidNotHappen(evidence=evidence):
            return evidence
        case _:
            return ""
