"""What is written is read: the same amounts, references and days, in every format."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reconciliation.formats.reading import read, refused
from tests.reconciliation.formats.writing import OPTIONS, WRITERS, Movement

_WITH_FEES = {"adyen", "cnab240", "csv", "paypal", "stripe"}
_DAYS = st.dates(date(2026, 3, 1), date(2026, 3, 31))


def movements(format_name: str) -> st.SearchStrategy[list[Movement]]:
    # A SWIFT amount has fifteen characters; a boleto is only ever paid to us, and more than it costs.
    smallest, largest = (1, 10**9) if format_name == "cnab240" else (-(10**9), 10**9)
    fees = st.integers(0, 10**6) if format_name in _WITH_FEES else st.just(0)
    references = st.integers(0, 10**9).map(lambda number: f"000{number:010d}")
    return st.lists(
        st.builds(
            Movement,
            reference=references,
            net_minor=st.integers(smallest, largest).filter(lambda minor: minor != 0),
            fee_minor=fees,
            day=_DAYS,
        ).filter(lambda move: (move.net_minor > 0) == (move.net_minor + move.fee_minor > 0)),
        max_size=8,
    )


@pytest.mark.parametrize("format_name", sorted(WRITERS))
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_what_is_written_is_read_with_every_amount_and_reference(format_name, data):
    written = data.draw(movements(format_name))
    currency = "BRL" if format_name == "cnab240" else data.draw(st.sampled_from(["EUR", "JPY", "BHD"]))
    found = read(format_name, WRITERS[format_name](written, currency), **OPTIONS.get(format_name, {}))
    assert found.rejects == []
    assert [(line.provider_reference, line.net_minor, line.currency) for line in found.lines] == [
        (move.reference, move.net_minor, currency) for move in written
    ]
    if format_name in _WITH_FEES:
        assert [line.fee_minor for line in found.lines] == [move.fee_minor for move in written]


@pytest.mark.parametrize("format_name", ["bai2", "camt.053", "cnab240", "csv", "mt940"])
def test_days_are_read_as_written(format_name):
    day = date(2026, 3, 29)
    currency = "BRL" if format_name == "cnab240" else "EUR"
    found = read(
        format_name, WRITERS[format_name]([Movement("0007", 5, day=day)], currency), **OPTIONS.get(format_name, {})
    )
    assert day in {found.lines[0].booking_date, found.lines[0].value_date}


@pytest.mark.parametrize("format_name", sorted(set(WRITERS) - {"stripe", "adyen"}))
def test_a_file_that_states_totals_is_refused_when_a_row_is_missing(format_name):
    currency = "BRL" if format_name == "cnab240" else "EUR"
    written = [Movement(f"000{number}", 100 + number) for number in range(5)]
    raw = WRITERS[format_name](written, currency)
    lines = raw.splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if b"0003" in line)
    shorter = b"".join(lines[:at] + lines[at + 1 :])
    assert "states" in refused(format_name, shorter, **OPTIONS.get(format_name, {})).reason


@pytest.mark.parametrize("format_name", sorted(set(WRITERS) - {"stripe", "adyen", "camt.053"}))
def test_a_file_that_states_totals_is_refused_when_it_is_cut(format_name):
    currency = "BRL" if format_name == "cnab240" else "EUR"
    raw = WRITERS[format_name]([Movement(f"000{number}", 100 + number) for number in range(5)], currency)
    lines = raw.splitlines(keepends=True)
    for kept in range(1, len(lines) - {"paypal": 4, "mt940": 1}.get(format_name, 0)):
        refused(format_name, b"".join(lines[:kept]), **OPTIONS.get(format_name, {}))
