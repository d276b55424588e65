"""When something is tried or asked again: pure, so that the same inputs give the same schedule."""

from paymentops.payments.retry.deciding import Again, Case, Later, Stop, Verdict, judge_answer, judge_not_sent, too_late
from paymentops.payments.retry.policy import Policy
from paymentops.payments.retry.published import POLICIES, NoSuchPolicy, policy
from paymentops.payments.retry.schedule import (
    BY_HAND,
    NEW_ATTEMPT,
    OVER_BUDGET,
    NotFoundVerdict,
    Planned,
    after_not_sent,
    at_once,
    by_hand,
    jitter,
    judge_not_found,
    key_is_safe,
    may_resend,
    next_inquiry,
    next_resend,
    over_budget,
)

__all__ = [
    "BY_HAND",
    "NEW_ATTEMPT",
    "OVER_BUDGET",
    "POLICIES",
    "Again",
    "Case",
    "Later",
    "NoSuchPolicy",
    "NotFoundVerdict",
    "Planned",
    "Policy",
    "Stop",
    "Verdict",
    "after_not_sent",
    "at_once",
    "by_hand",
    "jitter",
    "judge_answer",
    "judge_not_found",
    "judge_not_sent",
    "key_is_safe",
    "may_resend",
    "next_inquiry",
    "next_resend",
    "over_budget",
    "policy",
    "too_late",
]
