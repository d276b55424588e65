"""What follows a no: the same key later, a new attempt here or elsewhere, or nothing. From values to values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from paymentops.payments.retry import schedule
from paymentops.payments.retry.policy import NewAttempt, Policy
from paymentops.payments.retry.schedule import Planned
from paymentops.providers.contract import Capabilities, Operation, RetryClass

_WORDS: Final = {
    NewAttempt.NO: "is not tried again",
    NewAttempt.NEVER: "is never tried again",
    NewAttempt.WITH_CHANGED_DATA: "is only tried again with other data, which is a new payment",
    NewAttempt.WITH_THE_PAYER: "is only tried again with the payer present, which is a new payment",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of a request when one of its attempts got a no.

    Args:
        policy: the version the payment was accepted under.
        operation: what the attempt was to do.
        root: the request's first attempt; the jitter of all later ones comes from it, so that it is known beforehand.
        begun_at: when the request was first sent; its deadline counts from there.
        tried: the providers of its attempts, oldest first; the last one said no.
        candidates: what those providers declare that can take the payment, the preferred one first.
        payer_acted: whether the payer took part in the attempt.
        withdrawn: whether a cancel was asked for meanwhile.
        charged_elsewhere: whether a provider says of an earlier attempt that it happened after all.
        cap_reached: the scheme cap that leaves no room for another try; empty for none.
    """

    policy: Policy
    operation: Operation
    root: UUID
    begun_at: datetime
    tried: tuple[str, ...]
    candidates: Mapping[str, Capabilities]
    payer_acted: bool = False
    withdrawn: bool = False
    charged_elsewhere: bool = False
    cap_reached: str = ""

    @property
    def provider(self) -> str:
        """The provider that said no."""
        return self.tried[-1]


@dataclass(frozen=True, slots=True)
class Later:
    """The same attempt is sent again later, under the same key."""

    planned: Planned


@dataclass(frozen=True, slots=True)
class Again:
    """A new attempt, under a key of its own, follows at ``provider``."""

    provider: str
    planned: Planned


@dataclass(frozen=True, slots=True)
class Stop:
    """Nothing follows by itself; ``rule`` names what decided, ``reason`` says it to a person."""

    rule: str
    reason: str

    @property
    def inputs(self) -> dict[str, Any]:
        """What is stored of it."""
        return {"rule": "stop", "decided_by": self.rule, "reason": self.reason}


type Verdict = Later | Again | Stop


def judge_answer(case: Case, retry_class: RetryClass, *, now: datetime) -> Again | Stop:
    """Decide what follows a definitive no of the provider."""
    hindered = _hindrance(case)
    if hindered is not None:
        return hindered
    provider = _next_provider(case, retry_class)
    if provider is None:
        return _nowhere(case, retry_class)
    return _new_attempt(case, retry_class, provider, now)


def judge_not_sent(
    case: Case, retry_class: RetryClass, *, sent: int, now: datetime, retry_after: timedelta | None = None
) -> Verdict:
    """Decide what follows when an attempt provably did not leave, after it was sent ``sent`` times.

    ``retry_after`` is a minimum for the provider that asked for it.
    """
    policy = case.policy
    if sent > min(policy.failover_after, policy.deferrals) and _hindrance(case) is None:
        others = _others(case, retry_class)
        if others:
            return _new_attempt(case, retry_class, others[0], now)
    if sent > policy.deferrals:
        return Stop("deferrals", f"It was put off {policy.deferrals} times and never left.")
    planned = schedule.after_not_sent(
        policy=policy, attempt_id=case.root, number=sent, attempt=len(case.tried), now=now, retry_after=retry_after
    )
    return _past_deadline(case, case.provider, planned.at) or Later(planned)


def too_late(*, policy: Policy, begun_at: datetime, capabilities: Capabilities | None, at: datetime) -> bool:
    """Tell whether less than one slow call of the provider is left of the request's time at a moment."""
    ends_at = policy.ends_at(begun_at)
    needed = capabilities.slow_call if capabilities is not None else timedelta()
    return ends_at is not None and at + needed > ends_at


def _hindrance(case: Case) -> Stop | None:
    """Return what forbids any new attempt, whatever the answer meant."""
    operation, tries = case.operation.lower(), case.policy.tries
    hindrances = (
        (
            case.operation is not Operation.AUTHORIZE,
            Stop("operation", f"A {operation} has one attempt; ask for it again under a new key."),
        ),
        (
            case.charged_elsewhere,
            Stop("charged_elsewhere", "A provider says that an earlier attempt happened after all."),
        ),
        (case.withdrawn, Stop("withdrawn", "It was cancelled meanwhile.")),
        (case.payer_acted, Stop("payer", "The payer took part; they would have to again.")),
        (len(case.tried) >= tries, Stop("tries", f"The request's tries are used; the policy allows {tries}.")),
        (bool(case.cap_reached), Stop("scheme_cap", f"The card scheme's cap is reached: {case.cap_reached}.")),
    )
    return next((stop for applies, stop in hindrances if applies), None)


def _next_provider(case: Case, retry_class: RetryClass) -> str | None:
    others = _others(case, retry_class)
    if others:
        return others[0]
    stays = case.policy.actions[retry_class].same_provider is NewAttempt.YES and case.provider in case.candidates
    return case.provider if stays else None


def _others(case: Case, retry_class: RetryClass) -> list[str]:
    """Return the providers, best first, that were not tried yet and may take over after a no of this class."""
    wish = case.policy.actions[retry_class].other_provider
    untried = [name for name in case.candidates if name not in case.tried]
    if wish is NewAttempt.YES:
        return untried
    if wish is NewAttempt.IF_CAPABILITY_DIFFERS and case.provider in case.candidates:
        mine = _abilities(case.candidates[case.provider])
        return [name for name in untried if _abilities(case.candidates[name]) != mine]
    return []


def _abilities(capabilities: Capabilities) -> tuple[object, ...]:
    return capabilities.methods, capabilities.currencies, capabilities.can_hold


def _nowhere(case: Case, retry_class: RetryClass) -> Stop:
    action = case.policy.actions[retry_class]
    may_go = (NewAttempt.YES, NewAttempt.IF_CAPABILITY_DIFFERS)
    if action.same_provider in may_go or action.other_provider in may_go:
        return Stop("no_provider", "No provider that may take it is left.")
    return Stop(f"class:{retry_class}", f"{retry_class} {_WORDS[action.same_provider]}.")


def _new_attempt(case: Case, retry_class: RetryClass, provider: str, now: datetime) -> Again | Stop:
    planned = schedule.new_attempt(
        policy=case.policy,
        action=case.policy.actions[retry_class],
        root=case.root,
        number=len(case.tried),
        now=now,
    )
    inputs = planned.inputs | {
        "because": str(retry_class),
        "provider": provider,
        "tried": list(case.tried),
        "candidates": list(case.candidates),
    }
    return _past_deadline(case, provider, planned.at) or Again(provider, Planned(at=planned.at, inputs=inputs))


def _past_deadline(case: Case, provider: str, at: datetime) -> Stop | None:
    capabilities = case.candidates.get(provider)
    if too_late(policy=case.policy, begun_at=case.begun_at, capabilities=capabilities, at=at):
        return Stop("deadline", "The request's time would be over before the next try could be answered.")
    return None
