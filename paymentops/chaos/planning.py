"""The plan of a chaos run, from a seed: pure, so that the same seed gives the same bytes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from random import Random
from typing import Any, Final

from paymentops.chaos.kinds import AT_A_POINT, BLOWS, COURSES, FREQUENT, HABITS, RATES, TOKENS, Blow, Course, Habit
from paymentops.core.failpoints import Action, Point
from paymentops.core.failpoints import Plan as Strikes

_CURRENCIES: Final = ("EUR", "EUR", "EUR", "USD", "GBP", "JPY")
_PER: Final = 500
# The first payments go through before anything strikes, and the last ones meet no new blow.
_FIRST, _LAST = 0.03, 0.93
# A point that few payments pass is struck among its first so many hits.
_EARLY: Final = 12
# The points at which a process is killed change with the seed: every third one.
_KILLS_EVERY: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One payment that a client asks for, and what follows.

    Args:
        number: unique in the run, from 0.
        client: which client makes it.
        key: its idempotency key.
        amount: minor units.
        currency: ISO 4217.
        token: what the payer's bank does, in the sandbox's words.
        habit: how the request is sent.
        course: what follows.
    """

    number: int
    client: int
    key: str
    amount: int
    currency: str
    token: str
    habit: Habit
    course: Course

    @property
    def service(self) -> int:
        """Which of the two services the payment belongs to."""
        return self.number % 2

    @property
    def holds(self) -> bool:
        """Whether money is held first and captured later."""
        return self.course.startswith("hold")


@dataclass(frozen=True, slots=True)
class Planned:
    """A blow, and when it falls: once this share of all orders has come to its end."""

    at: float
    blow: Blow


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a run does that does not depend on how the system answers."""

    seed: int
    payments: int
    clients: int
    orders: tuple[Order, ...]
    blows: tuple[Planned, ...]
    strikes: Strikes
    provider: Mapping[str, Any]

    def as_bytes(self) -> bytes:
        """Return the plan in its canonical form: one JSON object, names sorted."""
        document = {
            "seed": self.seed,
            "payments": self.payments,
            "clients": self.clients,
            "orders": [asdict(order) for order in self.orders],
            "blows": [asdict(planned) for planned in self.blows],
            "failpoints": self.strikes.as_json(),
            "provider": dict(self.provider),
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical form, hexadecimal."""
        return sha256(self.as_bytes()).hexdigest()


def make(*, seed: int, payments: int, clients: int) -> Plan:
    """Return the plan of a seed."""
    return Plan(
        seed=seed,
        payments=payments,
        clients=clients,
        orders=tuple(_order(number, seed, clients) for number in range(payments)),
        blows=_blows(seed, payments),
        strikes=_strikes(seed, payments),
        provider=_provider(seed),
    )


def _order(number: int, seed: int, clients: int) -> Order:
    chance = _chance(seed, f"order:{number}")
    course = _pick(chance, COURSES)
    return Order(
        number=number,
        client=number % clients,
        # Two neighbours share each key: they belong to different services, so it means a payment of each.
        key=f"chaos-{seed}-order-{number // 2:06d}",
        amount=chance.randrange(200, 90_000),
        currency=chance.choice(_CURRENCIES),
        token=_pick(chance, TOKENS),
        habit=_pick(chance, HABITS),
        course=course,
    )


def _blows(seed: int, payments: int) -> tuple[Planned, ...]:
    """Spread the blows evenly in a random order, so that no two heavy ones always meet."""
    chance = _chance(seed, "blows")
    drawn = [blow for blow, times in BLOWS.items() for _ in range(max(1, times * payments // _PER))]
    chance.shuffle(drawn)
    step = (_LAST - _FIRST) / len(drawn)
    return tuple(Planned(round(_FIRST + n * step, 4), blow) for n, blow in enumerate(drawn))


def _strikes(seed: int, payments: int) -> Strikes:
    """Let every kind of strike fall once at every point, at hits that a run of this size reaches.

    A kill of a worker's process costs seconds until it works again, so each run has a third of the points kill.
    """
    strikes = {}
    for number, point in enumerate(Point):
        chance = _chance(seed, f"point:{point}")
        last = max(_EARLY, payments // 2) if point in FREQUENT else _EARLY
        hits = chance.sample(range(1, last + 1), len(AT_A_POINT))
        actions = chance.sample(AT_A_POINT, len(AT_A_POINT))
        struck = dict(sorted(zip(hits, actions, strict=True)))
        if (number + seed) % _KILLS_EVERY:
            struck = {hit: action for hit, action in struck.items() if action is not Action.KILL}
        strikes[point] = struck
    return Strikes(strikes)


def _provider(seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "rates": dict(RATES),
        "hang_seconds": 2.0,
        "slow_seconds": 0.3,
        "late_effect_seconds": 1.7,
        "pending_seconds": 1.0,
        "webhook_late_seconds": 1.5,
        "ahead_seconds": 0,
    }


def _pick[T](chance: Random, weights: Mapping[T, int]) -> T:
    return chance.choices(list(weights), weights=list(weights.values()))[0]


def _chance(seed: int, what: str) -> Random:
    """Return chance of its own for each thing, so that a change of one leaves the others as they were."""
    return Random(f"{seed}:{what}")  # noqa: S311 - a plan to be repeated, no secret
