"""A card payment through Adyen: held, captured, refunded, each told by a signed notification."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from ledger import queries as ledger
from paymentops.providers import registry
from tests.payments.conftest import Api, api, work
from tests.providers.fakes import adyen as fake
from tests.providers.fakes.adyen import AdyenServer
from tests.providers.fakes.server import Fault

__all__ = ["api", "work"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def adyen(settings: Any) -> Iterator[AdyenServer]:
    with AdyenServer() as server:
        settings.ADYEN_API_BASE = server.api_base
        settings.ADYEN_API_KEY = fake.API_KEY
        settings.ADYEN_MERCHANT_ACCOUNT = fake.MERCHANT
        settings.ADYEN_HMAC_KEYS = [fake.HMAC_KEY]
        yield server
        registry.get("adyen").close()


def deliver_all(adyen: AdyenServer) -> None:
    """Deliver every notification that is due, each twice."""
    while adyen.notices:
        webhook = adyen.take_notice()
        for _ in range(2):
            response = Client(raise_request_exception=False).post(
                "/api/v1/webhooks/adyen", data=webhook.body, content_type="application/json"
            )
            assert (response.status_code, response.content) == (200, b"[accepted]")


def books() -> dict[str, int]:
    """Return every account that does not stand at zero, by its number."""
    [trial] = ledger.trial_balance()
    assert trial.difference == 0
    return {account.code[:4]: account.posted for account in trial.accounts if account.posted}


def test_a_hold_is_captured_and_refunded_when_the_notifications_say_so(
    api: Api, adyen: AdyenServer, work: Callable[[], int]
) -> None:
    created = api.pay(
        key="order-10293-attempt-1", provider="adyen", payment_token="shopper-77/stored-visa", capture="manual"
    )
    work()
    deliver_all(adyen)
    assert api.payment(created["id"])["state"] == "AUTHORIZED"

    api.post(f"payments/{created['id']}/captures", {}, key="capture-10293-whole")
    work()
    assert api.payment(created["id"])["state"] == "AUTHORIZED"
    deliver_all(adyen)
    assert api.payment(created["id"])["state"] == "CAPTURED"
    assert books() == {"1110": 12990, "2010": -12990}

    refund = api.post(f"payments/{created['id']}/refunds", {"amount": 2990}, key="refund-one-10293").json()
    work()
    assert api.get(f"refunds/{refund['id']}").json()["state"] == "PENDING"
    deliver_all(adyen)
    assert api.get(f"refunds/{refund['id']}").json()["state"] == "SUCCEEDED"
    assert books() == {"1110": 10000, "2010": -10000}
    call_command("verify", "--json")


def test_a_part_of_a_hold_is_captured_once_and_adyen_lets_go_of_the_rest(
    api: Api, adyen: AdyenServer, work: Callable[[], int]
) -> None:
    created = api.pay(key="order-10293-attempt-1", provider="adyen", payment_token="stored-visa", capture="manual")
    work()
    path = f"payments/{created['id']}/captures"
    api.post(path, {"amount": 9000}, key="capture-10293-part")
    work()
    second = api.post(path, {"amount": 1000}, key="capture-10293-more")
    assert (second.status_code, second.json()["code"]) == (409, "payment.operation_open")
    deliver_all(adyen)
    done = api.payment(created["id"])
    assert (done["state"], done["amounts"]["captured"], done["amounts"]["voided"]) == ("CAPTURED", 9000, 3990)
    late = api.post(path, {"amount": 1000}, key="capture-10293-more")
    assert (late.status_code, late.json()["code"]) == (409, "payment.not_capturable")
    assert books() == {"1110": 9000, "2010": -9000}
    call_command("verify", "--json")


def test_a_hold_is_cancelled_when_the_notification_says_so(
    api: Api, adyen: AdyenServer, work: Callable[[], int]
) -> None:
    created = api.pay(key="order-10293-attempt-1", provider="adyen", payment_token="stored-visa", capture="manual")
    work()
    assert api.post(f"payments/{created['id']}/cancel", key="cancel-10293-now").json()["mode"] == "VOID"
    work()
    assert api.payment(created["id"])["state"] == "AUTHORIZED"
    deliver_all(adyen)
    assert api.payment(created["id"])["state"] == "VOIDED"
    assert books() == {}
    call_command("verify", "--json")


def test_a_notification_may_come_for_an_answer_that_was_lost(
    api: Api, adyen: AdyenServer, work: Callable[[], int]
) -> None:
    adyen.faults = [Fault.RESET_AFTER]
    created = api.pay(key="order-10293-attempt-1", provider="adyen", payment_token="stored-visa")
    work()
    assert api.payment(created["id"])["state"] == "UNKNOWN_OUTCOME"
    deliver_all(adyen)
    assert api.payment(created["id"])["state"] == "CAPTURED"
    assert len(adyen.payments) == 1
    call_command("verify", "--json")


def test_a_payer_who_comes_back_from_their_bank_has_paid(api: Api, adyen: AdyenServer, work: Callable[[], int]) -> None:
    created = api.pay(key="order-10293-attempt-1", provider="adyen", payment_token="redirect")
    work()
    waiting = api.payment(created["id"])
    assert (waiting["state"], waiting["next_action"]["type"]) == ("REQUIRES_ACTION", "redirect")
    path = f"payments/{created['id']}/resume"

    api.post(path, {"details": {"redirectResult": "made up"}}, key="order-10293-resume-1")
    work()
    assert api.payment(created["id"])["state"] == "REQUIRES_ACTION"

    [psp] = adyen.payments
    adyen.faults = [Fault.RESET_AFTER]
    api.post(path, {"details": {"redirectResult": psp}}, key="order-10293-resume-2")
    work()
    assert api.payment(created["id"])["state"] == "UNKNOWN_OUTCOME"
    deliver_all(adyen)
    assert api.payment(created["id"])["state"] == "CAPTURED"
    assert books() == {"1110": 12990, "2010": -12990}
    call_command("verify", "--json")


def test_a_cancel_keeps_what_the_payer_brought_from_being_handed_in(
    api: Api, adyen: AdyenServer, work: Callable[[], int]
) -> None:
    created = api.pay(key="order-10293-attempt-1", provider="adyen", payment_token="redirect")
    work()
    [psp] = adyen.payments
    api.post(f"payments/{created['id']}/resume", {"details": {"redirectResult": psp}}, key="order-10293-resume-1")
    assert api.post(f"payments/{created['id']}/cancel", key="cancel-10293-now").status_code == 202
    work()
    assert api.payment(created["id"])["state"] == "REQUIRES_ACTION"
    assert not adyen.payments[psp].authorized
    call_command("verify", "--json")
