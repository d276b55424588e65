"""The plan of a chaos run: the same bytes for the same seed, with every kind of fault in it."""

import json
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from paymentops.chaos import planning
from paymentops.chaos.kinds import BLOWS, RATES, Blow, Course, Habit
from paymentops.core.failpoints import Action, Plan, Point
from paymentops.providers.sandbox.faults import RATE_NAMES, read_profile


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    plan = planning.make(seed=11, payments=60, clients=4)
    assert plan.as_bytes() == planning.make(seed=11, payments=60, clients=4).as_bytes()
    assert plan.digest != planning.make(seed=12, payments=60, clients=4).digest


def test_more_payments_leave_the_first_ones_as_they_were():
    assert (
        planning.make(seed=3, payments=90, clients=4).orders[:40]
        == planning.make(seed=3, payments=40, clients=4).orders
    )


def test_twenty_seeds_hold_each_blow_at_least_twenty_times_and_each_habit_and_course():
    plans = [planning.make(seed=seed, payments=500, clients=6) for seed in range(20)]
    blows = Counter(planned.blow for plan in plans for planned in plan.blows)
    assert set(BLOWS) == set(Blow)
    assert all(blows[blow] >= 20 for blow in Blow)
    orders = [order for plan in plans for order in plan.orders]
    assert {order.course for order in orders} == set(Course)
    assert {order.habit for order in orders} == set(Habit)


def test_a_small_run_has_every_blow_too():
    assert {planned.blow for planned in planning.make(seed=1, payments=20, clients=2).blows} == set(Blow)


def test_every_kind_of_strike_falls_at_every_point_within_three_seeds():
    plans = [planning.make(seed=seed, payments=100, clients=2).strikes for seed in (4, 5, 6)]
    for point in Point:
        assert {action for plan in plans for action in plan.strikes[point].values()} == set(Action)
    strikes = plans[0]
    assert Plan.parse(json.loads(json.dumps(strikes.as_json()))) == strikes


def test_the_provider_takes_the_profile_and_every_fault_it_knows_is_in_it():
    profile = read_profile(planning.make(seed=5, payments=1, clients=1).provider)
    assert set(profile.rates) == RATE_NAMES
    assert profile.rates == RATES


def test_neighbours_share_a_key_and_belong_to_different_services():
    orders = planning.make(seed=5, payments=40, clients=3).orders
    owners = Counter((order.service, order.key) for order in orders)
    assert max(owners.values()) == 1
    assert len({order.key for order in orders}) == 20


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--payments", "0"], "whole number from 1"),
        (["--payments", "many"], "whole number from 1"),
        (["--clients", "1000"], "whole number from 1 to 64"),
        (["--seed", "-1"], "whole number from 0"),
        (["--seeds", "20-1"], "no range of seeds"),
        (["--seeds", "4"], "no range of seeds"),
        (["--seeds", "1-9999"], "at most 1000 seeds"),
        (["--seed", "1", "--seeds", "1-2"], "not allowed with"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(arguments: list[str], complaint: str):
    with pytest.raises(CommandError, match=complaint):
        call_command("chaos", *arguments)


def test_it_refuses_to_run_anywhere_but_on_a_local_system(settings):
    settings.ENVIRONMENT = "production"
    with pytest.raises(CommandError, match="local machine"):
        call_command("chaos", "--payments", "1")
