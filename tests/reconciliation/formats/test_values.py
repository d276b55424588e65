"""Amounts and days as files write them."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from reconciliation.formats import amounts, dates
from reconciliation.formats.contract import LARGEST_MINOR, StatementHeader, Unreadable
from reconciliation.formats.sequence import gap


@pytest.mark.parametrize(
    ("text", "currency", "decimal", "grouping", "minor"),
    [
        ("12.90", "EUR", ".", "", 1290),
        ("12.9", "EUR", ".", "", 1290),
        ("12", "EUR", ".", "", 1200),
        ("8.850", "EUR", ".", "", 885),
        ("-0.05", "EUR", ".", "", -5),
        ("5.00-", "EUR", ".", "", -500),
        ("1,234,567.89", "EUR", ".", ",", 123456789),
        ("1.234.567,89", "EUR", ",", ".", 123456789),
        ("1 234,50", "EUR", ",", " ", 123450),
        ("1\u00a0234,50", "EUR", ",", " ", 123450),
        ("500", "JPY", ".", "", 500),
        ("500.00", "JPY", ".", "", 500),
        ("1.250", "BHD", ".", "", 1250),
        ("9,", "EUR", ",", "", 900),
        ("92233720368547758.07", "EUR", ".", "", LARGEST_MINOR),
    ],
)
def test_amounts_are_read_exactly(text, currency, decimal, grouping, minor):
    assert amounts.major(text, currency, decimal=decimal, grouping=grouping) == minor


@pytest.mark.parametrize(
    ("text", "decimal", "grouping"),
    [
        ("", ".", ""), ("  ", ".", ""), (".5", ".", ""), ("1.005", ".", ""), ("1,5", ".", ""), ("1.234,5", ".", ","),
        ("12,34", ".", ","), ("1,2345", ".", ","), ("1e3", ".", ""), ("NaN", ".", ""), ("٣", ".", ""), ("-1-", ".", ""),
        ("92233720368547758.08", ".", ""), ("9" * 50, ".", ""), ("(5.00)", ".", ""), ("€5", ".", ""),
    ],
)  # fmt: skip
def test_what_is_no_amount_is_unreadable(text, decimal, grouping):
    with pytest.raises(Unreadable):
        amounts.major(text, "EUR", decimal=decimal, grouping=grouping)


@pytest.mark.parametrize(
    ("month", "day", "known", "expected"),
    [
        (12, 31, date(2026, 1, 1), date(2025, 12, 31)),
        (1, 2, date(2025, 12, 30), date(2026, 1, 2)),
        (3, 4, date(2026, 3, 4), date(2026, 3, 4)),
        (2, 29, date(2024, 3, 1), date(2024, 2, 29)),
    ],
)
def test_an_entry_date_without_a_year_lies_next_to_the_value_date(month, day, known, expected):
    assert dates.near(month, day, known) == expected


def test_an_entry_date_that_does_not_exist_near_the_value_date_is_unreadable():
    with pytest.raises(Unreadable):
        dates.near(2, 29, date(2026, 3, 1))


@pytest.mark.parametrize("text", ["260230", "26023", "2602301", "ab0101", "260001", "٢٦٠١٠١"])
def test_an_impossible_day_is_unreadable(text):
    with pytest.raises(Unreadable):
        dates.short_day(text)


def test_a_moment_without_an_offset_is_local_to_its_source():
    berlin = ZoneInfo("Europe/Berlin")
    assert dates.iso_moment("2026-07-01 00:30:00", berlin) == datetime(2026, 6, 30, 22, 30, tzinfo=UTC)
    assert dates.iso_moment("2026-07-01T00:30:00+00:00", berlin) == datetime(2026, 7, 1, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0001-01-01 00:00:00", "9999-12-31 23:59:59", "2026-02-30 00:00:00", "yesterday"])
def test_a_moment_outside_all_calendars_is_unreadable(text):
    with pytest.raises(Unreadable):
        dates.iso_moment(text, ZoneInfo("America/New_York"))


def header(sequence: str, *, page: int | None = None, account: str = "A") -> StatementHeader:
    return StatementHeader(line_number=1, statement_id="1", account=account, sequence=sequence, page=page)


@pytest.mark.parametrize(
    ("before", "after", "missing"),
    [
        (header("7"), header("8"), ""),
        (header("7"), header("10"), "2 missing"),
        (header("365"), header("1"), ""),
        (header("7", page=1), header("7", page=3), "1 page"),
        (header("7", page=1), header("7", page=2), ""),
        (header("7"), header("9", account="B"), ""),
        (header("x"), header("9"), ""),
    ],
)
def test_a_gap_between_statements_of_an_account_is_told(before, after, missing):
    assert (missing in gap(before, after)) if missing else gap(before, after) == ""
