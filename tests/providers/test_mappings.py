"""Providers' words in ours: tables, and that no answer whatever escapes as an exception."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentops.core.money import Money
from paymentops.providers.adapters.sandbox import mapping as sandbox
from paymentops.providers.adapters.stripe import decline_codes
from paymentops.providers.adapters.stripe import mapping as stripe
from paymentops.providers.adapters.stripe.amounts import from_stripe, to_stripe
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    NotFound,
    NotSent,
    Operation,
    Pending,
    RetryClass,
    Unknown,
)
from paymentops.providers.sandbox.faults import RATE_NAMES, Profile, judge, read_profile
from paymentops.providers.sandbox.tokens import TOKENS, Decision, Fault, Kind
from paymentops.providers.transport import Answer
from paymentops.providers.units import Inexpressible

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
EUR = Money(10_000, "EUR")
KEY = "po-key"
OPERATION = {
    "object": "operation",
    "id": "op_1",
    "kind": "charge",
    "key": KEY,
    "reference": "pay_1",
    "charge": "ch_1",
    "status": "succeeded",
    "amount": 10_000,
    "captured": 0,
    "currency": "EUR",
    "code": None,
    "action": None,
    "hold_expires_at": None,
    "occurred_at": NOW.isoformat(),
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


def answer(document: Any, status: int = 200, **headers: str) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


def sandbox_outcome(answered: Answer) -> object:
    return sandbox.outcome_of(answered, key=KEY, amount=EUR, now=NOW)


def test_every_decline_code_a_token_can_bring_stands_in_the_table() -> None:
    codes = {token.code for token in TOKENS.values() if token.decision is Decision.DECLINE}
    assert codes <= set(sandbox.DECLINES)


def test_a_decline_nobody_has_seen_yet_is_not_tried_again() -> None:
    outcome = sandbox_outcome(answer({**OPERATION, "status": "declined", "code": "new"}, 402))
    assert isinstance(outcome, Declined)
    assert outcome.retry_class is RetryClass.HARD_DECLINE


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "parked"}, 201),
        ({"status": "requires_action", "action": None}, 202),
        ({"key": "another"}, 201),
        ({"currency": "USD"}, 201),
        ({"amount": -1}, 201),
        ({"amount": 1.5}, 201),
        ({"amount": True}, 201),
        ({"occurred_at": "2026-05-06T12:00:00"}, 201),
        ({}, 301),
        ({}, 409),
        ({}, 500),
        ({}, 503),
        ({}, 400),
    ],
)
def test_an_answer_that_proves_nothing_is_unknown(changes: dict[str, Any], status: int) -> None:
    assert isinstance(sandbox_outcome(answer({**OPERATION, **changes}, status)), Unknown)


@pytest.mark.parametrize(
    ("wait", "expected"), [("7", timedelta(seconds=7)), ("soon", None), ("99999", timedelta(hours=1))]
)
def test_being_throttled_names_the_least_wait(wait: str, expected: timedelta | None) -> None:
    outcome = sandbox_outcome(answer(b"busy", 429, retry_after=wait))
    assert isinstance(outcome, NotSent)
    assert outcome.retry_after == expected


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_no_bytes_from_the_sandbox_escape_as_an_exception(status: int, body: bytes) -> None:
    outcome = sandbox_outcome(answer(body, status))
    assert isinstance(outcome, NotSent if status == 429 else Unknown)
    inquired = sandbox.inquiry_outcome_of(answer(body, status), key=KEY, amount=EUR, now=NOW)
    assert isinstance(inquired, Unknown)


@given(name=st.sampled_from(sorted(OPERATION)), value=json_values)
def test_no_value_in_an_operation_escapes_as_an_exception(name: str, value: Any) -> None:
    document = {**OPERATION, name: value}
    assert isinstance(sandbox_outcome(answer(document, 201)), Approved | Declined | Pending | ActionRequired | Unknown)
    listed = answer({"data": [document]})
    sandbox.inquiry_outcome_of(listed, key=KEY, amount=EUR, now=NOW)


INTENT = {"id": "pi_1", "object": "payment_intent", "amount": 10_000, "currency": "eur", "created": 1_778_068_800}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"status": "requires_capture"}, Approved),
        ({"status": "succeeded", "amount_received": 10_000}, Approved),
        ({"status": "processing"}, Pending),
        ({"status": "requires_action"}, ActionRequired),
        ({"status": "requires_confirmation"}, ActionRequired),
        ({"status": "requires_payment_method"}, ActionRequired),
        ({"status": "requires_payment_method", "last_payment_error": {"code": "card_declined"}}, Declined),
        ({"status": "canceled", "cancellation_reason": "expired"}, Declined),
        ({"status": "a_new_one"}, Unknown),
        ({"status": "succeeded", "amount": "many"}, Unknown),
        ({"status": "succeeded", "currency": "xyz"}, Unknown),
        ({}, Unknown),
    ],
)
def test_an_intent_in_our_words(changes: dict[str, Any], kind: type) -> None:
    assert isinstance(stripe.authorization({**INTENT, **changes}, now=NOW), kind)


def test_what_was_captured_with_the_authorisation_is_told_only_for_a_sale() -> None:
    sale = stripe.authorization({**INTENT, "status": "succeeded", "amount_received": 9_000}, now=NOW)
    later = stripe.authorization({**INTENT, "status": "succeeded", "capture_method": "manual"}, now=NOW)
    assert isinstance(sale, Approved)
    assert isinstance(later, Approved)
    assert (sale.captured, later.captured) == (Money(9_000, "EUR"), None)


@pytest.mark.parametrize(
    ("status", "capture", "void"),
    [
        ("succeeded", Approved, Declined),
        ("requires_capture", NotFound, NotFound),
        ("canceled", Declined, Approved),
        ("processing", Unknown, Unknown),
        (None, Unknown, Unknown),
    ],
)
def test_captures_and_voids_are_read_from_the_intent(status: str | None, capture: type, void: type) -> None:
    intent = {**INTENT, "status": status, "amount_received": 10_000}
    assert isinstance(stripe.capture(intent, asked=EUR, now=NOW), capture)
    assert isinstance(stripe.void(intent, asked=EUR, now=NOW), void)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"status": "succeeded"}, Approved),
        ({"status": "pending"}, Pending),
        ({"status": "failed", "failure_reason": "lost_or_stolen_card"}, Declined),
        ({"status": "canceled"}, Declined),
        ({"status": "new"}, Unknown),
        ({}, Unknown),
    ],
)
def test_a_refund_in_our_words(changes: dict[str, Any], kind: type) -> None:
    assert isinstance(stripe.refund({**INTENT, "id": "re_1", **changes}, now=NOW), kind)


@pytest.mark.parametrize(
    ("status", "error", "kind", "meaning"),
    [
        (402, {"code": "card_declined", "decline_code": "insufficient_funds"}, Declined, RetryClass.SOFT_DECLINE),
        (402, {"code": "card_declined", "decline_code": "stolen_card"}, Declined, RetryClass.HARD_DECLINE),
        (402, {"code": "card_declined", "decline_code": "fraudulent"}, Declined, RetryClass.RISK_BLOCK),
        (402, {"code": "expired_card"}, Declined, RetryClass.DATA_DECLINE),
        (402, {"code": "authentication_required"}, Declined, RetryClass.AUTH_REQUIRED),
        (402, {"code": "card_declined", "decline_code": "new"}, Declined, RetryClass.HARD_DECLINE),
        (400, {"code": "parameter_missing"}, Declined, RetryClass.INVALID),
        (401, {}, Declined, RetryClass.INVALID),
        (429, {"code": "rate_limit"}, NotSent, RetryClass.THROTTLED),
        (400, {"type": "idempotency_error"}, Unknown, None),
        (400, {"code": "payment_intent_unexpected_state"}, Unknown, None),
        (409, {}, Unknown, None),
        (500, {}, Unknown, None),
        (None, {}, Unknown, None),
    ],
)
def test_a_refusal_of_stripe_in_our_words(
    status: int | None, error: dict[str, Any], kind: type, meaning: RetryClass | None
) -> None:
    outcome = stripe.refusal(status=status, error=error, now=NOW)
    assert isinstance(outcome, kind)
    assert getattr(outcome, "retry_class", None) is meaning


@given(
    document=st.dictionaries(
        st.sampled_from([*INTENT, "status", "amount_received", "next_action", "last_payment_error", "metadata"]),
        json_values | st.sampled_from(["succeeded", "requires_action", "canceled", "eur"]),
    )
)
def test_no_document_of_stripe_escapes_as_an_exception(document: dict[str, Any]) -> None:
    stripe.authorization(document, now=NOW)
    stripe.capture(document, asked=EUR, now=NOW)
    stripe.void(document, asked=EUR, now=NOW)
    stripe.refund(document, now=NOW)
    stripe.refusal(status=402, error=document, now=NOW)
    assert isinstance(stripe.key_of(document) + stripe.reference_of(document), str)


@pytest.mark.parametrize(
    ("kind", "changes", "operation"),
    [
        ("payment_intent.succeeded", {}, Operation.AUTHORIZE),
        ("payment_intent.succeeded", {"capture_method": "manual"}, Operation.CAPTURE),
        ("payment_intent.canceled", {"capture_method": "manual", "latest_charge": "ch_1"}, Operation.VOID),
        ("payment_intent.canceled", {}, Operation.AUTHORIZE),
        ("refund.updated", {}, Operation.REFUND),
        ("customer.created", {}, None),
    ],
)
def test_which_operation_an_event_is_about(kind: str, changes: dict[str, Any], operation: Operation | None) -> None:
    assert stripe.operation_of(kind, {**INTENT, **changes}) is operation


@pytest.mark.parametrize(
    ("money", "units"),
    [
        (Money(1_234, "EUR"), 1_234),
        (Money(500, "JPY"), 500),
        (Money(5, "ISK"), 500),
        (Money(5, "UGX"), 500),
        (Money(1_250, "KWD"), 1_250),
        (Money(700, "MGA"), 7),
    ],
)
def test_amounts_are_written_in_the_units_stripe_uses(money: Money, units: int) -> None:
    assert to_stripe(money) == units
    assert from_stripe(units, money.currency.lower()) == money


def test_an_amount_stripe_cannot_take_is_refused() -> None:
    with pytest.raises(Inexpressible):
        to_stripe(Money(701, "MGA"))
    with pytest.raises(Inexpressible):
        from_stripe(501, "isk")


def test_state_conflicts_are_not_declines() -> None:
    assert not decline_codes.STATE_CONFLICTS & set(decline_codes.CHARGE_DECLINES)


@given(seed=st.integers(0, 2**31), key=st.text(min_size=1, max_size=20), dispatch=st.integers(1, 9))
def test_the_same_seed_key_and_dispatch_meet_the_same_fault(seed: int, key: str, dispatch: int) -> None:
    profile = read_profile({"profile": "harshest", "seed": seed})
    verdicts = {
        judge(token=TOKENS["tok_approved"], kind=Kind.CHARGE, key=key, dispatch=dispatch, profile=profile)
        for _ in range(2)
    }
    assert len(verdicts) == 1
    assert verdicts.pop().fault is not Fault.KEY_IGNORED


def test_a_token_strikes_its_own_dispatch_only() -> None:
    token = TOKENS["tok_error_after_effect"]
    faults = [
        judge(token=token, kind=Kind.CHARGE, key="k", dispatch=dispatch, profile=Profile()).fault for dispatch in (1, 2)
    ]
    assert faults == [Fault.ERROR_AFTER, Fault.NONE]


def test_every_rate_of_the_harshest_profile_is_a_known_one_and_keys_are_honoured() -> None:
    harshest = read_profile({"profile": "harshest"})
    assert set(harshest.rates) == RATE_NAMES - {"key_ignored"}
    assert read_profile({"profile": "harshest", "rates": {"key_ignored": 0.5}}).rates["key_ignored"] == 0.5
    assert sum(rate for name, rate in harshest.rates.items() if name in set(Fault)) < 1
