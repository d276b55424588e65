"""Ids sort by time inside and say what they name outside."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentops.core import ids
from paymentops.core.ids import Prefix

NOW = datetime(2026, 11, 22, 9, 30, 0, 123456, tzinfo=UTC)


def test_an_id_is_a_version_seven_uuid_of_its_moment() -> None:
    made = ids.new(NOW)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.int >> 80 == int(NOW.timestamp() * 1000)


@given(st.integers(0, 4 * 10**9), st.integers(2, 10**9))
def test_ids_sort_by_their_moment(start, microseconds) -> None:
    moment = datetime.fromtimestamp(start, UTC)
    assert ids.new(moment) < ids.new(moment + timedelta(microseconds=microseconds))


def test_ids_of_one_moment_differ() -> None:
    assert len({ids.new(NOW) for _ in range(1000)}) == 1000


@given(st.uuids(), st.sampled_from(Prefix))
def test_a_public_id_reads_back(value, prefix) -> None:
    assert ids.parse(prefix, ids.public(prefix, value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pay",
        "pay_",
        "pay_123",
        "ref_" + "0" * 32,
        "pay_" + "g" * 32,
        "pay_" + "0" * 31,
        "pay_" + "0" * 33,
        "pay_" + "0" * 31 + " ",
        "pay_" + "٣" * 32,
        "pay_0000-0000-0000-0000-000000000000",
        "PAY_" + "0" * 32,
        "pay_\0" + "0" * 31,
        str(UUID(int=1)),
    ],
)
def test_anything_else_names_nothing(text) -> None:
    with pytest.raises(ids.UnreadableId) as refusal:
        ids.parse(Prefix.PAYMENT, text)
    assert refusal.value.status == 404
