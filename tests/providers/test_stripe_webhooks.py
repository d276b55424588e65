import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentops.core.money import Money
from paymentops.providers.adapters.stripe import events
from paymentops.providers.adapters.stripe.adapter import Config, StripeProvider
from paymentops.providers.contract import (
    Approved,
    InboundWebhook,
    Operation,
    Reversed,
    WebhookRefused,
    WebhookUnauthentic,
)
from paymentops.providers.disputes import DisputeNews, DisputeStage, DisputeStatus, ReasonClass
from tests.providers.contract_suite import told

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
SECRETS = ("whsec_new", "whsec_old")
METADATA = {"paymentops_reference": "pay_1", "paymentops_key": "po-1"}
INTENT = {"id": "pi_1", "amount": 10_000, "currency": "eur", "metadata": METADATA}


@pytest.fixture
def provider() -> Iterator[StripeProvider]:
    provider = StripeProvider(Config(api_key="sk_test_12345", webhook_secrets=SECRETS))
    yield provider
    provider.close()


def event(kind: str, **changes: Any) -> bytes:
    document = {"id": "evt_1", "type": kind, "created": int(NOW.timestamp()), "data": {"object": {**INTENT, **changes}}}
    return json.dumps(document).encode()


def signed(body: bytes, *, secret: str = SECRETS[0], at: datetime = NOW) -> InboundWebhook:
    timestamp = int(at.timestamp())
    made = hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()
    return InboundWebhook(body=body, headers={"stripe-signature": f"t={timestamp},v1={made}"})


@pytest.mark.parametrize("secret", SECRETS)
def test_an_event_is_read_under_every_accepted_secret(provider: StripeProvider, secret: str) -> None:
    body = event("payment_intent.succeeded", status="succeeded", amount_received=10_000)
    [read] = told(provider, signed(body, secret=secret), now=NOW)
    assert (read.event_id, read.reference, read.provider_key, read.provider_reference) == (
        "evt_1",
        "pay_1",
        "po-1",
        "pi_1",
    )
    assert read.operation is Operation.AUTHORIZE
    assert read.occurred_at == NOW
    assert isinstance(read.outcome, Approved)


def test_a_capture_is_found_by_the_intent_since_the_key_is_that_of_its_creation(provider: StripeProvider) -> None:
    body = event("payment_intent.succeeded", status="succeeded", amount_received=4_000, capture_method="manual")
    [read] = told(provider, signed(body), now=NOW)
    assert (read.operation, read.provider_key, read.provider_reference) == (Operation.CAPTURE, "", "pi_1")
    assert isinstance(read.outcome, Approved)
    assert read.outcome.amount == Money(4_000, "EUR")


def test_a_failed_refund_is_taken_back(provider: StripeProvider) -> None:
    body = event("refund.failed", id="re_1", payment_intent="pi_1", status="failed", failure_reason="declined")
    [read] = told(provider, signed(body), now=NOW)
    assert (read.operation, read.provider_reference) == (Operation.REFUND, "pi_1")
    assert isinstance(read.outcome, Reversed)
    assert (read.outcome.amount, read.outcome.code, read.outcome.success) == (Money(10_000, "EUR"), "declined", None)


@pytest.mark.parametrize(("booked", "counts"), [("txn_1", True), (None, False)])
def test_a_charge_that_failed_is_taken_back_only_where_its_money_was_booked(
    provider: StripeProvider, booked: str | None, counts: bool
) -> None:
    body = event(
        "charge.failed",
        object="charge",
        id="ch_1",
        payment_intent="pi_1",
        status="failed",
        failure_code="insufficient_funds",
        failure_balance_transaction=booked,
    )
    [read] = told(provider, signed(body), now=NOW)
    assert (read.operation, read.provider_key, read.provider_reference) == (Operation.AUTHORIZE, "po-1", "pi_1")
    assert isinstance(read.outcome, Reversed) is counts


def test_an_event_of_another_kind_is_only_recorded(provider: StripeProvider) -> None:
    [read] = told(provider, signed(event("customer.created")), now=NOW)
    assert (read.operation, read.outcome) == (None, None)


@pytest.mark.parametrize(
    "forged",
    [
        signed(event("a"), secret="whsec_stranger"),
        InboundWebhook(body=event("b"), headers=signed(event("a")).headers),
        InboundWebhook(body=b"\xff", headers=signed(b"x").headers),
        InboundWebhook(body=event("a"), headers={"stripe-signature": "t=,v1="}),
        InboundWebhook(body=event("a"), headers={}),
    ],
)
def test_a_forged_event_is_not_authentic(provider: StripeProvider, forged: InboundWebhook) -> None:
    with pytest.raises(WebhookUnauthentic):
        told(provider, forged, now=NOW)


def test_an_old_event_is_refused_although_signed(provider: StripeProvider) -> None:
    with pytest.raises(WebhookRefused, match="5 minutes"):
        told(provider, signed(event("a"), at=NOW - timedelta(minutes=6)), now=NOW)


@given(body=st.binary(max_size=50) | st.sampled_from([b"[]", b"{}", b'{"id":"e","type":"t","data":5}']))
def test_an_unreadable_event_is_refused_and_never_breaks(body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        events.read(body, now=NOW)


@given(
    kind=st.sampled_from(["payment_intent.succeeded", "payment_intent.canceled", "refund.updated"]),
    status=st.sampled_from(["succeeded", "canceled", "failed", "new"]),
    amount=st.integers() | st.text() | st.none() | st.floats(),
    currency=st.sampled_from(["eur", "EUR", "xyz", 5, None]),
)
def test_no_value_in_an_event_breaks_reading(kind: str, status: str, amount: object, currency: object) -> None:
    body = event(kind, status=status, amount=amount, currency=currency, capture_method="manual", latest_charge="ch_1")
    events.read(body, now=NOW)


DISPUTE: dict[str, Any] = {
    "id": "du_1",
    "object": "dispute",
    "amount": 10_000,
    "currency": "eur",
    "charge": "ch_1",
    "payment_intent": "pi_1",
    "reason": "product_not_received",
    "status": "needs_response",
    "balance_transactions": [{"amount": -10_000, "currency": "eur", "fee": 2_000, "net": -12_000}],
    "evidence_details": {"due_by": int(NOW.timestamp()) + 86_400, "past_due": False, "submission_count": 0},
}


def dispute_event(**changes: Any) -> bytes:
    document = {
        "id": "evt_1",
        "type": "charge.dispute.updated",
        "created": int(NOW.timestamp()),
        "data": {"object": {**DISPUTE, **changes}},
    }
    return json.dumps(document).encode()


def test_a_dispute_is_read_with_its_charge_fee_and_deadline() -> None:
    read = events.read(dispute_event(), now=NOW)
    assert (read.operation, read.provider_reference) == (None, "pi_1")
    assert read.dispute == DisputeNews(
        dispute="du_1",
        status=DisputeStatus.OPEN,
        stage=DisputeStage.CHARGEBACK,
        amount=Money(10_000, "EUR"),
        fee=Money(2_000, "EUR"),
        reason="product_not_received",
        reason_class=ReasonClass.NOT_RECEIVED,
        evidence_due_at=NOW + timedelta(days=1),
    )


@pytest.mark.parametrize(
    ("status", "ours", "stage"),
    [
        ("warning_needs_response", DisputeStatus.INQUIRY, DisputeStage.INQUIRY),
        ("warning_under_review", DisputeStatus.INQUIRY, DisputeStage.INQUIRY),
        ("warning_closed", DisputeStatus.INQUIRY_CLOSED, DisputeStage.INQUIRY),
        ("under_review", DisputeStatus.UNDER_REVIEW, DisputeStage.CHARGEBACK),
        ("won", DisputeStatus.WON, DisputeStage.CHARGEBACK),
        ("lost", DisputeStatus.LOST, DisputeStage.CHARGEBACK),
        ("a word of tomorrow", None, None),
    ],
)
def test_each_status_of_a_dispute_in_our_words(status: str, ours: Any, stage: Any) -> None:
    news = events.read(dispute_event(status=status), now=NOW).dispute
    assert news is not None
    assert (news.status, news.stage) == (ours, stage)


def test_a_fee_that_was_given_back_is_none_any_more() -> None:
    given_back = [*DISPUTE["balance_transactions"], {"amount": 10_000, "currency": "eur", "fee": -2_000}]
    news = events.read(dispute_event(status="won", balance_transactions=given_back), now=NOW).dispute
    assert news is not None
    assert news.fee == Money(0, "EUR")


@pytest.mark.parametrize("changes", [{"id": None}, {"amount": "1"}, {"amount": True}, {"currency": "xxq"}])
def test_a_dispute_without_what_every_dispute_has_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(WebhookRefused):
        events.read(dispute_event(**changes), now=NOW)
