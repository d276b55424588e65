"""A Pix payment from its code to its refund, through our own API and the bank's notifications."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from ledger import queries as ledger
from paymentops.core import clock, ids
from paymentops.events import operations as events
from paymentops.incidents.models import Incident
from paymentops.payments.models import Attempt
from paymentops.providers import registry
from paymentops.providers.contract import InboundWebhook
from tests.payments.conftest import Api, api, work
from tests.providers.fakes import pix as fake
from tests.providers.fakes.pix import PixServer
from tests.providers.fakes.server import Fault

__all__ = ["api", "work"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bank(settings: Any) -> Iterator[PixServer]:
    with PixServer(settles_at_once=False) as server:
        settings.PIX_API_BASE = server.api_base
        settings.PIX_TOKEN_URL = server.token_url
        settings.PIX_CLIENT_ID = fake.CLIENT_ID
        settings.PIX_CLIENT_SECRET = fake.CLIENT_SECRET
        settings.PIX_KEY = fake.PIX_KEY
        settings.PIX_WEBHOOK_TOKENS = [fake.TOKEN]
        yield server
        registry.get("pix").close()


def pay(api: Api) -> dict[str, Any]:
    body = {"method": "pix", "provider": "pix", "currency": "BRL", "payment_token": "pix"}
    return api.pay(key="order-10293-attempt-1", **body)


def deliver(webhook: InboundWebhook, **query: str) -> list[str]:
    response = Client(raise_request_exception=False).post(
        "/api/v1/webhooks/pix",
        data=webhook.body,
        content_type="application/json",
        query_params=dict(webhook.query) | query,
    )
    assert response.status_code == 200, response.content
    return list(response.json()["states"])


def txid_of(payment: dict[str, Any]) -> str:
    payment_id = ids.parse(ids.Prefix.PAYMENT, payment["id"])
    return Attempt.objects.get(payment=payment_id, operation="AUTHORIZE").provider_key


def books() -> dict[str, int]:
    """Return every account that does not stand at zero, by its number."""
    [trial] = ledger.trial_balance()
    assert trial.difference == 0
    return {account.code[:4]: account.posted for account in trial.accounts if account.posted}


def test_a_payer_scans_the_code_pays_and_gets_a_part_back(api: Api, bank: PixServer, work: Callable[[], int]) -> None:
    created = pay(api)
    work()
    waiting = api.payment(created["id"])
    assert waiting["state"] == "REQUIRES_ACTION"
    assert waiting["next_action"]["type"] == "qr"
    assert waiting["next_action"]["code"].startswith("000201")
    assert ledger.trial_balance() == []

    received = bank.pay(txid_of(created))
    assert deliver(fake.notification(received)) == ["APPLIED"]
    assert deliver(fake.notification(received)) == ["APPLIED"]
    paid = api.payment(created["id"])
    assert (paid["state"], paid["amounts"]["captured"], paid["next_action"]) == ("CAPTURED", 12990, None)
    assert books() == {"1110": 12990, "2010": -12990}

    refund = api.post(f"payments/{created['id']}/refunds", {"amount": 2990}, key="refund-one-10293").json()
    work()
    assert api.get(f"refunds/{refund['id']}").json()["state"] == "PENDING"
    assert books() == {"1110": 12990, "2010": -10000, "2020": -2990}
    bank.settle_refunds()
    assert deliver(fake.notification(*bank.received())) == ["APPLIED", "APPLIED"]
    assert api.get(f"refunds/{refund['id']}").json()["state"] == "SUCCEEDED"
    assert books() == {"1110": 10000, "2010": -10000}
    call_command("verify", "--json")


def test_a_bank_that_takes_a_refund_and_answers_nothing_pays_it_once(
    api: Api, bank: PixServer, work: Callable[[], int]
) -> None:
    created = pay(api)
    work()
    deliver(fake.notification(bank.pay(txid_of(created))))
    refund = api.post(f"payments/{created['id']}/refunds", {"amount": 2990}, key="refund-one-10293").json()
    bank.faults = [Fault.RESET_AFTER]
    work()
    assert api.get(f"refunds/{refund['id']}").json()["state"] == "UNKNOWN"
    bank.short_of_funds = True
    bank.settle_refunds()
    deliver(fake.notification(*bank.received()))
    failed = api.get(f"refunds/{refund['id']}").json()
    assert failed["state"] == "FAILED"
    assert books() == {"1110": 12990, "2010": -12990}
    call_command("verify", "--json")


def test_who_does_not_know_the_address_changes_nothing(api: Api, bank: PixServer, work: Callable[[], int]) -> None:
    created = pay(api)
    work()
    forged = fake.notification(bank.pay(txid_of(created)), token="guessed")
    response = Client(raise_request_exception=False).post(
        "/api/v1/webhooks/pix", data=forged.body, content_type="application/json", query_params=dict(forged.query)
    )
    assert response.status_code == 401
    assert api.payment(created["id"])["state"] == "REQUIRES_ACTION"


def test_a_resume_asks_the_bank_whether_the_payer_paid(api: Api, bank: PixServer, work: Callable[[], int]) -> None:
    created = pay(api)
    work()
    early = api.post(f"payments/{created['id']}/resume", key="order-10293-resume-1")
    work()
    waiting = api.payment(created["id"])
    assert (early.json()["mode"], waiting["state"], waiting["next_action"]["type"]) == (
        "INQUIRY",
        "REQUIRES_ACTION",
        "qr",
    )
    bank.pay(txid_of(created))
    api.post(f"payments/{created['id']}/resume", key="order-10293-resume-2")
    work()
    assert api.payment(created["id"])["state"] == "CAPTURED"
    call_command("verify", "--json")


@pytest.mark.parametrize("fault", [None, Fault.RESET_AFTER])
def test_a_code_nobody_scanned_is_taken_back(
    api: Api, bank: PixServer, work: Callable[[], int], fault: Fault | None
) -> None:
    created = pay(api)
    work()
    bank.faults = [fault] if fault else []
    assert api.post(f"payments/{created['id']}/cancel", key="cancel-10293-now").status_code == 202
    work()
    assert bank.charges[txid_of(created)].status == "REMOVIDA_PELO_USUARIO_RECEBEDOR"
    if fault:
        assert api.payment(created["id"])["state"] == "UNKNOWN_OUTCOME"
        Attempt.objects.update(next_action_at=clock.now())
        work()
    assert api.payment(created["id"])["state"] == "CANCELED"
    call_command("verify", "--json")


def test_a_payer_who_paid_before_the_cancel_arrived_has_paid(
    api: Api, bank: PixServer, work: Callable[[], int]
) -> None:
    created = pay(api)
    work()
    received = bank.pay(txid_of(created))
    api.post(f"payments/{created['id']}/cancel", key="cancel-10293-now")
    work()
    assert api.payment(created["id"])["state"] == "CAPTURED"
    assert deliver(fake.notification(received)) == ["RECORDED"]
    assert books() == {"1110": 12990, "2010": -12990}
    call_command("verify", "--json")


def test_a_code_that_ran_out_and_is_paid_after_all_is_late_evidence(
    api: Api, bank: PixServer, work: Callable[[], int]
) -> None:
    created = pay(api)
    work()
    bank.expire(txid_of(created))
    api.post(f"payments/{created['id']}/resume", key="order-10293-resume-1")
    work()
    assert api.payment(created["id"])["state"] == "EXPIRED"
    assert deliver(fake.notification(bank.pay(txid_of(created)))) == ["APPLIED"]
    assert api.payment(created["id"])["state"] == "CAPTURED"
    events.deliver_due(now=clock.now(), limit=100)
    assert Incident.objects.get().rule == "payment.late_evidence"
    call_command("verify", "--json")
