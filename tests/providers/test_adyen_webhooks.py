"""Adyen's notifications: signatures, what each kind means, and answers recorded in the shapes Adyen documents."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paymentops.core.money import Money
from paymentops.providers.adapters.adyen import mapping, notifications, references, refusals
from paymentops.providers.adapters.adyen.amounts import from_adyen, to_adyen
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    InboundWebhook,
    NotSent,
    Operation,
    Pending,
    ProviderEvent,
    RetryClass,
    Reversed,
    Unknown,
    WebhookRefused,
    WebhookUnauthentic,
    provider_key,
)
from paymentops.providers.disputes import DisputeNews, DisputeStage, DisputeStatus, ReasonClass
from paymentops.providers.transport import Answer
from paymentops.providers.units import Inexpressible
from tests.providers.fakes import adyen as fake
from tests.providers.test_mappings import json_values

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
ATTEMPT = UUID(int=7)
KEY = provider_key(ATTEMPT, limit=64)
EUR_100 = Money(10_000, "EUR")
KEYS = notifications.binary_keys((fake.HMAC_KEY, "ab" * 32))
SALE = f"pay_{ATTEMPT.hex}/{KEY}/s"
REFUND = f"ref_{ATTEMPT.hex}/{KEY}/r"
ITEM = {
    "amount": {"currency": "EUR", "value": 10_000},
    "eventCode": "AUTHORISATION",
    "eventDate": "2026-05-06T13:59:00+02:00",
    "merchantAccountCode": fake.MERCHANT,
    "merchantReference": SALE,
    "operations": ["CANCEL", "CAPTURE", "REFUND"],
    "paymentMethod": "visa",
    "pspReference": "8815658961765250",
    "reason": "033899:1111:03/2030",
    "success": "true",
}


def read(*items: dict[str, Any], key: str = fake.HMAC_KEY) -> list[ProviderEvent]:
    return read_webhook(fake.notification(list(items), key=key))


def read_webhook(webhook: InboundWebhook) -> list[ProviderEvent]:
    notifications.require_authentic(webhook.body, keys=KEYS)
    return notifications.read(webhook.body, merchant_account=fake.MERCHANT, now=NOW)


def test_a_signature_is_made_as_adyens_own_libraries_make_it() -> None:
    item = {
        "pspReference": "pspReference",
        "originalReference": "originalReference",
        "merchantAccountCode": "merchantAccount",
        "merchantReference": "reference",
        "amount": {"value": 1000, "currency": "EUR"},
        "eventCode": "EVENT",
        "success": "true",
    }
    [key] = notifications.binary_keys(("DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00",))
    assert notifications.sign(item, key) == "ipnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TLTntIc="


@pytest.mark.parametrize("key", [fake.HMAC_KEY, "ab" * 32])
def test_a_notification_is_read_under_every_accepted_key(key: str) -> None:
    [event] = read(ITEM, key=key)
    assert (event.event_id, event.reference, event.provider_key, event.provider_reference) == (
        "AUTHORISATION/8815658961765250/true",
        f"pay_{ATTEMPT.hex}",
        KEY,
        "8815658961765250",
    )
    assert event.occurred_at == datetime(2026, 5, 6, 11, 59, tzinfo=UTC)
    assert isinstance(event.outcome, Approved)
    assert event.outcome.captured == EUR_100


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": {"currency": "EUR", "value": 1}},
        {"merchantReference": f"{SALE}x"},
        {"success": "false"},
        {"eventCode": "CAPTURE"},
        {"pspReference": "another"},
        {"additionalData": {}},
        {"additionalData": {"hmacSignature": "ü"}},
        {"additionalData": None},
    ],
)
def test_a_changed_item_is_not_authentic(changes: dict[str, Any]) -> None:
    document = json.loads(fake.notification([ITEM]).body)
    document["notificationItems"][0]["NotificationRequestItem"] |= changes
    with pytest.raises(WebhookUnauthentic):
        read_webhook(InboundWebhook(body=json.dumps(document).encode(), headers={}))


def test_without_a_key_everything_is_refused_and_a_key_must_be_hexadecimal() -> None:
    with pytest.raises(WebhookUnauthentic):
        notifications.require_authentic(fake.notification([ITEM]).body, keys=())
    with pytest.raises(ValueError, match="ADYEN_HMAC_KEYS"):
        notifications.binary_keys(("not hexadecimal",))


def test_one_forged_item_refuses_its_whole_batch() -> None:
    good = json.loads(fake.notification([ITEM]).body)["notificationItems"]
    bad = json.loads(fake.notification([ITEM], key="cd" * 32).body)["notificationItems"]
    body = json.dumps({"live": "false", "notificationItems": good + bad}).encode()
    with pytest.raises(WebhookUnauthentic):
        read_webhook(InboundWebhook(body=body, headers={}))


def test_a_batch_is_read_item_by_item() -> None:
    events = read(ITEM, ITEM | {"pspReference": "2", "eventCode": "REFUND", "merchantReference": REFUND})
    assert [event.operation for event in events] == [Operation.AUTHORIZE, Operation.REFUND]


@pytest.mark.parametrize(
    ("kind", "errand", "success", "reason", "operation", "expected"),
    [
        ("AUTHORISATION", "h", "true", "", Operation.AUTHORIZE, Approved),
        ("AUTHORISATION", "s", "false", "Not enough balance", Operation.AUTHORIZE, RetryClass.SOFT_DECLINE),
        ("AUTHORISATION", "s", "false", "Blocked Card", Operation.AUTHORIZE, RetryClass.HARD_DECLINE),
        ("AUTHORISATION", "s", "false", "never heard of", Operation.AUTHORIZE, RetryClass.HARD_DECLINE),
        ("CAPTURE", "c", "true", "", Operation.CAPTURE, Approved),
        ("CAPTURE", "c", "false", "Insufficient balance on payment", Operation.CAPTURE, RetryClass.INVALID),
        ("CAPTURE_FAILED", "c", "true", "Capture Failed", Operation.CAPTURE, Reversed),
        ("CAPTURE_FAILED", "s", "true", "Capture Failed", Operation.AUTHORIZE, Reversed),
        ("CAPTURE_FAILED", "h", "true", "Capture Failed", None, None),
        ("CANCELLATION", "v", "true", "", Operation.VOID, Approved),
        ("REFUND", "r", "true", "", Operation.REFUND, Approved),
        ("REFUND_FAILED", "r", "true", "", Operation.REFUND, Reversed),
        ("REFUNDED_REVERSED", "r", "true", "", Operation.REFUND, Reversed),
        ("OFFER_CLOSED", "s", "true", "", Operation.AUTHORIZE, RetryClass.AUTH_REQUIRED),
        ("EXPIRE", "h", "true", "", Operation.AUTHORIZE, RetryClass.AUTH_REQUIRED),
        ("CAPTURE", "c", "maybe", "", Operation.CAPTURE, None),
        ("CHARGEBACK", "s", "true", "", None, None),
        ("REPORT_AVAILABLE", "s", "true", "", None, None),
    ],
)
def test_what_each_kind_means(
    *, kind: str, errand: str, success: str, reason: str, operation: Operation | None, expected: Any
) -> None:
    reference = f"pay_{ATTEMPT.hex}/{KEY}/{errand}"
    item = ITEM | {"eventCode": kind, "merchantReference": reference, "success": success, "reason": reason}
    [event] = read(item)
    assert event.operation is operation
    if isinstance(expected, RetryClass):
        assert isinstance(event.outcome, Declined)
        assert event.outcome.retry_class is expected
    else:
        assert isinstance(event.outcome, expected or type(None))


@pytest.mark.parametrize(
    "changes",
    [
        # A refund made in Adyen's Customer Area carries the reference of the payment.
        {"eventCode": "REFUND", "merchantReference": SALE},
        {"merchantReference": "an order of another system"},
        {"merchantAccountCode": "AnotherECOM"},
    ],
)
def test_news_about_what_we_did_not_ask_for_is_only_recorded(changes: dict[str, Any]) -> None:
    [event] = read(ITEM | changes)
    assert (event.operation, event.outcome, event.provider_key, event.reference) == (None, None, "", "")


@given(body=st.binary(max_size=60) | st.sampled_from([b"[]", b"{}", b'{"notificationItems": [{}]}']))
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        read_webhook(InboundWebhook(body=body, headers={}))


@given(name=st.sampled_from(sorted(ITEM)), value=json_values)
def test_no_value_in_an_item_escapes_as_another_exception(name: str, value: Any) -> None:
    document = {"notificationItems": [{"NotificationRequestItem": ITEM | {name: value}}]}
    try:
        item = document["notificationItems"][0]["NotificationRequestItem"]
        signed = item | {"additionalData": {"hmacSignature": notifications.sign(item, KEYS[0])}}
    except mapping.Unreadable:
        return
    body = json.dumps({"notificationItems": [{"NotificationRequestItem": signed}]}).encode()
    try:
        read_webhook(InboundWebhook(body=body, headers={}))
    except WebhookRefused:
        return


def answer(document: Any, status: int = 200, **headers: str) -> Answer:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=body)


def authorized(answered: Answer) -> object:
    return mapping.authorization(answered, asked=EUR_100, reference=SALE, capture_now=True, now=NOW)


PAID = {"resultCode": "Authorised", "pspReference": "8815", "merchantReference": SALE}


@pytest.mark.parametrize(("result", "withdrawn"), [("Cancelled", True), ("Refused", False)])
def test_a_shopper_who_called_it_off_was_refused_by_nobody(result: str, withdrawn: bool) -> None:
    outcome = authorized(answer(PAID | {"resultCode": result}))
    assert isinstance(outcome, Declined)
    assert outcome.withdrawn is withdrawn


PROBLEM = {"status": 422, "errorCode": "167", "message": "Original required", "errorType": "validation"}


@pytest.mark.parametrize(
    ("document", "status", "kind"),
    [
        (PAID, 200, Approved),
        (PAID | {"amount": {"currency": "EUR", "value": 10_000}}, 200, Approved),
        (PAID | {"resultCode": "PartiallyAuthorised"}, 200, Unknown),
        (PAID | {"resultCode": "Refused", "refusalReason": "Refused", "refusalReasonCode": "2"}, 200, Declined),
        (PAID | {"resultCode": "Cancelled"}, 200, Declined),
        (PAID | {"resultCode": "Received"}, 200, Pending),
        (PAID | {"resultCode": "Pending"}, 200, Pending),
        (PAID | {"resultCode": "Pending", "action": {"type": "qrCode", "qrCodeData": "x"}}, 200, ActionRequired),
        (PAID | {"resultCode": "IdentifyShopper", "action": {"type": "threeDS2", "token": "t"}}, 200, ActionRequired),
        (PAID | {"resultCode": "ChallengeShopper"}, 200, ActionRequired),
        (PAID | {"resultCode": "PresentToShopper", "action": {"type": "voucher"}}, 200, ActionRequired),
        (PAID | {"resultCode": "Error"}, 200, Unknown),
        (PAID | {"resultCode": "ANewOne"}, 200, Unknown),
        (PAID | {"merchantReference": "another"}, 200, Unknown),
        (PAID | {"pspReference": None}, 200, Unknown),
        (PAID | {"amount": {"currency": "EUR", "value": 1.5}}, 200, Unknown),
        (PROBLEM, 422, Declined),
        (PROBLEM | {"errorType": "internal"}, 422, Unknown),
        (PROBLEM | {"errorCode": "704"}, 422, Unknown),
        (PROBLEM, 500, Unknown),
        (b"<html>", 404, Unknown),
        (b"", 429, NotSent),
    ],
)
def test_an_answer_in_our_words(document: Any, status: int, kind: type) -> None:
    assert isinstance(authorized(answer(document, status)), kind)


def test_a_passing_error_may_be_sent_again_and_proves_nothing() -> None:
    assert isinstance(authorized(answer(PROBLEM, 422, transient_error="true")), Unknown)


def test_the_token_of_an_action_is_not_kept() -> None:
    action = {"type": "threeDS2", "paymentData": "secret", "token": "secret", "authorisationToken": "secret"}
    assert "secret" not in repr(authorized(answer(PAID | {"resultCode": "IdentifyShopper", "action": action})))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({}, Pending), ({"status": "new"}, Unknown), ({"reference": "x"}, Unknown), ({"pspReference": 5}, Unknown)],
)
def test_a_modification_is_only_received(changes: dict[str, Any], kind: type) -> None:
    document = {"pspReference": "8816", "paymentPspReference": "8815", "reference": REFUND, "status": "received"}
    assert isinstance(mapping.modification(answer(document | changes, 201), reference=REFUND, now=NOW), kind)


@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_no_bytes_escape_as_an_exception(status: int, body: bytes) -> None:
    assert isinstance(authorized(answer(body, status)), NotSent if status == 429 else Unknown)
    mapping.modification(answer(body, status), reference=REFUND, now=NOW)


@given(name=st.sampled_from(["resultCode", "pspReference", "amount", "action", "refusalReason"]), value=json_values)
def test_no_value_in_an_answer_escapes_as_an_exception(name: str, value: Any) -> None:
    for result in ("Authorised", "Refused", "RedirectShopper"):
        authorized(answer(PAID | {"resultCode": result} | {name: value}))


def test_every_refusal_is_found_by_its_name() -> None:
    for code, reason in refusals.REASONS.items():
        assert refusals.code_of(reason.name.upper()) == code
    assert refusals.class_of("a new one") is RetryClass.HARD_DECLINE


@pytest.mark.parametrize("text", ["", "pay_1", "pay_1/po-1", "pay_1/po-1/x", "a/b/c/s", "//s"])
def test_a_reference_that_is_not_ours_is_not_read(text: str) -> None:
    assert references.read(text) is None


@pytest.mark.parametrize(
    ("money", "units"),
    [
        (Money(1_234, "EUR"), 1_234),
        (Money(5, "CLP"), 500),
        (Money(5, "ISK"), 500),
        (Money(700, "CVE"), 7),
        (Money(1_200_000, "IDR"), 12_000),
        (Money(500, "UGX"), 500),
        (Money(1_250, "KWD"), 1_250),
    ],
)
def test_amounts_are_written_in_the_units_adyen_uses(money: Money, units: int) -> None:
    assert to_adyen(money) == units
    assert from_adyen(units, money.currency) == money


def test_an_amount_adyen_cannot_take_is_refused() -> None:
    with pytest.raises(Inexpressible):
        to_adyen(Money(701, "CVE"))
    with pytest.raises(Inexpressible):
        from_adyen(-1, "EUR")


# --- disputes ------------------------------------------------------------------------------------------------------

DISPUTE = {
    **ITEM,
    "eventCode": "CHARGEBACK",
    "pspReference": "9915555555555555",
    "originalReference": "8815658961765250",
    "reason": "Goods not received",
    "additionalData": {
        "chargebackReasonCode": "13.1",
        "defensePeriodEndsAt": "2026-06-06T12:00:00+02:00",
        "disputeStatus": "Undefended",
    },
}


def test_a_dispute_is_read_with_its_charge_reason_and_deadline() -> None:
    [event] = read(DISPUTE)
    assert (event.operation, event.provider_key, event.provider_reference) == (None, KEY, "8815658961765250")
    assert event.dispute == DisputeNews(
        dispute="9915555555555555",
        status=DisputeStatus.OPEN,
        stage=DisputeStage.CHARGEBACK,
        amount=EUR_100,
        reason="13.1",
        reason_class=ReasonClass.NOT_RECEIVED,
        evidence_due_at=datetime(2026, 6, 6, 10, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("REQUEST_FOR_INFORMATION", DisputeStatus.INQUIRY),
        ("NOTIFICATION_OF_CHARGEBACK", DisputeStatus.INQUIRY),
        ("CHARGEBACK_REVERSED", DisputeStatus.WON_PROVISIONAL),
        ("SECOND_CHARGEBACK", DisputeStatus.LOST),
        ("PREARBITRATION_WON", DisputeStatus.WON),
        ("PREARBITRATION_LOST", DisputeStatus.LOST),
        ("ISSUER_RESPONSE_TIMEFRAME_EXPIRED", DisputeStatus.WON),
        ("DISPUTE_DEFENSE_PERIOD_ENDED", None),
        ("INFORMATION_SUPPLIED", None),
    ],
)
def test_what_each_kind_of_dispute_news_means(kind: str, status: Any) -> None:
    [event] = read({**DISPUTE, "eventCode": kind})
    assert event.dispute is not None
    assert event.dispute.status is status
    [failed] = read({**DISPUTE, "eventCode": kind, "success": "false"})
    assert failed.dispute is not None
    assert failed.dispute.status is None


def test_a_report_of_fraud_and_another_accounts_dispute_are_no_disputes_of_ours() -> None:
    for changes in ({"eventCode": "NOTIFICATION_OF_FRAUD"}, {"merchantAccountCode": "Another"}):
        [event] = read({**DISPUTE, **changes})
        assert event.dispute is None
