"""Verification names what was changed in closed months behind the triggers' back."""

from uuid import uuid4

import pytest

from ledger import operations as ledger
from ledger import postings, verification
from ledger.models import Entry
from tests.ledger.books import PARTIES, day, eur, post, without_triggers
from tests.ledger.months import FEBRUARY, IN_FEBRUARY, IN_JANUARY, JANUARY, MARCH, close, hold, person, reopen, sell

pytestmark = pytest.mark.django_db


@pytest.fixture
def january_sale(db) -> Entry:
    """Close January and March, with one entry in each month of three."""
    sale, held = sell(100), hold(30)
    close(JANUARY)
    ledger.settle(held.pk, cause="captured", occurred_at=day(IN_FEBRUARY), now=day(IN_FEBRUARY))
    post(postings.refund_requested(refund_id=uuid4(), parties=PARTIES, amount=eur(5)), on=IN_FEBRUARY)
    close(FEBRUARY)
    sell(7, on=IN_FEBRUARY + 30)
    close(MARCH)
    sell(9, on=IN_JANUARY)
    return sale


def violations() -> dict[str, list[str]]:
    return {check.name: check.violations for check in verification.checks() if not check.ok}


def test_closed_months_verify(january_sale) -> None:
    assert violations() == {}


def test_months_opened_again_verify(january_sale) -> None:
    maker, checker = person("maker", "Finance"), person("checker", "Finance approver")
    for month in (MARCH, FEBRUARY, JANUARY):
        reopen(month, maker=maker, checker=checker)
    assert violations() == {}
    sell(3)
    close(JANUARY)
    assert violations() == {}


def test_a_changed_line_of_a_closed_month_is_named_by_month_and_account(january_sale) -> None:
    without_triggers("UPDATE ledger_line SET amount = 101 WHERE amount = 100")
    found = violations()["ledger.closed_periods_unchanged"]
    assert found[0] == (
        "2026-01: 1110:sandbox EUR was closed with 100 posted and 30 pending, its lines add up to 101 and 30"
    )
    assert [sentence[:21] for sentence in found] == [
        "2026-01: 1110:sandbox",
        "2026-02: 1110:sandbox",
        "2026-03: 1110:sandbox",
    ]


def test_a_move_put_into_a_closed_month_is_named(january_sale) -> None:
    late = sell(8)
    without_triggers(
        "UPDATE ledger_entry_transition SET effective_at = %s WHERE entry_id = %s", day(IN_JANUARY), late.pk
    )
    found = violations()
    assert found["ledger.nothing_late_in_closed_periods"] == [
        f"{late}: its move to POSTED takes effect in 2026-01 and was written after that was closed"
    ]
    assert found["ledger.closed_periods_unchanged"]


def test_a_move_taken_out_of_a_closed_month_is_named(january_sale) -> None:
    without_triggers(
        "UPDATE ledger_entry_transition SET effective_at = %s WHERE entry_id = %s", day(200), january_sale.pk
    )
    found = violations()["ledger.closed_periods_unchanged"]
    assert found[0].endswith("its lines add up to 0 and 30")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_period_balance SET posted = posted + 1 WHERE posted = 100",
        "DELETE FROM ledger_period_balance WHERE posted = 100",
        "UPDATE ledger_period_balance SET account_id = 999999 WHERE posted = 100",
    ],
)
def test_changed_stored_balances_are_named(january_sale, change) -> None:
    without_triggers(change)
    found = violations()
    assert found["ledger.closed_periods_unchanged"]
    assert found["ledger.closed_periods_sealed"] == [
        "2026-01: closing 1 stored other balances or totals than it was sealed with"
    ]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_period_total SET debits = 7, credits = 7",
        "DELETE FROM ledger_period_total",
        "UPDATE ledger_period_snapshot SET last_transition = 0",
        "UPDATE ledger_period_snapshot SET hash = sha256('')",
    ],
)
def test_a_snapshot_that_is_not_what_was_sealed_is_named(january_sale, change) -> None:
    without_triggers(change)
    assert len(violations()["ledger.closed_periods_sealed"]) == 3


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("UPDATE ledger_period SET state = 'OPEN' WHERE start_date = '2026-03-01'", "is OPEN as version 3, its moves"),
        ("UPDATE ledger_period SET version = 9 WHERE start_date = '2026-03-01'", "as version 9, its moves lead to"),
        ("UPDATE ledger_period SET closings = 2 WHERE start_date = '2026-03-01'", "counts 2 closings, its moves 1"),
        ("DELETE FROM ledger_period_transition WHERE to_state = 'CLOSING'", "impossible moves CLOSED"),
        ("DELETE FROM ledger_period_snapshot", "is closed, and no balances are stored"),
    ],
)
def test_months_that_did_not_move_as_they_say_are_named(january_sale, change, why) -> None:
    without_triggers(change)
    assert why in violations()["ledger.period_states_fold"][-1]


def test_a_month_opened_again_by_one_person_is_named(january_sale) -> None:
    maker, checker = person("maker", "Finance"), person("checker", "Finance approver")
    reopen(MARCH, maker=maker, checker=checker)
    # A constraint is no trigger: only who drops it first can do this.
    without_triggers("ALTER TABLE ledger_period_transition DROP CONSTRAINT ledger_period_reopened_by_two")
    without_triggers("UPDATE ledger_period_transition SET approved_by_id = proposed_by_id WHERE to_state = 'OPEN'")
    assert violations()["ledger.period_states_fold"] == ["2026-03: was opened again by one person or without a reason"]


def test_months_out_of_order_are_named(january_sale) -> None:
    without_triggers("UPDATE ledger_period SET state = 'OPEN' WHERE start_date = '2026-02-01'")
    assert violations()["ledger.periods_in_order"] == ["2026-02: is OPEN before 2026-03, which is CLOSED"]
