"""When something is tried or asked again: pure, so that the same inputs give the same schedule."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from paymentops.payments.retry.policy import Action, Budget, Policy
from paymentops.providers.contract import Capabilities, RetryClass

# The rule under ``Attempt.schedule`` of what only news from the provider or people can resolve.
BY_HAND: Final = "by_hand"
NEW_ATTEMPT: Final = "new_attempt"
OVER_BUDGET: Final = "over_budget"
# After four fifths of the provider's key window a resend could be taken for a new request (SEMANTICS section 1).
_SAFE_SHARE_OF_KEY_WINDOW: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A moment at which to act, and the inputs it was computed from."""

    at: datetime
    inputs: dict[str, Any]


def jitter(*, policy_version: str, attempt_id: UUID, number: int | str) -> float:
    """Return a reproducible fraction in [0, 1) for one try: HMAC-SHA256 of the attempt and the try's number."""
    digest = hmac.digest(policy_version.encode(), attempt_id.bytes + str(number).encode(), "sha256")
    return int.from_bytes(digest[:8], "big") / 2**64


def after_not_sent(
    *,
    policy: Policy,
    attempt_id: UUID,
    number: int,
    now: datetime,
    retry_after: timedelta | None,
    attempt: int = 1,
) -> Planned:
    """Plan the next dispatch of an attempt that provably did not leave; ``retry_after`` is a minimum.

    ``attempt`` is the attempt's place within its request, whose first one ``attempt_id`` names.
    """
    return _planned(
        "after_not_sent",
        policy=policy,
        root=attempt_id,
        draw=number if attempt == 1 else f"{attempt}.{number}",
        base=policy.base,
        cap=policy.cap,
        number=number,
        now=now,
        retry_after=retry_after,
    )


def new_attempt(*, policy: Policy, action: Action, root: UUID, number: int, now: datetime) -> Planned:
    """Plan the attempt that follows ``number`` earlier ones of a request whose first one is ``root``."""
    return _planned(
        NEW_ATTEMPT,
        policy=policy,
        root=root,
        draw=f"new.{number}",
        base=action.base,
        cap=action.cap,
        number=number,
        now=now,
        retry_after=None,
    )


def _planned(
    rule: str,
    *,
    policy: Policy,
    root: UUID,
    draw: int | str,
    base: timedelta,
    cap: timedelta,
    number: int,
    now: datetime,
    retry_after: timedelta | None,
) -> Planned:
    fraction = jitter(policy_version=policy.version, attempt_id=root, number=draw)
    delay = max(min(cap, base * 2**number) * fraction, policy.floor, retry_after or timedelta())
    return Planned(
        at=now + delay,
        inputs={
            "rule": rule,
            "policy": policy.version,
            "root": root.hex,
            "draw": str(draw),
            "number": number,
            "base_s": base.total_seconds(),
            "cap_s": cap.total_seconds(),
            "jitter": round(fraction, 9),
            "retry_after_s": retry_after.total_seconds() if retry_after else None,
            "delay_s": delay.total_seconds(),
            "from": now.isoformat(),
        },
    )


def over_budget(
    *, budget: Budget, successes: int, tried_again: int, policy: Policy, root: UUID, deferrals: int, now: datetime
) -> Planned:
    """Put a new attempt off because successful traffic does not bear it now: half the wait, and a part of the rest."""
    fraction = jitter(policy_version=policy.version, attempt_id=root, number=f"budget.{deferrals}")
    delay = budget.wait * (0.5 + fraction / 2)
    return Planned(
        at=now + delay,
        inputs={
            "rule": OVER_BUDGET,
            "policy": policy.version,
            "root": root.hex,
            "draw": f"budget.{deferrals}",
            "deferrals": deferrals,
            "successes": successes,
            "tried_again": tried_again,
            "share_basis_points": budget.share_basis_points,
            "free": budget.free,
            "window_s": budget.window.total_seconds(),
            "jitter": round(fraction, 9),
            "delay_s": delay.total_seconds(),
            "from": now.isoformat(),
        },
    )


def recomputed(inputs: Mapping[str, Any], *, policy: Policy) -> Planned:
    """Plan again from what was stored beside an earlier plan; the same inputs give the same plan."""
    root, now = UUID(inputs["root"]), datetime.fromisoformat(inputs["from"])
    if inputs["rule"] == OVER_BUDGET and policy.budget is not None:
        return over_budget(
            budget=policy.budget,
            successes=inputs["successes"],
            tried_again=inputs["tried_again"],
            policy=policy,
            root=root,
            deferrals=inputs["deferrals"],
            now=now,
        )
    delays = policy.actions[RetryClass(inputs["because"])] if inputs["rule"] == NEW_ATTEMPT else policy
    retry_after = inputs["retry_after_s"]
    return _planned(
        inputs["rule"],
        policy=policy,
        root=root,
        draw=inputs["draw"],
        base=delays.base,
        cap=delays.cap,
        number=inputs["number"],
        now=now,
        retry_after=None if retry_after is None else timedelta(seconds=retry_after),
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
