"""The story before it is told: reproducible, of the promised mix, in order, and within its two weeks."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from paymentops.core import currencies
from paymentops.demo import traffic
from paymentops.demo.scenarios import LASTING, MIX, Act, quotas
from paymentops.providers.contract import Method
from paymentops.providers.sandbox.tokens import TOKENS

UNTIL = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)  # a Friday


def make(payments: int, seed: int = 7) -> traffic.Story:
    return traffic.make(seed=seed, payments=payments, until=UNTIL)


def test_the_same_seed_tells_the_same_story_and_another_seed_another():
    assert make(60) == make(60)
    assert make(60) != make(60, seed=8)


@pytest.mark.parametrize("payments", [1, 3, 7, 30, 400])
def test_a_story_has_as_many_orders_as_asked_for_and_each_is_created_once(payments):
    story = make(payments)
    assert [order.number for order in story.orders] == list(range(1, payments + 1))
    created = [step.number for step in story.steps if step.act is Act.CREATE]
    assert sorted(created) == list(range(1, payments + 1))


@pytest.mark.parametrize("seed", range(20))
def test_time_never_runs_backwards_nor_past_the_end(seed):
    story = make(120, seed=seed)
    assert all(before.at <= after.at for before, after in pairwise(story.steps))
    assert story.steps[-1].at < UNTIL
    assert story.steps[0].at >= UNTIL - timedelta(days=traffic.DAYS)
    begun: set[int] = set()
    for step in story.steps:
        assert step.act is Act.CREATE or step.number in begun
        begun.add(step.number)


def test_the_mix_is_the_promised_one():
    story = make(400)
    count = Counter(order.scenario for order in story.orders)
    weights = sum(scenario.weight for scenario in MIX)
    for scenario in MIX:
        assert abs(count[scenario.name] - scenario.weight * (400 - len(LASTING)) / weights) < 1
        assert count[scenario.name] >= 1
    assert all(count[lasting.scenario.name] == 1 for lasting in LASTING)
    tokens = Counter(order.token for order in story.orders)
    declined = sum(number for token, number in tokens.items() if token.startswith("tok_declined"))
    assert 0.10 < declined / 400 < 0.18
    assert 0.6 < tokens["tok_approved"] / 400 < 0.8
    assert set(tokens) <= set(TOKENS)


def test_every_currency_and_method_is_used_in_a_way_that_exists():
    story = make(400)
    count = Counter(order.amount.currency for order in story.orders)
    assert set(count) == {"EUR", "USD", "GBP", "JPY", "KWD", "BRL"}
    assert count["EUR"] == max(count.values())
    assert {order.method for order in story.orders} == set(Method)
    for order in story.orders:
        assert order.amount.minor > 0
        assert order.method is not Method.PIX or order.amount.currency == "BRL"
        if currencies.exponent(order.amount.currency) == 0:
            assert order.amount.minor % 10 == 0


def test_people_buy_by_day_and_on_weekdays():
    at = [order.at for order in make(2000).orders]
    by_day = sum(8 <= moment.hour < 22 for moment in at) / len(at)
    weekend = sum(moment.weekday() >= 5 for moment in at) / len(at)
    assert by_day > 0.75
    assert 0.12 < weekend < 0.28


def test_captures_and_refunds_stay_within_their_order():
    story = make(400)
    amounts = {order.number: order.amount.minor for order in story.orders}
    for act in (Act.CAPTURE, Act.REFUND):
        asked: Counter[int] = Counter()
        for step in story.steps:
            if step.act is act:
                asked[step.number] += step.amount or 0
        assert all(total <= amounts[number] for number, total in asked.items())


def test_quotas_share_out_everything_by_weight():
    for total in (0, 1, 10, 393):
        assert sum(quotas(scenarios=MIX, total=total)) == total
