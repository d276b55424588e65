from collections.abc import Iterator

import pytest

from paymentops.providers.adapters.stripe.adapter import Config, StripeProvider
from paymentops.providers.contract import ActionRequired, Approved, Declined, NotFound, Operation, Provider
from tests.plugins.localstripe import StripeServer
from tests.plugins.processes import free_port
from tests.providers.contract_suite import ProviderContract, ask_about, instruct


@pytest.fixture
def provider(stripe_server: StripeServer) -> Iterator[Provider]:
    provider = StripeProvider(Config(api_key=stripe_server.api_key, api_base=stripe_server.url))
    yield provider
    provider.close()


@pytest.fixture
def unreachable() -> Iterator[Provider]:
    provider = StripeProvider(Config(api_key="sk_test_12345", api_base=f"http://127.0.0.1:{free_port()}"))
    yield provider
    provider.close()


class TestStripeMeetsTheContract(ProviderContract):
    approved = "pm_card_visa"
    declined = "pm_card_chargeCustomerFail"
    honours_keys = False

    @pytest.fixture(autouse=True)
    def _with_card(self, stripe_server: StripeServer) -> None:
        self.waits = stripe_server.card("4000002500003155")


def test_our_reference_and_key_stand_on_the_intent(provider: Provider, stripe_server: StripeServer) -> None:
    instruction = instruct(payment_token="pm_card_visa")
    outcome = provider.authorize(instruction)
    assert isinstance(outcome, Approved)
    intent = stripe_server.get(f"/v1/payment_intents/{outcome.provider_reference}")
    assert intent["metadata"] == {
        "paymentops_reference": instruction.reference,
        "paymentops_key": instruction.provider_key,
    }


def test_a_card_that_asks_for_its_holder_requires_an_action(provider: Provider, stripe_server: StripeServer) -> None:
    instruction = instruct(payment_token=stripe_server.card("4000002500003155"))
    outcome = provider.authorize(instruction)
    assert isinstance(outcome, ActionRequired)
    assert outcome.action["type"] == "challenge"
    assert "secret" not in repr(outcome)

    intent = stripe_server.get(f"/v1/payment_intents/{outcome.provider_reference}")
    confirmation = {"client_secret": intent["client_secret"], "success": "true"}
    stripe_server.post(f"/v1/payment_intents/{outcome.provider_reference}/_authenticate", confirmation)
    assert isinstance(provider.inquire(ask_about(instruction)), Approved)


def test_a_captured_payment_cannot_be_released(provider: Provider) -> None:
    sale = instruct(payment_token="pm_card_visa", capture_now=True)
    made = provider.authorize(sale)
    assert isinstance(made, Approved)
    void = instruct(Operation.VOID, provider_reference=made.provider_reference)
    assert isinstance(provider.void(void), Declined)
    assert isinstance(provider.inquire(ask_about(void)), Declined)


def test_an_inquiry_reads_on_through_many_pages(
    provider: Provider, stripe_server: StripeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paymentops.providers.adapters.stripe.adapter._PAGE", 2)
    asked = [instruct(payment_token="pm_card_visa") for _ in range(5)]
    for instruction in asked:
        provider.authorize(instruction)
    assert all(isinstance(provider.inquire(ask_about(instruction)), Approved) for instruction in asked)
    assert isinstance(provider.inquire(ask_about(instruct())), NotFound)


def test_a_refund_is_found_by_its_own_id(provider: Provider) -> None:
    made = provider.authorize(instruct(payment_token="pm_card_visa", capture_now=True))
    assert isinstance(made, Approved)
    refund = instruct(Operation.REFUND, provider_reference=made.provider_reference)
    paid = provider.refund(refund)
    assert isinstance(paid, Approved)
    found = provider.inquire(ask_about(refund, attempt_reference=paid.provider_reference))
    assert isinstance(found, Approved)
    assert found.provider_reference == paid.provider_reference
