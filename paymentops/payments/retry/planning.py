"""The whole future of a request before it happens: what would follow each answer, when, and which rule decides it.

Pure: the same inputs give the same bytes. Each answer is taken to come at the moment of its call, so what really
happens comes later by as long as the calls take, and by deferrals of breakers and budgets, which depend on traffic.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from paymentops.payments.retry import deciding, schedule
from paymentops.payments.retry.deciding import Again, Case, Later, Stop, Verdict
from paymentops.payments.retry.policy import SameKey
from paymentops.providers.contract import RetryClass

_NOT_SENT = (RetryClass.NOT_SENT, RetryClass.THROTTLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """From where the future is told.

    Args:
        case: the request as it stands, its present attempt last.
        at: when the present attempt is answered next.
        sent: how often it was sent before; the answer at ``at`` is to one more.
        asked: how often it was asked about.
        in_doubt: whether an earlier sending may have happened, so that only an inquiry goes on from here.
    """

    case: Case
    at: datetime
    sent: int = 0
    asked: int = 0
    in_doubt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that would happen.

    Args:
        at: when, if all answers before it came at once.
        does: ``send again``, ``new attempt``, ``ask`` or ``stop``.
        provider: where.
        attempt: which attempt of the request, counted from 1.
        rule: what decides it: the rule's name.
        because: the same for a person.
        inputs: from which the moment was computed.
    """

    at: datetime
    does: str
    provider: str
    attempt: int
    rule: str
    because: str
    inputs: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Branch:
    """What would follow, if every answer from now on were of one class."""

    retry_class: RetryClass
    steps: tuple[Step, ...]


def plan(outlook: Outlook) -> list[Branch]:
    """Return, for each class of the next answer, all steps that would follow while such answers kept coming."""
    return [Branch(retry_class, tuple(_steps(outlook, retry_class))) for retry_class in RetryClass]


def as_document(branches: list[Branch]) -> list[dict[str, Any]]:
    """Return a plan as JSON values."""
    return [
        {
            "answer": branch.retry_class.value,
            "steps": [asdict(step) | {"at": step.at.isoformat()} for step in branch.steps],
        }
        for branch in branches
    ]


def _steps(outlook: Outlook, retry_class: RetryClass) -> Iterator[Step]:
    if retry_class is RetryClass.UNKNOWN:
        yield from _inquiries(outlook)
        return
    case, at, sent = outlook.case, outlook.at, outlook.sent + 1
    if outlook.in_doubt and retry_class in _NOT_SENT:
        yield from _inquiries(outlook)
        return
    while True:
        verdict = _judge(case, retry_class, sent, at)
        yield _step(case, verdict, retry_class, at)
        match verdict:
            case Later(planned):
                at, sent = planned.at, sent + 1
            case Again(provider, planned):
                case, at, sent = replace(case, tried=(*case.tried, provider)), planned.at, 1
            case Stop():
                return


def _judge(case: Case, retry_class: RetryClass, sent: int, at: datetime) -> Verdict:
    if retry_class in _NOT_SENT:
        return deciding.judge_not_sent(case, retry_class, sent=sent, now=at)
    return deciding.judge_answer(case, retry_class, now=at)


def _step(case: Case, verdict: Verdict, retry_class: RetryClass, at: datetime) -> Step:
    match verdict:
        case Later(planned):
            return Step(
                at=planned.at,
                does="send again",
                provider=case.provider,
                attempt=len(case.tried),
                rule=f"class:{retry_class} same_key={SameKey.LATER}",
                because="It provably did not leave, so the same key is sent again.",
                inputs=planned.inputs,
            )
        case Again(provider, planned):
            where = "the same provider" if provider == case.provider else "another provider"
            return Step(
                at=planned.at,
                does="new attempt",
                provider=provider,
                attempt=len(case.tried) + 1,
                rule=f"class:{retry_class} {'same' if provider == case.provider else 'other'}_provider=yes",
                because=f"A definitive no of the class {retry_class} allows a new attempt at {where}.",
                inputs=planned.inputs,
            )
        case Stop(rule, reason):
            return Step(
                at=at,
                does="stop",
                provider=case.provider,
                attempt=len(case.tried),
                rule=rule,
                because=reason,
                inputs=verdict.inputs,
            )


def _inquiries(outlook: Outlook) -> Iterator[Step]:
    """Tell when the provider is asked what happened, until the last step of its schedule, which repeats."""
    case = outlook.case
    capabilities = case.candidates.get(case.provider)
    if capabilities is None or not capabilities.can_inquire:
        return
    at, waits = outlook.at, capabilities.inquiry_schedule
    for asked in range(outlook.asked, max(len(waits), outlook.asked + 1)):
        planned = schedule.next_inquiry(schedule=waits, asked=asked, now=at)
        at = planned.at
        repeats = asked >= len(waits) - 1
        yield Step(
            at=at,
            does="ask",
            provider=case.provider,
            attempt=len(case.tried),
            rule=f"class:{RetryClass.UNKNOWN} same_key={SameKey.AFTER_INQUIRY}",
            because="It may have happened: asked before anything else"
            + (f", from here on every {_seconds(waits[-1])} s." if repeats else "."),
            inputs=planned.inputs,
        )


def _seconds(wait: timedelta) -> str:
    return f"{wait.total_seconds():g}"
