"""Which fault strikes which request: pure, and the same for the same seed, key and dispatch.

Profiles are set through ``PUT /admin/faults``; payment tokens (``tokens``) go first.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from paymentops.providers.sandbox.tokens import ASKS_THE_PAYER, Decision, Fault, Kind, Notice, Token

_RATED_FAULTS = tuple(fault for fault in Fault if fault is not Fault.NONE)
_RATED_NOTICES = tuple(notice for notice in Notice if notice is not Notice.NORMAL)
_DECLINE_CODES: Final = ("insufficient_funds", "limit_exceeded", "lost_card", "expired_card", "suspected_fraud")

# Everything that goes wrong out there, often, except a provider that ignores its own keys: after a resend that
# would be a second charge by the provider's fault. Ask for it with ``rates``.
HARSHEST: Final = MappingProxyType(
    {
        "timeout_before": 0.06,
        "timeout_after": 0.06,
        "late_effect": 0.02,
        "error_before": 0.05,
        "error_after": 0.06,
        "garbage": 0.04,
        "reset": 0.05,
        "slow": 0.03,
        "drip": 0.02,
        "unknown_status": 0.03,
        "rate_limited": 0.06,
        "unavailable": 0.03,
        "decline": 0.08,
        "inquiry_error": 0.10,
        "inquiry_timeout": 0.03,
        "webhook_early": 0.03,
        "webhook_late": 0.15,
        "webhook_doubled": 0.15,
        "webhook_never": 0.15,
        "webhook_reordered": 0.10,
    }
)
_PROFILES: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {"none": MappingProxyType({}), "harshest": HARSHEST}
)
RATE_NAMES: Final = frozenset(
    {str(fault) for fault in _RATED_FAULTS}
    | {f"webhook_{notice}" for notice in _RATED_NOTICES}
    | {"decline", "inquiry_error", "inquiry_timeout"}
)


class UnreadableProfile(ValueError):
    """A fault profile names something that does not exist, or a rate outside 0 to 1."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How often what goes wrong. Rates are shares from 0 to 1; all times are seconds but ``latency_ms``.

    ``ahead_seconds`` is by how much the provider's own clock is ahead: of notifications and of what settles by itself.
    """

    seed: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    latency_ms: int = 0
    hang_seconds: float = 30.0
    slow_seconds: float = 1.0
    late_effect_seconds: float = 2.0
    pending_seconds: float = 2.0
    webhook_late_seconds: float = 3.0
    ahead_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the profile the way ``PUT /admin/faults`` takes it."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "rates"} | {"rates": dict(self.rates)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to one dispatch."""

    decision: Decision
    code: str
    fault: Fault
    notice: Notice


def read_profile(document: Mapping[str, Any]) -> Profile:
    """Read the body of ``PUT /admin/faults``; ``rates`` are laid over those of the named ``profile``.

    Raises:
        UnreadableProfile: an unknown name or a value of the wrong kind.
    """
    named = document.get("profile", "none")
    if not isinstance(named, str) or named not in _PROFILES:
        raise UnreadableProfile(f"profile must be one of {', '.join(_PROFILES)}")
    rates = {**_PROFILES[named], **_rates(document.get("rates", {}))}
    numbers = {name: value for name, value in document.items() if name not in {"profile", "rates"}}
    unknown = set(numbers) - (set(Profile.__slots__) - {"rates"})
    if unknown:
        raise UnreadableProfile(f"there is no setting named {', '.join(sorted(unknown))}")
    if any(isinstance(value, bool) or not isinstance(value, int | float) or value < 0 for value in numbers.values()):
        raise UnreadableProfile("every setting is a number of at least 0")
    return Profile(rates=rates, **numbers)


def _rates(value: Any) -> dict[str, float]:
    if not isinstance(value, dict):
        raise UnreadableProfile("rates must be an object")
    for name, rate in value.items():
        if name not in RATE_NAMES:
            raise UnreadableProfile(f"there is no fault named {name}; known are {', '.join(sorted(RATE_NAMES))}")
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise UnreadableProfile(f"the rate of {name} must lie between 0 and 1")
    return value


def judge(*, token: Token, kind: Kind, key: str, dispatch: int, profile: Profile, earlier: int = 0) -> Verdict:
    """Decide what happens to the ``dispatch``-th sending of ``key``, after ``earlier`` charges of its reference."""
    decision, code = _decide(token=token, kind=kind, key=key, profile=profile)
    if kind is Kind.CHARGE and earlier < token.declines:
        decision, code = Decision.DECLINE, token.code
    return Verdict(
        decision=decision,
        code=code,
        fault=_fault(token=token, kind=kind, key=key, dispatch=dispatch, profile=profile),
        notice=_notice(token=token, key=key, profile=profile),
    )


def inquiry_fault(*, key: str, asked: int, profile: Profile) -> Fault:
    """Decide what happens to the ``asked``-th inquiry for ``key``."""
    drawn = _draw(profile, f"inquiry:{key}:{asked}")
    if drawn < profile.rates.get("inquiry_error", 0):
        return Fault.ERROR_BEFORE
    if drawn < profile.rates.get("inquiry_error", 0) + profile.rates.get("inquiry_timeout", 0):
        return Fault.TIMEOUT_BEFORE
    return Fault.NONE


def _decide(*, token: Token, kind: Kind, key: str, profile: Profile) -> tuple[Decision, str]:
    strikes = Kind.CHARGE if token.decision in ASKS_THE_PAYER else token.strikes
    if token.decision is not Decision.APPROVE and strikes is kind:
        return token.decision, token.code
    # The decision is one per key, whichever dispatch brings it: money does not change its mind.
    if kind is Kind.CHARGE and _draw(profile, f"decline:{key}") < profile.rates.get("decline", 0):
        pick = int(_draw(profile, f"code:{key}") * len(_DECLINE_CODES))
        return Decision.DECLINE, _DECLINE_CODES[pick]
    return Decision.APPROVE, ""


def _fault(*, token: Token, kind: Kind, key: str, dispatch: int, profile: Profile) -> Fault:
    if token.fault is not Fault.NONE and token.strikes is kind and token.dispatch == dispatch:
        return token.fault
    drawn = _draw(profile, f"fault:{key}:{dispatch}")
    for fault in _RATED_FAULTS:
        drawn -= profile.rates.get(fault, 0)
        if drawn < 0:
            return fault
    return Fault.NONE


def _notice(*, token: Token, key: str, profile: Profile) -> Notice:
    if token.notice is not Notice.NORMAL:
        return token.notice
    drawn = _draw(profile, f"notice:{key}")
    for notice in _RATED_NOTICES:
        drawn -= profile.rates.get(f"webhook_{notice}", 0)
        if drawn < 0:
            return notice
    return Notice.NORMAL


def _draw(profile: Profile, what: str) -> float:
    """Return a number in [0, 1) that depends on the seed and on ``what`` only."""
    digest = hashlib.sha256(f"{profile.seed}:{what}".encode()).digest()
    return int.from_bytes(digest[:7]) / 2**56
