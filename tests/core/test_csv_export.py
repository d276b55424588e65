"""CSV that spreadsheets read and cannot run, written in constant memory, with an end that proves it is whole."""

import csv
import io
import tracemalloc
from datetime import UTC, datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentops.core.csv_export import SHA_LABEL, Column, Kind, MixedCell, Table, inert, stream
from paymentops.core.money import Money

WORDS = Column("Words")
COUNT = Column("Count", Kind.NUMBER)
AT = Column("At", Kind.MOMENT)
AMOUNT = Column("Amount", Kind.AMOUNT, totalled=True)
RUNNING = Column("Running", Kind.AMOUNT)


def written(columns, rows, *, facts=None, **options) -> bytes:
    return b"".join(stream(Table(facts or {}, columns, rows, UTC), **options))


def read(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))


def test_facts_come_first_then_columns_then_rows_then_what_is_known_at_the_end() -> None:
    rows = [["a", Money(-1290, "EUR")], ["b", Money(500, "JPY")], ["c", Money(90, "EUR")]]
    assert read(written([WORDS, AMOUNT], rows, facts={"Export": "Test"}))[:-1] == [
        ["Export", "Test", "", ""],
        ["Words", "Amount", "Amount currency", "Amount minor units"],
        ["a", "-12.90", "EUR", "-1290"],
        ["b", "500", "JPY", "500"],
        ["c", "0.90", "EUR", "90"],
        ["Rows", "3", "", ""],
        ["Control total of Amount", "-12.00", "EUR", "-1200"],
        ["Control total of Amount", "500", "JPY", "500"],
    ]


def test_only_columns_that_ask_for_it_have_control_totals() -> None:
    labels = [row[0] for row in read(written([RUNNING], [[Money(1, "EUR")]]))]
    assert labels == ["Running", "0.01", "Rows", SHA_LABEL]


@pytest.mark.parametrize("mark", [False, True])
def test_the_last_row_is_the_digest_of_every_byte_above_it(mark: bool) -> None:
    content = written([WORDS], [[f"row {number}"] for number in range(20_000)], byte_order_mark=mark)
    above, last = content[: content.rindex(b'"' + SHA_LABEL.encode())], read(content)[-1]
    assert last[:2] == [SHA_LABEL, sha256(above).hexdigest()]


def test_a_byte_order_mark_stands_at_the_beginning_where_it_is_asked_for() -> None:
    assert written([WORDS], [], byte_order_mark=True).startswith(b"\xef\xbb\xbf")
    assert not written([WORDS], []).startswith(b"\xef\xbb\xbf")


def test_every_row_ends_by_carriage_return_and_line_feed_and_is_as_wide_as_the_table() -> None:
    content = written([WORDS, COUNT, AT, AMOUNT], [['say "hi",\r\nthere', 7, None, None]], facts={"a": "b"})
    assert content.endswith(b"\r\n")
    assert {len(row) for row in read(content)} == {6}
    assert read(content)[2] == ['say "hi",\r\nthere', "7", "", "", "", ""]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "\uff1d1+1",
        "\uff0b1",
        "\uff0d1",
        "\uff20x",
        " =1",
        "\ufeff=1",
        "\u00a0-2+3",
    ],
)
def test_text_that_a_spreadsheet_would_run_is_made_inert(text: str) -> None:
    assert inert(text) == f"'{text}"
    assert read(written([WORDS], [[text]], facts={text: text}))[2][0] == f"'{text}"
    assert read(written([WORDS], [[text]], facts={text: text}))[0][:2] == [f"'{text}", f"'{text}"]


@pytest.mark.parametrize("text", ["", "a=b", "cli_1", "0012", "1-2", "é", " "])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


def test_text_is_quoted_so_that_no_other_separator_can_begin_a_cell() -> None:
    assert b'"a;=1+1"' in written([WORDS], [["a;=1+1"]])


def test_negative_amounts_stay_numbers() -> None:
    content = written([AMOUNT, COUNT], [[Money(-5, "KWD"), -3], [Money(-(2**63), "EUR"), 0]])
    assert b'\r\n-0.005,"KWD",-5,-3\r\n' in content
    assert b'\r\n-92233720368547758.08,"EUR",-9223372036854775808,0\r\n' in content


def test_moments_are_written_in_the_zone_of_the_table() -> None:
    table = Table({}, [AT], [[datetime(2026, 7, 1, 22, 30, tzinfo=UTC)]], ZoneInfo("Europe/Berlin"))
    assert b'"2026-07-02T00:30:00+02:00"' in b"".join(stream(table))


@pytest.mark.parametrize(
    ("column", "cell"), [(WORDS, 1), (COUNT, "1"), (COUNT, 1.5), (AMOUNT, 12), (AMOUNT, "=1"), (AT, "now")]
)
def test_a_cell_of_another_kind_than_its_column_is_refused(column: Column, cell: object) -> None:
    with pytest.raises(MixedCell):
        written([column], [[cell]])


def test_a_row_that_is_not_as_wide_as_the_table_is_refused() -> None:
    with pytest.raises(MixedCell, match="2 cells for 1 columns"):
        written([WORDS], [["a", "b"]])


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=4, max_size=4)))
def test_any_text_is_read_back_as_it_was_but_for_the_apostrophe(rows) -> None:
    content = written([Column(name) for name in "abcd"], rows)
    assert read(content)[1:-2] == [[inert(cell) for cell in row] for row in rows]


def test_memory_does_not_grow_with_the_number_of_rows() -> None:
    def highest(rows: int) -> int:
        chunks = stream(Table({}, [WORDS, AMOUNT], (["word" * 10, Money(number, "EUR")] for number in range(rows))))
        tracemalloc.start()
        for _ in chunks:
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    highest(2000)
    assert highest(20_000) < 1.5 * highest(4000)
