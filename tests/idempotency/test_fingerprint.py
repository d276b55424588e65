import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from paymentops.idempotency import fingerprint

LARGEST = 2**53 - 1
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | TEXT | st.dictionaries(TEXT, TEXT, max_size=6)
COMMANDS = st.dictionaries(TEXT, VALUES, max_size=8)


@given(COMMANDS)
def test_the_canonical_form_is_that_of_rfc_8785(command: dict[str, object]) -> None:
    assert fingerprint.canonical(command) == rfc8785.dumps(command)


def test_names_beyond_ascii_are_ordered_by_utf_16_units() -> None:
    command = {"metadata": {"\ue000": "private use", "\U0001f600": "astral"}}
    assert fingerprint.canonical(command).decode().index("astral") < fingerprint.canonical(command).decode().index(
        "private"
    )


def test_the_order_of_names_does_not_count() -> None:
    first = fingerprint.of({"amount": 1, "metadata": {"a": "1", "b": "2"}})
    second = fingerprint.of({"metadata": {"b": "2", "a": "1"}, "amount": 1})
    assert first == second


def test_differing_fields_are_named() -> None:
    first = fingerprint.of({"amount": 1, "metadata": {"a": "1"}, "reference": "r"})
    second = fingerprint.of({"amount": 2, "metadata": {"a": "2"}, "reference": "r"})
    assert second.differing_fields(first.fields) == ["amount", "metadata"]
