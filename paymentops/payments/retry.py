"""When something is tried or asked again: pure, so that the same inputs give the same schedule."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from paymentops.providers.contract import Capabilities

# The rule under ``Attempt.schedule`` of what only news from the provider or people can resolve.
BY_HAND: Final = "by_hand"
_FLOOR: Final = timedelta(seconds=0.5)
# After four fifths of the provider's key window a resend could be taken for a new request (SEMANTICS section 1).
_SAFE_SHARE_OF_KEY_WINDOW: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of the retry policy.

    Args:
        version: pinned on the payment; also the key of the jitter.
        base: the first delay before jitter.
        cap: the longest delay before jitter.
        sends: how many times one attempt may be sent when it may have happened.
        deferrals: how many times an attempt that provably did not leave may be put off.
    """

    version: str
    base: timedelta
    cap: timedelta
    sends: int
    deferrals: int


CURRENT: Final = Policy(
    version="2026-11-01",
    base=timedelta(seconds=1),
    cap=timedelta(seconds=60),
    sends=3,
    deferrals=12,
)
_POLICIES: Final = {CURRENT.version: CURRENT}


def policy(version: str) -> Policy:
    """Return the policy a payment was accepted under; ``KeyError`` for a version that never existed."""
    return _POLICIES[version]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A moment at which to act, and the inputs it was computed from."""

    at: datetime
    inputs: dict[str, Any]


def jitter(*, policy_version: str, attempt_id: UUID, number: int) -> float:
    """Return a reproducible fraction in [0, 1) for one try: HMAC-SHA256 of the attempt and the try's number."""
    digest = hmac.digest(policy_version.encode(), attempt_id.bytes + str(number).encode(), "sha256")
    return int.from_bytes(digest[:8], "big") / 2**64


def after_not_sent(
    *, policy: Policy, attempt_id: UUID, number: int, now: datetime, retry_after: timedelta | None
) -> Planned:
    """Plan the next dispatch of an attempt that provably did not leave; ``retry_after`` is a minimum."""
    fraction = jitter(policy_version=policy.version, attempt_id=attempt_id, number=number)
    delay = max(min(policy.cap, policy.base * 2**number) * fraction, _FLOOR, retry_after or timedelta())
    return Planned(
        at=now + delay,
        inputs={
            "rule": "after_not_sent",
            "policy": policy.version,
            "number": number,
            "jitter": round(fraction, 9),
            "retry_after_s": retry_after.total_seconds() if retry_after else None,
            "delay_s": delay.total_seconds(),
        },
    )


def next_inquiry(*, schedule: Sequence[timedelta], asked: int, now: datetime) -> Planned:
    """Plan the next inquiry after ``asked`` earlier ones; the last step of the schedule repeats."""
    delay = schedule[min(asked, len(schedule) - 1)]
    return Planned(at=now + delay, inputs={"rule": "inquiry", "asked": asked, "delay_s": delay.total_seconds()})


class NotFoundVerdict(StrEnum):
    """What a provider's "not found" is worth."""

    TOO_EARLY = "TOO_EARLY"
    FIRST = "FIRST"
    PROVEN = "PROVEN"


def judge_not_found(
    *, capabilities: Capabilities, last_sent_at: datetime, first_not_found_at: datetime | None, now: datetime
) -> NotFoundVerdict:
    """Weigh a "not found": it counts after the visibility horizon, and proves with a second one past the gap."""
    if now - last_sent_at < capabilities.visibility_horizon:
        return NotFoundVerdict.TOO_EARLY
    if first_not_found_at is None:
        return NotFoundVerdict.FIRST
    return NotFoundVerdict.PROVEN if now - first_not_found_at >= capabilities.not_found_gap else NotFoundVerdict.FIRST


def may_resend(
    *, policy: Policy, capabilities: Capabilities, sends: int, first_sent_at: datetime, now: datetime
) -> bool:
    """Tell whether the same key may be sent again: tries are left and the key window is safely open."""
    return sends < policy.sends and key_is_safe(capabilities=capabilities, first_sent_at=first_sent_at, now=now)


def key_is_safe(*, capabilities: Capabilities, first_sent_at: datetime, now: datetime) -> bool:
    """Tell whether the provider surely still knows a key, so that a resend has no second effect."""
    return now - first_sent_at < capabilities.key_window * _SAFE_SHARE_OF_KEY_WINDOW


def next_resend(*, schedule: Sequence[timedelta], sends: int, now: datetime) -> Planned:
    """Plan the next resend to a provider that cannot be asked, after ``sends`` dispatches: as often as it were asked.

    At that moment the key may no longer be safe; then nothing is sent, see ``by_hand``.
    """
    delay = schedule[min(max(sends - 1, 0), len(schedule) - 1)]
    return Planned(at=now + delay, inputs={"rule": "resend", "sends": sends, "delay_s": delay.total_seconds()})


def by_hand(*, schedule: Sequence[timedelta], now: datetime) -> Planned:
    """Plan the next look at an attempt that nothing can resolve but news from the provider, or people."""
    delay = schedule[-1]
    return Planned(at=now + delay, inputs={"rule": BY_HAND, "delay_s": delay.total_seconds()})


def at_once(*, rule: str, now: datetime) -> Planned:
    """Plan what somebody asked for just now."""
    return Planned(at=now, inputs={"rule": rule, "delay_s": 0.0})
