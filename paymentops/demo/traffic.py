"""Two weeks of orders from a seed: pure, so that the same seed tells the same story."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Final

from paymentops.core import currencies
from paymentops.core.money import Money
from paymentops.demo.scenarios import LASTING, MIX, SILENCE, Act, Follow, Scenario, quotas
from paymentops.payments.states import CaptureMode
from paymentops.providers.contract import Method

SEED: Final = 20261101
DAYS: Final = 14
_HOUR: Final = timedelta(hours=1)
# What was refused or went unanswered is settled before inquiries go unanswered.
_CALM_AFTER: Final = SILENCE + timedelta(minutes=20)
_PLAIN: Final = "tok_approved"

# How busy an hour of the day (UTC) and a day of the week (from Monday) are, relative to the others.
_BY_HOUR: Final = (2, 1, 1, 1, 1, 2, 4, 6, 8, 10, 11, 12, 12, 10, 9, 9, 10, 11, 13, 14, 12, 9, 6, 4)
_BY_WEEKDAY: Final = (100, 96, 98, 104, 116, 72, 60)


@dataclass(frozen=True, slots=True)
class Market:
    """A currency: how often, the usual amount in major units, and how people pay there."""

    currency: str
    weight: int
    usual: int
    methods: tuple[Method, ...]


MARKETS: Final = (
    Market("EUR", 40, 48, (Method.CARD, Method.CARD, Method.WALLET, Method.BANK_TRANSFER)),
    Market("USD", 22, 55, (Method.CARD, Method.CARD, Method.WALLET)),
    Market("GBP", 14, 42, (Method.CARD, Method.WALLET)),
    Market("BRL", 12, 180, (Method.PIX, Method.PIX, Method.CARD)),
    Market("JPY", 7, 6200, (Method.CARD, Method.WALLET)),
    Market("KWD", 5, 14, (Method.CARD,)),
)
_REASONS: Final = ("returned goods", "damaged on arrival", "delivered late", "agreed discount", "ordered by mistake")
_CHANNELS: Final = ("web", "web", "app", "phone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One payment that a service asks for."""

    number: int
    scenario: str
    at: datetime
    amount: Money
    method: Method
    token: str
    capture: CaptureMode
    reference: str
    customer: str
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens in the story.

    Args:
        at: when.
        number: of the order it belongs to.
        act: what is done.
        turn: tells several captures or refunds of one order apart, from 1.
        amount: minor units; ``None`` means all that is left.
        reason: of a refund.
    """

    at: datetime
    number: int
    act: Act
    turn: int = 1
    amount: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All orders and all that is done with them, in the order of time, up to ``until``.

    From ``silent_from`` on the provider answers no inquiry.
    """

    orders: tuple[Order, ...]
    steps: tuple[Step, ...]
    until: datetime
    silent_from: datetime


def make(*, seed: int, payments: int, until: datetime) -> Story:
    """Make up a story of ``payments`` orders over the two weeks that end at ``until``.

    The orders that stay open come first; with fewer payments than those there are fewer of them.
    """
    rng = Random(seed)  # noqa: S311 - a story, not a secret
    lasting = LASTING[:payments]
    scenarios = _draw_scenarios(rng, payments - len(lasting))
    cast = [(each.scenario, until - each.before_end) for each in lasting]
    cast += [(scenario, _moment(rng, scenario, until)) for scenario in scenarios]
    cast.sort(key=lambda pair: pair[1])
    orders, steps = [], []
    for number, (scenario, at) in enumerate(cast, start=1):
        order = _order(rng, number, scenario, at)
        orders.append(order)
        steps += _steps(rng, order, scenario, until)
    # Stable: what one order goes through keeps its order, also at the same moment.
    steps.sort(key=lambda step: step.at)
    return Story(orders=tuple(orders), steps=tuple(steps), until=until, silent_from=until - SILENCE)


def _draw_scenarios(rng: Random, total: int) -> list[Scenario]:
    shares = quotas(scenarios=MIX, total=total)
    drawn = [scenario for scenario, share in zip(MIX, shares, strict=True) for _ in range(share)]
    rng.shuffle(drawn)
    return drawn


def _moment(rng: Random, scenario: Scenario, until: datetime) -> datetime:
    calm = timedelta(minutes=1) if scenario.token == _PLAIN and not scenario.follows else _CALM_AFTER
    latest = until - calm - scenario.room
    begin = until - timedelta(days=DAYS)
    hours = [begin + n * _HOUR for n in range(math.ceil((latest - begin) / _HOUR))]
    [hour] = rng.choices(hours, weights=[_BY_WEEKDAY[at.weekday()] * _BY_HOUR[at.hour] for at in hours])
    return hour + min(_HOUR, latest - hour) * rng.random()


def _order(rng: Random, number: int, scenario: Scenario, at: datetime) -> Order:
    market = _market(rng, scenario)
    return Order(
        number=number,
        scenario=scenario.name,
        at=at,
        amount=_amount(rng, market),
        method=rng.choice([method for method in market.methods if method in scenario.methods]),
        token=scenario.token,
        capture=scenario.capture,
        reference=f"order-{100_000 + number}",
        customer=f"cust-{rng.randrange(1, 900):04d}",
        channel=rng.choice(_CHANNELS),
    )


def _market(rng: Random, scenario: Scenario) -> Market:
    fitting = [market for market in MARKETS if set(market.methods) & set(scenario.methods)]
    [market] = rng.choices(fitting, weights=[market.weight for market in fitting])
    return market


def _amount(rng: Random, market: Market) -> Money:
    """Draw a price: many small ones, a few large ones, with the ends that prices have."""
    unit = 10 ** currencies.exponent(market.currency)
    major = max(2, round(market.usual * math.exp(rng.gauss(0, 0.8))))
    if unit == 1:
        return Money(max(10, major // 10 * 10), market.currency)
    return Money(major * unit - rng.choice((0, 1, 5, 10)) * unit // 100, market.currency)


def _steps(rng: Random, order: Order, scenario: Scenario, until: datetime) -> list[Step]:
    steps = [Step(at=order.at, number=order.number, act=Act.CREATE)]
    turns: dict[Act, int] = {}
    for follow in scenario.follows:
        turns[follow.act] = turns.get(follow.act, 0) + 1
        steps.append(
            Step(
                at=_follow_moment(rng, order.at, follow, until),
                number=order.number,
                act=follow.act,
                turn=turns[follow.act],
                amount=max(1, order.amount.minor * follow.percent // 100) if follow.percent else None,
                reason=rng.choice(_REASONS) if follow.act is Act.REFUND else "",
            )
        )
    return steps


def _follow_moment(rng: Random, at: datetime, follow: Follow, until: datetime) -> datetime:
    earliest = at + follow.soonest
    latest = max(earliest, min(at + follow.latest, until - _CALM_AFTER))
    return earliest + (latest - earliest) * rng.random()
