"""Verification notices retries beyond their caps and schedules that their inputs do not give (invariant 11)."""

import pytest

from paymentops.payments.models import Attempt
from tests.payments.conftest import violations
from tests.payments.hands import Hands, by_force
from tests.payments.test_retrying import soft

pytestmark = pytest.mark.django_db


@pytest.fixture
def second(hands: Hands) -> Attempt:
    """The prepared second attempt of a payment that was declined softly."""
    hands.pay()
    hands.send(soft(hands))
    assert violations() == {}
    return Attempt.objects.get(number=2)


def test_a_try_too_many_is_noticed(second: Attempt) -> None:
    by_force("UPDATE payments_attempt SET number = 4 WHERE number = 2")
    assert violations()["payments.retries_within_caps"] == [
        f"{second.public_id}: is attempt 4; the policy 2026-11-22 allows 3"
    ]


@pytest.mark.parametrize("retry_class", ["HARD_DECLINE", "UNKNOWN"])
def test_a_try_after_an_answer_that_allows_none_is_noticed(second: Attempt, retry_class: str) -> None:
    by_force("UPDATE payments_attempt SET result_class = %s WHERE number = 1", retry_class)
    [found] = violations()["payments.retries_within_caps"]
    assert found == f"{second.public_id}: follows {retry_class} at sandbox, which allows none at sandbox"


def test_a_change_of_provider_of_anything_but_an_authorisation_is_noticed(hands: Hands) -> None:
    payment = hands.hold()
    hands.capture(payment)
    by_force("UPDATE payments_attempt SET number = 2 WHERE operation = 'CAPTURE'")
    [found] = violations()["payments.retries_within_caps"]
    assert "is attempt 2 of a capture, which has one" in found


def test_a_moment_that_its_inputs_do_not_give_is_noticed(second: Attempt) -> None:
    by_force("UPDATE payments_attempt SET next_action_at = next_action_at + interval '1 second' WHERE number = 2")
    [found] = violations()["payments.schedules_reproducible"]
    assert found.startswith(f"{second.public_id}: is due at")


def test_forged_inputs_are_noticed(second: Attempt) -> None:
    by_force("UPDATE payments_attempt SET schedule = jsonb_set(schedule, '{jitter}', '0.5') WHERE number = 2")
    assert violations()["payments.schedules_reproducible"] == [
        f"{second.public_id}: its schedule computed again differs in jitter"
    ]


def test_what_was_put_off_too_often_is_noticed(second: Attempt) -> None:
    by_force("UPDATE payments_attempt SET dispatches = 14 WHERE number = 2")
    assert violations()["payments.deferrals_within_caps"] == [
        f"{second.public_id}: was sent 14 times, 13 at most by the policy 2026-11-22"
    ]
