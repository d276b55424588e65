"""The settlement calendar: business days, holidays, and the moment of a cut-off through daylight saving."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciliation.calendar import NoBusinessDay, SettlementCalendar

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YEAR = date(2026, 1, 1)


def calendar(**changes: Any) -> SettlementCalendar:
    values: dict[str, Any] = {"zone": BERLIN, "settlement_days": 2, "file_days": 1, "cut_off": time(17, 0)}
    return SettlementCalendar(**values | changes)


@pytest.mark.parametrize(
    ("paid", "due"),
    [
        (date(2026, 3, 9), date(2026, 3, 11)),  # Monday
        (date(2026, 3, 12), date(2026, 3, 16)),  # Thursday, over a weekend
        (date(2026, 3, 14), date(2026, 3, 18)),  # Saturday counts as Monday
        (date(2025, 12, 30), date(2026, 1, 2)),  # over New Year
    ],
)
def test_money_is_due_so_many_business_days_later(paid: date, due: date) -> None:
    assert calendar(holidays=frozenset({NEW_YEAR})).due_date(paid) == due


def test_t_plus_nothing_is_the_same_business_day() -> None:
    assert calendar(settlement_days=0).due_date(date(2026, 3, 9)) == date(2026, 3, 9)


def test_no_file_is_expected_on_weekends_and_holidays() -> None:
    year = calendar(holidays=frozenset({NEW_YEAR}))
    assert [year.expects_file(date(2026, 1, day)) for day in range(1, 6)] == [False, True, False, False, True]
    assert calendar(weekdays=frozenset(range(7))).expects_file(date(2026, 1, 3))


def test_a_payment_at_the_cut_off_counts_for_the_next_business_day() -> None:
    at = datetime(2026, 3, 13, 17, 0, tzinfo=BERLIN)
    assert calendar().payment_date(at - timedelta(seconds=1)) == date(2026, 3, 13)
    assert calendar().payment_date(at) == date(2026, 3, 16)


@pytest.mark.parametrize(
    ("day", "cut_off", "moment"),
    [
        (date(2026, 3, 27), time(17, 0), datetime(2026, 3, 27, 16, 0, tzinfo=UTC)),
        (date(2026, 3, 30), time(17, 0), datetime(2026, 3, 30, 15, 0, tzinfo=UTC)),
        (date(2026, 3, 29), time(2, 30), datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),  # skipped: the jump
        (date(2026, 10, 25), time(2, 30), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),  # twice: the later one
        (date(2026, 10, 25), time(12, 0), datetime(2026, 10, 25, 11, 0, tzinfo=UTC)),
    ],
)
def test_a_cut_off_is_a_local_time_through_daylight_saving(day: date, cut_off: time, moment: datetime) -> None:
    assert calendar(cut_off=cut_off).moment_of(day) == moment


def test_a_file_is_due_at_the_cut_off_of_a_business_day() -> None:
    assert calendar().file_due_at(date(2026, 3, 27)) == datetime(2026, 3, 30, 15, 0, tzinfo=UTC)


def test_a_calendar_without_business_days_says_so() -> None:
    empty = calendar(weekdays=frozenset())
    with pytest.raises(NoBusinessDay):
        empty.due_date(NEW_YEAR)


@given(
    day=st.dates(date(2020, 1, 1), date(2035, 1, 1)),
    days=st.integers(0, 20),
    zone=st.sampled_from(["Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe"]),
    cut_off=st.times(),
    holidays=st.frozensets(st.dates(date(2020, 1, 1), date(2036, 1, 1)), max_size=30),
)
def test_due_dates_and_cut_offs_only_ever_go_forward(day, days, zone, cut_off, holidays) -> None:
    any_calendar = calendar(
        zone=ZoneInfo(zone), settlement_days=days, cut_off=cut_off.replace(tzinfo=None), holidays=holidays
    )
    due = any_calendar.due_date(day)
    assert any_calendar.is_business_day(due)
    assert due >= day + timedelta(days=days)
    assert due <= any_calendar.due_date(day + timedelta(days=1))
    assert any_calendar.moment_of(day) < any_calendar.moment_of(day + timedelta(days=1))
