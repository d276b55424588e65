"""What two people may decide about an attempt of which nobody knows whether it happened: pure.

"It happened" takes what a notification of the provider would tell: the provider's id, the amount and when. "It did
not happen" takes only words and evidence, and releases what was held back for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from paymentops.core.errors import Conflict, InvalidInput
from paymentops.core.money import Money
from paymentops.payments.ambiguity import Reason, Verdict
from paymentops.providers.contract import Operation

LONGEST_REFERENCE: Final = 120
LONGEST_EVIDENCE: Final = 300
# Only here may people say that nothing happened: anywhere else the provider still can, and will.
_MAY_SAY_NO: Final = frozenset({Reason.PAST_CUT_OFF, Reason.ONLY_NEWS_DECIDES})


class DecisionNotUsable(InvalidInput):
    """A value of the decision cannot be right for its attempt."""

    title = "This decision cannot be recorded"


class NotForPeople(Conflict):
    """The provider can still say what became of the attempt; people decide only when it cannot."""

    code = "payment.not_for_people"
    title = "This is not for people to decide yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItHappened:
    """The provider did it.

    Args:
        amount: how much was authorised, captured, voided or refunded.
        provider_reference: the provider's id of it.
        occurred_at: when it happened.
        evidence: what proves it: a page of the provider, a line of a statement, a message.
    """

    amount: Money
    provider_reference: str
    occurred_at: datetime
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItDidNotHappen:
    """The provider did not do it and never will; ``evidence`` says what proves it."""

    evidence: str


type Decision = ItHappened | ItDidNotHappen


def check(decision: Decision, *, operation: Operation, asked: Money, sent_at: datetime, now: datetime) -> None:
    """Let a decision pass that can be true of an attempt over ``asked`` that was sent first at ``sent_at``.

    Raises:
        DecisionNotUsable: it cannot.
    """
    if not 1 <= len(decision.evidence.strip()) <= LONGEST_EVIDENCE:
        raise DecisionNotUsable(f"Say in 1 to {LONGEST_EVIDENCE} characters what proves it.")
    if isinstance(decision, ItDidNotHappen):
        return
    if not 1 <= len(decision.provider_reference.strip()) <= LONGEST_REFERENCE:
        raise DecisionNotUsable(f"Give the provider's id of it, in 1 to {LONGEST_REFERENCE} characters.")
    if decision.occurred_at.tzinfo is None or not sent_at <= decision.occurred_at <= now:
        raise DecisionNotUsable(f"It happened after it was sent ({sent_at:%Y-%m-%d %H:%M:%S} UTC) and not in future.")
    _check_amount(decision.amount, operation=operation, asked=asked)


def _check_amount(amount: Money, *, operation: Operation, asked: Money) -> None:
    if amount.currency != asked.currency:
        raise DecisionNotUsable(f"It was asked for in {asked.currency}; nothing else can have happened.")
    if operation in (Operation.REFUND, Operation.VOID) and amount != asked:
        raise DecisionNotUsable(f"A {operation.lower()} happens as a whole: {asked}.")
    if not 1 <= amount.minor <= asked.minor:
        raise DecisionNotUsable(f"At most what was asked for can have happened: {asked}.")


def check_timing(decision: Decision, verdict: Verdict) -> None:
    """Let a decision pass that is people's to make now.

    That it happened may be said at any time while it is unknown: whoever has the proof need not wait, and a later
    notification only confirms it. That it did not happen may be said only when nothing else can tell any more: after
    the settlement cut-off, or where the provider cannot be asked and no resend is safe. Before, an absence of proof
    proves nothing.

    Raises:
        NotForPeople: the provider is still going to be asked, or is going to get the same request again.
    """
    if isinstance(decision, ItDidNotHappen) and not may_say_no(verdict):
        raise NotForPeople(
            "That it did not happen is decided by people only after the settlement cut-off, or where the provider can "
            "neither be asked nor sent the same request again. Ask the provider now instead."
        )


def may_say_no(verdict: Verdict) -> bool:
    """Tell whether people may decide that it did not happen: nothing else can tell any more."""
    return verdict.reason in _MAY_SAY_NO


def as_payload(decision: Decision) -> dict[str, Any]:
    """Return a decision as JSON values, amounts as text."""
    if isinstance(decision, ItDidNotHappen):
        return {"happened": False, "evidence": decision.evidence.strip()}
    return {
        "happened": True,
        "amount": str(decision.amount.minor),
        "currency": decision.amount.currency,
        "provider_reference": decision.provider_reference.strip(),
        "occurred_at": decision.occurred_at.isoformat(),
        "evidence": decision.evidence.strip(),
    }


def from_payload(payload: Mapping[str, Any]) -> Decision:
    """Read a decision back from what ``as_payload`` made."""
    if not payload["happened"]:
        return ItDidNotHappen(evidence=payload["evidence"])
    return ItHappened(
        amount=Money(int(payload["amount"]), payload["currency"]),
        provider_reference=payload["provider_reference"],
        occurred_at=datetime.fromisoformat(payload["occurred_at"]),
        evidence=payload["evidence"],
    )


def in_words(decision: Decision) -> str:
    """Return a decision as a sentence."""
    if isinstance(decision, ItDidNotHappen):
        return "It did not happen."
    return f"It happened: {decision.amount} as {decision.provider_reference}."
