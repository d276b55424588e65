"""The closed sets of what a chaos run does: orders that clients make, faults of processes, database and provider."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from paymentops.core.failpoints import Action, Point


class Course(StrEnum):
    """What a client asks for once its payment stands."""

    SALE = "sale"
    SALE_REFUND = "sale, refund"
    SALE_REFUNDS_IN_PARTS = "sale, refunds in parts"
    SALE_REFUNDS_BEYOND = "sale, refunds that together exceed it"
    HOLD_CAPTURE = "hold, capture"
    HOLD_CAPTURES_IN_PARTS = "hold, captures in parts"
    HOLD_PART_AND_CANCEL = "hold, capture a part, cancel the rest"
    HOLD_CANCEL = "hold, cancel"
    HOLD_CAPTURE_AND_CANCEL_AT_ONCE = "hold, capture and cancel at once"
    HOLD = "hold"
    CANCEL_AT_ONCE = "cancel at once"


COURSES: Final = MappingProxyType(
    {
        Course.SALE: 30,
        Course.SALE_REFUND: 12,
        Course.SALE_REFUNDS_IN_PARTS: 6,
        Course.SALE_REFUNDS_BEYOND: 6,
        Course.HOLD_CAPTURE: 12,
        Course.HOLD_CAPTURES_IN_PARTS: 8,
        Course.HOLD_PART_AND_CANCEL: 6,
        Course.HOLD_CANCEL: 6,
        Course.HOLD_CAPTURE_AND_CANCEL_AT_ONCE: 4,
        Course.HOLD: 4,
        Course.CANCEL_AT_ONCE: 6,
    }
)


class Habit(StrEnum):
    """How a client sends the request that makes its payment."""

    ONCE = "once"
    TWINS = "twins"
    AGAIN_LATER = "again later"
    KEY_REUSED = "key reused"
    IMPATIENT = "impatient"


HABITS: Final = MappingProxyType(
    {Habit.ONCE: 68, Habit.TWINS: 10, Habit.AGAIN_LATER: 8, Habit.KEY_REUSED: 4, Habit.IMPATIENT: 10}
)

# How the payer's bank behaves, by the sandbox's payment tokens.
TOKENS: Final = MappingProxyType(
    {
        "tok_approved": 70,
        "tok_pending": 4,
        "tok_requires_action": 4,
        "tok_partial_approval": 3,
        "tok_declined_insufficient_funds": 2,
        "tok_declined_lost_card": 1,
        "tok_invalid": 1,
        "tok_capture_timeout_after_effect": 2,
        "tok_capture_declined": 1,
        "tok_void_timeout_after_effect": 1,
        "tok_refund_timeout_before_effect": 2,
        "tok_refund_timeout_after_effect": 2,
        "tok_refund_declined": 1,
        "tok_refund_pending": 1,
        "tok_key_ignored": 2,
        "tok_late_effect": 2,
        "tok_timeout_after_effect_no_webhook": 1,
    }
)

# How often a call to the provider goes wrong, and how. A provider that ignores its key charges a second sending again.
RATES: Final = MappingProxyType(
    {
        "timeout_before": 0.012,
        "timeout_after": 0.014,
        "late_effect": 0.010,
        "error_before": 0.014,
        "error_after": 0.016,
        "garbage": 0.014,
        "reset": 0.014,
        "slow": 0.014,
        "drip": 0.010,
        "unknown_status": 0.014,
        "rate_limited": 0.018,
        "unavailable": 0.014,
        "key_ignored": 0.012,
        "decline": 0.03,
        "inquiry_error": 0.10,
        "inquiry_timeout": 0.06,
        "webhook_early": 0.03,
        "webhook_late": 0.06,
        "webhook_doubled": 0.10,
        "webhook_never": 0.08,
        "webhook_reordered": 0.06,
    }
)


class Blow(StrEnum):
    """A fault of processes, of the database, of the broker or of the clock, struck from outside."""

    WORKER_KILLED = "worker_killed"
    WORKER_CHILD_KILLED = "worker_child_killed"
    WORKER_PAUSED = "worker_paused"
    WEB_KILLED = "web_killed"
    PROVIDER_KILLED = "provider_killed"
    SCHEDULER_KILLED = "scheduler_killed"
    DATABASE_RESTARTED = "database_restarted"
    DATABASE_CRASHED = "database_crashed"
    CONNECTIONS_TERMINATED = "connections_terminated"
    COMMITS_TERMINATED = "commits_terminated"
    DEADLOCK = "deadlock_forced"
    BROKER_EMPTIED = "broker_emptied"
    CLOCK_SKEWED = "provider_clock_skewed"
    WEBHOOK_FORGED = "webhook_forged"
    WEBHOOK_OLD = "webhook_old"


# How often each strikes per 500 payments; at least once in every run.
BLOWS: Final = MappingProxyType(dict.fromkeys(Blow, 2) | {Blow.WEBHOOK_FORGED: 8, Blow.WEBHOOK_OLD: 8})

# What may strike at a point, beside a kill. Points that stand outside any use of the database only delay or die.
AT_A_POINT: Final = (
    Action.KILL,
    Action.LOSE_CONNECTION,
    Action.SERIALIZATION_FAILURE,
    Action.DEADLOCK,
    Action.DISK_FULL,
    Action.DELAY,
)

# Points on the way of every payment are passed often; the others must be struck at their first hits or never are.
FREQUENT: Final = frozenset(
    {
        Point.INTAKE_BEFORE_COMMIT,
        Point.INTAKE_COMMITTED,
        Point.REQUEST_BEFORE_COMMIT,
        Point.REQUEST_COMMITTED,
        Point.DISPATCH_CLAIMED,
        Point.DISPATCH_BEFORE_COMMIT,
        Point.DISPATCH_COMMITTED,
        Point.DISPATCH_ANSWERED,
        Point.OUTCOME_BEFORE_COMMIT,
        Point.OUTCOME_COMMITTED,
        Point.WEBHOOK_KEPT,
        Point.WEBHOOK_CONCLUDED,
        Point.NOTIFICATION_BEFORE_COMMIT,
        Point.NOTIFICATION_COMMITTED,
    }
)
