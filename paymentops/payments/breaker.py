"""When a circuit breaker opens, lets probes through and closes: pure (SEMANTICS section 4).

A breaker belongs to one provider, operation and method. An answer of the provider counts as a call that worked, also
when it is a no; what did not leave failed, and an unknown outcome counts as two failures.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from paymentops.payments.retry import Planned
from paymentops.providers.contract import Operation

# The rule under ``Attempt.schedule`` of what a breaker holds back.
HELD: Final = "breaker"
# The reason of a dispatch that we ourselves refused to send: it says nothing about the provider.
TOO_LATE: Final = "deadline_passed"
_UNKNOWN_WEIGHT: Final = 2
# What waits is looked at again over this time, so that not all of it comes at one moment.
_SPREAD: Final = timedelta(seconds=4)
_LOOK_AGAIN: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What one breaker guards: ``sandbox/AUTHORIZE/card``."""

    provider: str
    operation: str
    method: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.operation}/{self.method}"

    @classmethod
    def parse(cls, text: str) -> "Key":
        """Read the written form.

        Raises:
            ValueError: it does not have three parts, or names no operation.
        """
        provider, operation, method = text.split("/")
        return cls(provider, Operation(operation).value, method)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The figures of all breakers.

    Args:
        window: how far back calls count.
        least_calls: fewer calls than this in the window open nothing.
        open_at: the share of failures from which it opens.
        open_for: how long it stays open before the first probe.
        probes: how many calls each stage of recovery lets through; all of one must work.
    """

    window: timedelta
    least_calls: int
    open_at: float
    open_for: timedelta
    probes: tuple[int, ...]


class Effect(StrEnum):
    """What one call says about the provider."""

    WORKED = "WORKED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    NOTHING = "NOTHING"

    @property
    def is_failure(self) -> bool:
        """Whether it speaks for opening."""
        return self in (Effect.FAILED, Effect.UNKNOWN)


def effect_of(outcome: str, *, reason: str = "") -> Effect:
    """Return what an outcome says, by the name under which its call is kept; ``reason`` is that of a ``NotSent``."""
    match outcome:
        case "NotSent":
            return Effect.NOTHING if reason == TOO_LATE else Effect.FAILED
        case "Unknown":
            return Effect.UNKNOWN
        case _:
            return Effect.WORKED


@dataclass(frozen=True, slots=True)
class Tally:
    """Calls counted by what they say."""

    worked: int = 0
    failed: int = 0
    unknown: int = 0

    @property
    def calls(self) -> int:
        """How many calls there were."""
        return self.worked + self.failed + self.unknown

    @property
    def share(self) -> float:
        """The share of failures, from 0 to 1; an unknown outcome counts as two."""
        return min(1.0, (self.failed + _UNKNOWN_WEIGHT * self.unknown) / self.calls) if self.calls else 0.0

    def plus(self, effect: Effect, number: int = 1) -> "Tally":
        """Return the tally with so many more calls of one effect."""
        return Tally(
            self.worked + number * (effect is Effect.WORKED),
            self.failed + number * (effect is Effect.FAILED),
            self.unknown + number * (effect is Effect.UNKNOWN),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the figures as they are kept with the move they led to."""
        return {
            "calls": self.calls,
            "worked": self.worked,
            "failed": self.failed,
            "unknown": self.unknown,
            "share": round(self.share, 4),
        }


def should_open(tally: Tally, rule: Rule) -> bool:
    """Tell whether a closed breaker opens on what its window shows."""
    return tally.calls >= rule.least_calls and tally.share >= rule.open_at


class Verdict(StrEnum):
    """What follows from the probes of one stage so far."""

    WAIT = "WAIT"
    WIDEN = "WIDEN"
    CLOSE = "CLOSE"
    OPEN = "OPEN"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict, and for WIDEN how many probes the next stage lets through."""

    verdict: Verdict
    permitted: int = 0


def judge(*, permitted: int, worked: int, failed: int, rule: Rule) -> Judgement:
    """Weigh the probes of a stage that lets ``permitted`` through: one failure opens again, all must work to go on."""
    if failed:
        return Judgement(Verdict.OPEN)
    if worked < permitted:
        return Judgement(Verdict.WAIT)
    wider = next((number for number in rule.probes if number > permitted), None)
    return Judgement(Verdict.CLOSE) if wider is None else Judgement(Verdict.WIDEN, wider)


def hold(*, key: Key, version: int, probes_from: datetime | None, fraction: float, now: datetime) -> Planned:
    """Plan when an attempt that a breaker holds back is looked at again.

    Args:
        key: the breaker.
        version: the breaker's version when it held the attempt back.
        probes_from: when the first probe may go, or people are expected to have closed it; ``None`` while probes are
            on their way.
        fraction: the attempt's jitter, in [0, 1).
        now: when.
    """
    base = max(probes_from or now, now)
    delay = base - now + _LOOK_AGAIN + _SPREAD * fraction
    return Planned(
        at=now + delay,
        inputs={
            "rule": HELD,
            "breaker": str(key),
            "version": version,
            "probes_from": probes_from.isoformat() if probes_from else None,
            "jitter": round(fraction, 9),
            "delay_s": delay.total_seconds(),
        },
    )
