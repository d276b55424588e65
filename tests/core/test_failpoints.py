"""Failpoints: off they do nothing, armed they strike where the plan says, and they cannot be armed by accident."""

import ast
import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, transaction

from paymentops.core import failpoints
from paymentops.core.failpoints import Action, Point
from tests.architecture.sources import modules, tree

POINT = Point.DISPATCH_ANSWERED


@pytest.fixture
def armed(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    def arm(**strikes: str) -> Path:
        hits = {number.removeprefix("hit_"): action for number, action in strikes.items()}
        plan = {"strikes": {POINT: hits}, "delay_seconds": 0}
        (tmp_path / "plan.json").write_text(json.dumps(plan))
        failpoints.arm(folder=str(tmp_path), allowed=True, environment="local")
        return tmp_path

    yield arm
    failpoints.arm(folder="", allowed=False, environment="local")


def test_every_point_stands_at_exactly_one_place_of_the_code():
    used = Counter(
        node.args[0].attr
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "reach"
        and isinstance(node.args[0], ast.Attribute)
    )
    assert used == Counter(point.name for point in Point)


def test_off_a_point_does_nothing():
    assert failpoints._armed is None
    failpoints.reach(POINT)


def test_a_strike_comes_at_its_hit_and_leaves_a_trace(armed: Callable[..., Path]):
    folder = armed(hit_2="delay")
    for _ in range(3):
        failpoints.reach(POINT)
    assert failpoints.hits(folder)[POINT] == 3
    assert failpoints.struck(folder) == [(POINT, 2, Action.DELAY)]


def test_hits_are_counted_over_all_processes(armed: Callable[..., Path]):
    folder = armed(hit_150="delay")
    _in_children(2, lambda: [failpoints.reach(POINT) for _ in range(100)])
    assert failpoints.hits(folder)[POINT] == 200
    assert failpoints.struck(folder) == [(POINT, 150, Action.DELAY)]


def test_a_kill_leaves_no_time_for_anything(armed: Callable[..., Path]):
    armed(hit_1="kill")
    assert _in_children(1, lambda: failpoints.reach(POINT)) == [-signal.SIGKILL]


def test_nothing_strikes_once_chaos_was_stopped(armed: Callable[..., Path]):
    folder = armed(hit_1="kill")
    failpoints.stop(folder)
    failpoints.reach(POINT)
    assert failpoints.struck(folder) == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("action", "state"), [("serialization_failure", "40001"), ("deadlock", "40P01"), ("disk_full", "53100")]
)
def test_the_server_itself_refuses_and_the_transaction_is_lost(armed: Callable[..., Path], action: str, state: str):
    armed(hit_1=action)
    with pytest.raises(OperationalError) as refused, transaction.atomic():
        failpoints.reach(POINT)
    assert refused.value.__cause__.sqlstate == state  # type: ignore[union-attr]


@pytest.mark.django_db(transaction=True)
def test_a_lost_connection_is_found_out_at_the_commit(armed: Callable[..., Path]):
    armed(hit_1="lose_connection")
    try:
        with pytest.raises(OperationalError):
            _reach_the_point_in_a_transaction()
    finally:
        connection.close()


@pytest.mark.parametrize(("allowed", "environment"), [(False, "local"), (True, "production"), (True, "staging")])
def test_nothing_is_armed_by_accident(armed: Callable[..., Path], allowed: bool, environment: str):
    folder = armed()
    failpoints.arm(folder="", allowed=False, environment="local")
    with pytest.raises(ImproperlyConfigured, match="kill themselves"):
        failpoints.arm(folder=str(folder), allowed=allowed, environment=environment)
    assert failpoints._armed is None


def test_a_permission_outside_a_local_system_fails_the_system_check():
    [error] = failpoints.check(allowed=True, environment="production")
    assert error.id == "paymentops.E001"
    assert failpoints.check(allowed=True, environment="local") == []
    assert failpoints.check(allowed=False, environment="production") == []


@pytest.mark.parametrize(
    "plan", ["", "[]", "{}", '{"strikes": {"nowhere": {}}}', '{"strikes": {"dispatch.answered": {"1": "explode"}}}']
)
def test_an_unreadable_plan_arms_nothing(tmp_path: Path, plan: str):
    (tmp_path / "plan.json").write_text(plan)
    with pytest.raises(ImproperlyConfigured, match="no folder with a plan"):
        failpoints.arm(folder=str(tmp_path), allowed=True, environment="local")


def _reach_the_point_in_a_transaction() -> None:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        failpoints.reach(POINT)


def _in_children(count: int, work: Callable[[], Any]) -> list[int]:
    """Do something in forked processes; return how each ended: 0, or the negative number of its signal."""
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            work()
            os._exit(0)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
