"""One version of the retry policy: what a code means, what may follow, and how long to wait. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from paymentops.providers.contract import Operation, RetryClass

ANY: Final = "*"


class SameKey(StrEnum):
    """Whether the same attempt may be sent again under its key."""

    NO = "no"
    LATER = "later"
    AFTER_INQUIRY = "after_inquiry"


class NewAttempt(StrEnum):
    """Whether another attempt, under another key, may follow. Only the first three are for machines to decide."""

    YES = "yes"
    NO = "no"
    IF_CAPABILITY_DIFFERS = "if_capability_differs"
    WITH_CHANGED_DATA = "with_changed_data"
    WITH_THE_PAYER = "with_the_payer"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What may follow an answer of one class; ``base`` and ``cap`` bound the wait for a new attempt."""

    same_key: SameKey
    same_provider: NewAttempt
    other_provider: NewAttempt
    base: timedelta
    cap: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a provider's code means for an operation; ``*`` stands for all of a kind."""

    provider: str
    operation: str
    code: str
    retry_class: RetryClass

    @property
    def rule(self) -> str:
        """The rule's name: what it is about."""
        return f"{self.provider}/{self.operation}/{self.code}"

    @property
    def weight(self) -> int:
        """How specific it is: a named code counts more than a provider, and that more than an operation."""
        return 4 * (self.code != ANY) + 2 * (self.provider != ANY) + (self.operation != ANY)

    def is_about(self, *, provider: str, operation: Operation, code: str) -> bool:
        """Tell whether it speaks of this answer."""
        return (
            self.provider in (ANY, provider) and self.operation in (ANY, operation.value) and self.code in (ANY, code)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemeCap:
    """How many tries of one instrument a card scheme allows within a window, from a day (UTC) on."""

    scheme: str
    tries: int
    window: timedelta
    effective_from: date

    @property
    def rule(self) -> str:
        """The rule's name, for example ``visa: 15 in 720 h``."""
        return f"{self.scheme}: {self.tries} in {self.window // timedelta(hours=1)} h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How many new attempts successful traffic bears, per provider and method.

    Args:
        share_basis_points: new attempts per 10,000 successes.
        free: new attempts in the window that are let through however few successes there were.
        window: over which both are counted.
        wait: how long a new attempt is put off when there is no room.
    """

    share_basis_points: int
    free: int
    window: timedelta
    wait: timedelta

    def has_room(self, *, successes: int, tried_again: int) -> bool:
        """Tell whether one more new attempt fits beside those already sent in the window."""
        return (tried_again + 1) * 10_000 <= max(self.free * 10_000, successes * self.share_basis_points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of the retry policy.

    Args:
        version: pinned on the payment; also the key of the jitter.
        base: the first delay before jitter.
        cap: the longest delay before jitter.
        floor: the shortest delay.
        tries: how many attempts one authorisation may have.
        sends: how many times one attempt may be sent when it may have happened.
        deferrals: how many times an attempt that provably did not leave may be put off.
        failover_after: after how many of these another provider is taken, where there is one.
        deadline: how long after acceptance something new may be tried; ``None`` for ever.
        actions: what may follow each class.
        decisions: what codes mean, where it is not what the adapter says.
        budget: ``None`` where new attempts are not budgeted.
        scheme_caps: the caps of card schemes.
        digest: the SHA-256 of the file's bytes, hexadecimal.
    """

    version: str
    base: timedelta
    cap: timedelta
    floor: timedelta
    tries: int
    sends: int
    deferrals: int
    failover_after: int
    deadline: timedelta | None
    actions: Mapping[RetryClass, Action]
    decisions: tuple[Decision, ...]
    budget: Budget | None
    scheme_caps: tuple[SchemeCap, ...]
    digest: str

    def decision_for(self, *, provider: str, operation: Operation, code: str) -> Decision | None:
        """Return the most specific rule about an answer; ``None`` leaves it to the adapter's class."""
        rules = [rule for rule in self.decisions if rule.is_about(provider=provider, operation=operation, code=code)]
        return max(rules, key=lambda rule: rule.weight, default=None)

    def class_of(self, *, provider: str, operation: Operation, code: str, given: RetryClass) -> RetryClass:
        """Return what an answer means; ``given`` is the adapter's class."""
        rule = self.decision_for(provider=provider, operation=operation, code=code)
        return given if rule is None else rule.retry_class

    def caps_of(self, scheme: str, *, at: datetime) -> list[SchemeCap]:
        """Return the caps of a scheme in force at a moment: per window the latest that has begun."""
        begun = [cap for cap in self.scheme_caps if cap.scheme == scheme and cap.effective_from <= at.date()]
        latest = {cap.window: cap for cap in sorted(begun, key=lambda cap: cap.effective_from)}
        return [latest[window] for window in sorted(latest)]

    def ends_at(self, accepted_at: datetime) -> datetime | None:
        """Return the moment after which nothing new is tried for a request."""
        return None if self.deadline is None else accepted_at + self.deadline
