"""Two readers of one body must never understand different things."""

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentops.core.strict_json import DEEPEST_NESTING, MalformedBody, loads

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_any_json_writer_writes_is_read_as_it_was(value) -> None:
    assert loads(json.dumps(value).encode()) == value
    assert loads(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_no_bytes_bring_the_reader_down(body) -> None:
    with contextlib.suppress(MalformedBody):
        loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": 01}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"amount": 1, "amount": 2}',
        b'{"a": {"b": 1, "b": 1}}',
        b'{"a": 1, "\\u0061": 1}',
        b'"\xff\xfe"',
        "{}".encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b'{"a": "\x00"}',
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"a": "\\ud800"}',
        b'["\\udfff\\ud800"]',
        b'{"a": "line\nbreak"}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' + b"9" * 21 + b"}",
        b'{"a": 1e400}',
        b'{"a": -1e400}',
        b'{"a": 1E+999999999999999999999}',
        b'{"a": 1e-999999999999999999999}',
        b'{"a": 1e20}',
        b'{"a": 0.' + b"1" * 50 + b"}",
        b"[" * 100_000,
        b"[" * (DEEPEST_NESTING + 2) + b"]" * (DEEPEST_NESTING + 2),
        b'{"a":' * 500 + b"1" + b"}" * 500,
    ],
)
def test_a_body_that_could_mislead_is_refused(body) -> None:
    with pytest.raises(MalformedBody) as refusal:
        loads(body)
    assert refusal.value.problem()["code"] == "request.malformed"


@pytest.mark.parametrize(
    ("literal", "value"),
    [("1.0", 1), ("1e0", 1), ("1E2", 100), ("-0.0", 0), ("12990.00", 12990), ("9007199254740993.0", 2**53 + 1)],
)
def test_a_whole_number_is_whole_however_it_is_written(literal, value) -> None:
    read = loads(literal.encode())
    assert (type(read), read) == (int, value)


@pytest.mark.parametrize(("literal", "value"), [("12.5", 12.5), ("1e-7", 1e-7), ("1e-400", 0.0)])
def test_a_fraction_stays_a_fraction(literal, value) -> None:
    read = loads(literal.encode())
    assert isinstance(read, float)
    assert math.isclose(read, value)


def test_wide_bodies_and_astral_letters_are_fine() -> None:
    body = json.dumps({"items": [{"n": n, "t": "\U0001f600"} for n in range(1000)]}).encode()
    assert loads(body)["items"][999] == {"n": 999, "t": "\U0001f600"}


def test_nesting_up_to_the_limit_is_fine() -> None:
    body = b"[" * DEEPEST_NESTING + b"]" * DEEPEST_NESTING
    assert loads(body + b"") is not None
    assert loads(b'{"wide": [' + b"[]," * 100 + b"[]]}")["wide"][0] == []
