"""Whether an operation may be carried out anew without a second effect: yes or no, because of what. Pure.

"Yes" means that the operation has had no effect and can have none any more, so that somebody may ask for it again.
Everything else is a no, also where most would say that it surely failed (SEMANTICS section 2, resolving an unknown
outcome). The verdict looks at safety only; whether a new try is worth it is the retry policy's question.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from paymentops.payments import retry
from paymentops.payments.retry import NotFoundVerdict
from paymentops.payments.states import NEGATIVE_ATTEMPT_STATES, AttemptState
from paymentops.providers.contract import Capabilities, Operation, RetryClass

S = AttemptState
# The rule under ``Attempt.schedule`` of an inquiry that somebody asked for out of turn.
ASKED_FOR: Final = "asked_for"
# No worker lives longer with one attempt: the hard time limit of the tasks that send.
SENDER_DIES_WITHIN: Final = timedelta(seconds=120)
# A no of these classes is for good: whoever asks again breaks the rules of the card schemes (SEMANTICS section 4).
_FOR_GOOD: Final = frozenset({RetryClass.HARD_DECLINE, RetryClass.RISK_BLOCK, RetryClass.PROVIDER_GUARD})
_NOUNS: Final = {
    Operation.AUTHORIZE: "authorisation",
    Operation.CAPTURE: "capture",
    Operation.VOID: "void",
    Operation.REFUND: "refund",
}


class Reason(StrEnum):
    """Why it is safe or not; stable, programs may decide by it."""

    NEVER_SENT = "never_sent"
    NOT_EXECUTED = "not_executed"
    DECLINED = "declined"
    LAPSED = "lapsed"
    DECIDED_BY_PEOPLE = "decided_by_people"

    WILL_BE_SENT = "will_be_sent"
    BEING_SENT = "being_sent"
    WORKER_LOST = "worker_lost"
    PROVIDER_IS_WORKING = "provider_is_working"
    PAYER_MAY_ACT = "payer_may_act"
    NOT_ASKED_YET = "not_asked_yet"
    NO_CLEAR_ANSWER = "no_clear_answer"
    NOT_FOUND_TOO_EARLY = "not_found_too_early"
    NOT_FOUND_ONCE = "not_found_once"
    SAME_KEY_AGAIN = "same_key_again"
    ONLY_NEWS_DECIDES = "only_news_decides"
    PAST_CUT_OFF = "past_cut_off"
    HAPPENED = "happened"
    TAKEN_BACK = "taken_back"
    ANOTHER_OPEN = "another_open"
    ANOTHER_SUCCEEDED = "another_succeeded"
    CONTRARY_EVIDENCE = "contrary_evidence"
    REFUSED_FOR_GOOD = "refused_for_good"
    END_NOT_CONFIRMED = "end_not_confirmed"
    SENDER_MAY_LIVE = "sender_may_live"


class Step(StrEnum):
    """What happens next by itself."""

    SEND = "send"
    SEND_AGAIN = "send_again"
    ASK = "ask"
    NEWS_OR_PEOPLE = "news_or_people"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an attempt at one moment.

    Args:
        state, operation, provider: of the attempt.
        capabilities: what its provider declares.
        dispatches: how often it was sent; ``sent_at`` first and ``last_sent_at`` last, ``None`` where never.
        unanswered_sends: for some dispatch no worker ever recorded what came back.
        last_inquiry: what the newest answered inquiry came to, ``NotFound``; empty where none was.
        not_found_at: when the first "not found" came that counts.
        next_action_at: when a worker takes it on.
        leased_until: until when a worker has it in hand.
        rule: the rule by which ``next_action_at`` was planned.
        result_class: what its no means.
        decided_by_people: its end is what two people decided.
        contrary_evidence: a provider said that it happened, and that was not applied.
        another_open: another attempt is open that does the same thing, or works on the same hold.
        another_succeeded: another attempt did the same thing.
        cut_off_at: from when on nothing is decided automatically; ``None`` where it was never sent.
        now: the moment.
    """

    state: AttemptState
    operation: Operation
    provider: str
    capabilities: Capabilities
    now: datetime
    dispatches: int = 0
    sent_at: datetime | None = None
    last_sent_at: datetime | None = None
    unanswered_sends: bool = False
    last_inquiry: str = ""
    not_found_at: datetime | None = None
    next_action_at: datetime | None = None
    leased_until: datetime | None = None
    rule: str = ""
    result_class: RetryClass | None = None
    decided_by_people: bool = False
    contrary_evidence: bool = False
    another_open: bool = False
    another_succeeded: bool = False
    cut_off_at: datetime | None = None

    @property
    def noun(self) -> str:
        """What the attempt does, ``authorisation``."""
        return _NOUNS[self.operation]

    @property
    def is_past_cut_off(self) -> bool:
        """Whether nothing is decided automatically any more."""
        return self.cut_off_at is not None and self.cut_off_at <= self.now

    @property
    def sender_may_live(self) -> bool:
        """Whether a worker that never answered may still send what it took."""
        return (
            self.unanswered_sends
            and self.last_sent_at is not None
            and self.now < self.last_sent_at + SENDER_DIES_WITHIN
        )

    @property
    def is_in_hand(self) -> bool:
        """Whether a worker has it in hand now."""
        return self.leased_until is not None and self.leased_until > self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the operation may be carried out anew.

    Args:
        safe: yes or no.
        reason: why, as a stable code.
        because: why, as the rest of a sentence that begins with "Yes, because" or "No, because".
        would_change: what would change the verdict, as a sentence; empty for a yes.
        next_step: what happens next by itself, ``next_at`` when; ``None`` where it is not known.
    """

    safe: bool
    reason: Reason
    because: str
    would_change: str
    next_step: Step
    next_at: datetime | None

    @property
    def sentence(self) -> str:
        """The verdict as people read it."""
        return f"{'Yes' if self.safe else 'No'}, because {self.because}."

    @property
    def next_inquiry_at(self) -> datetime | None:
        """When the provider is asked next, where it is."""
        return self.next_at if self.next_step is Step.ASK else None


def business_days_after(moment: datetime, *, days: int) -> datetime:
    """Return the same time of day so many days later that are neither Saturday nor Sunday."""
    while days > 0:
        moment += timedelta(days=1)
        days -= moment.weekday() < 5
    return moment


def judge(facts: Facts) -> Verdict:
    """Return the verdict on any attempt, whatever its state."""
    reason, because, would_change = _opinion(facts)
    step, at = _next_step(facts)
    return Verdict(
        safe=reason in _SAFE, reason=reason, because=because, would_change=would_change, next_step=step, next_at=at
    )


_SAFE: Final = frozenset(
    {Reason.NEVER_SENT, Reason.NOT_EXECUTED, Reason.DECLINED, Reason.LAPSED, Reason.DECIDED_BY_PEOPLE}
)
type _Opinion = tuple[Reason, str, str]


def _opinion(facts: Facts) -> _Opinion:
    return _OPINIONS.get(AttemptState(facts.state), _ended)(facts)


def _prepared(facts: Facts) -> _Opinion:
    before = "has not been sent yet" if not facts.dispatches else "provably did not leave the last time"
    return (
        Reason.WILL_BE_SENT,
        f"the {facts.noun} {before} and is going to be sent by itself; a retry would be a second one",
        "It is cancelled or expires before it is sent.",
    )


def _pending(facts: Facts) -> _Opinion:
    return (
        Reason.PROVIDER_IS_WORKING,
        f"{facts.provider} has the {facts.noun} in hand and has not said how it ends",
        f"A final answer of {facts.provider}.",
    )


def _action_required(facts: Facts) -> _Opinion:
    return (
        Reason.PAYER_MAY_ACT,
        f"the payer may still complete the {facts.noun}",
        "The payer completes it, or their time runs out.",
    )


def _succeeded(facts: Facts) -> _Opinion:
    return Reason.HAPPENED, f"the {facts.noun} happened", "Nothing; take it back by another operation."


def _reversed(facts: Facts) -> _Opinion:
    because = f"the {facts.noun} happened and was taken back; doing it again is a new decision and no retry"
    return Reason.TAKEN_BACK, because, "Nothing."


def _dispatched(facts: Facts) -> _Opinion:
    if facts.is_in_hand:
        return Reason.BEING_SENT, f"the {facts.noun} is on its way right now", f"The answer of {facts.provider}."
    return (
        Reason.WORKER_LOST,
        f"the worker that sent the {facts.noun} did not come back, and it may have happened",
        f"What {facts.provider} says about it.",
    )


def _unknown(facts: Facts) -> _Opinion:
    may = f"the {facts.noun} may have happened"
    if facts.is_past_cut_off:
        return (
            Reason.PAST_CUT_OFF,
            f"{may}, and after the settlement cut-off no rule decides any more",
            f"A notification of {facts.provider}, a statement line, or the decision of two people.",
        )
    if not facts.capabilities.can_inquire:
        return _unknown_without_inquiry(facts, may)
    waits_for = f"{facts.provider} says that it happened or that it did not."
    if facts.last_inquiry == "NotFound":
        return _not_found(facts, may)
    if not facts.last_inquiry:
        return Reason.NOT_ASKED_YET, f"{may}, and {facts.provider} has not been asked yet", waits_for
    return Reason.NO_CLEAR_ANSWER, f"{may}, and {facts.provider} gave no clear answer so far", waits_for


def _not_found(facts: Facts, may: str) -> _Opinion:
    """Weigh a "not found" as the recording of it does; the second one that counts ends the attempt."""
    capabilities = facts.capabilities
    verdict = retry.judge_not_found(
        capabilities=capabilities,
        last_sent_at=facts.last_sent_at or facts.now,
        first_not_found_at=facts.not_found_at,
        now=facts.now,
    )
    if facts.not_found_at is None or verdict is NotFoundVerdict.TOO_EARLY:
        span = _span(capabilities.visibility_horizon)
        return (
            Reason.NOT_FOUND_TOO_EARLY,
            f"{may}: {facts.provider} found nothing, but may show it only {span} after it was sent",
            "Two answers “not found” after that time, or the news that it happened.",
        )
    return (
        Reason.NOT_FOUND_ONCE,
        f"{may}: {facts.provider} found nothing once, and one answer alone proves nothing",
        f"A second “not found”, at least {_span(capabilities.not_found_gap)} after the first.",
    )


def _unknown_without_inquiry(facts: Facts, may: str) -> _Opinion:
    key_is_safe = facts.rule != retry.BY_HAND and retry.key_is_safe(
        capabilities=facts.capabilities, first_sent_at=facts.sent_at or facts.now, now=facts.now
    )
    if key_is_safe:
        because = (
            f"{may}; {facts.provider} cannot be asked, so the same request is sent again under the same key, "
            "which has one effect only; a new request could have a second"
        )
        return Reason.SAME_KEY_AGAIN, because, f"The answer of {facts.provider} to the same request."
    return (
        Reason.ONLY_NEWS_DECIDES,
        f"{may}; {facts.provider} cannot be asked, and its memory of the key is not to be relied on any more",
        f"A notification of {facts.provider}, a statement line, or the decision of two people.",
    )


def _ended(facts: Facts) -> _Opinion:
    """Judge what ended without an effect, as far as is known: safe only where nothing contradicts it."""
    if (objection := _objection(facts)) is not None:
        return objection
    if facts.dispatches == 0:
        return Reason.NEVER_SENT, f"the {facts.noun} was never sent", ""
    if facts.decided_by_people:
        return Reason.DECIDED_BY_PEOPLE, f"two people decided on evidence that the {facts.noun} did not happen", ""
    return _ended_after_sending(facts)


def _objection(facts: Facts) -> _Opinion | None:
    if facts.contrary_evidence:
        because = f"{facts.provider} says that the {facts.noun} happened after all, and that is not resolved"
        return Reason.CONTRARY_EVIDENCE, because, "Somebody resolves the evidence."
    if facts.another_succeeded:
        return Reason.ANOTHER_SUCCEEDED, f"another try of the same {facts.noun} succeeded", "Nothing."
    if facts.another_open:
        return Reason.ANOTHER_OPEN, "another operation on the payment is not finished", "The other one ends."
    if facts.dispatches and facts.sender_may_live:
        because = f"a worker that took the {facts.noun} to send never came back, and may have been asleep since"
        after = f"{_span(SENDER_DIES_WITHIN)} after it was taken, no such worker lives any more."
        return Reason.SENDER_MAY_LIVE, because, after
    return None


def _ended_after_sending(facts: Facts) -> _Opinion:
    match facts.state:
        case S.FAILED:
            return Reason.NOT_EXECUTED, f"it is proven that the {facts.noun} was not carried out", ""
        case S.DECLINED if facts.result_class in _FOR_GOOD:
            return (
                Reason.REFUSED_FOR_GOOD,
                f"the {facts.noun} was refused for good; nothing happened, and asking again is not allowed",
                "Another means of payment, in a new payment.",
            )
        case S.DECLINED:
            return Reason.DECLINED, f"{facts.provider} refused the {facts.noun}{_condition(facts)}", ""
        case _ if facts.capabilities.can_inquire:
            return Reason.LAPSED, f"the {facts.noun} ended at {facts.provider} before anything moved", ""
        case _:
            return (
                Reason.END_NOT_CONFIRMED,
                f"{facts.provider} cannot be asked and never said that the {facts.noun} ended, so it may still happen",
                f"A notification of {facts.provider} or a statement line.",
            )


_OPINIONS: Final = {
    S.PREPARED: _prepared,
    S.DISPATCHED: _dispatched,
    S.UNKNOWN: _unknown,
    S.PENDING: _pending,
    S.ACTION_REQUIRED: _action_required,
    S.SUCCEEDED: _succeeded,
    S.REVERSED: _reversed,
}


def _condition(facts: Facts) -> str:
    return {
        RetryClass.DATA_DECLINE: " for its data; a new try takes other data",
        RetryClass.AUTH_REQUIRED: " without the payer; a new try takes the payer's presence",
    }.get(facts.result_class or RetryClass.SOFT_DECLINE, "")


def _next_step(facts: Facts) -> tuple[Step, datetime | None]:
    if facts.state in NEGATIVE_ATTEMPT_STATES or facts.state in (S.SUCCEEDED, S.REVERSED):
        return Step.NOTHING, None
    if facts.state == S.PREPARED:
        return Step.SEND, facts.next_action_at
    asks = facts.capabilities.can_inquire
    if facts.state == S.DISPATCHED:
        ends_at = facts.leased_until or facts.next_action_at
        first = facts.capabilities.inquiry_schedule[0]
        return (Step.ASK if asks else Step.SEND_AGAIN), ends_at + first if ends_at else None
    if asks and not (facts.state == S.UNKNOWN and facts.is_past_cut_off and facts.rule == retry.BY_HAND):
        return Step.ASK, facts.next_action_at
    if not asks and _opinion(facts)[0] is Reason.SAME_KEY_AGAIN:
        return Step.SEND_AGAIN, facts.next_action_at
    return Step.NEWS_OR_PEOPLE, None


def _span(duration: timedelta) -> str:
    """Write a window in its largest whole unit: ``15 min``, ``60 s``."""
    seconds = int(duration.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
