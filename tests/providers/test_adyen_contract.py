"""Adyen's adapter against a stand-in that speaks its Checkout API, with faults between the two."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from paymentops.core.money import Money
from paymentops.providers.adapters.adyen.adapter import AdyenProvider, Config
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Completing,
    Completion,
    Declined,
    InquiryOutcome,
    Instruction,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Provider,
    ProviderEvent,
    RetryClass,
    Unknown,
)
from tests.plugins.processes import free_port
from tests.providers.contract_suite import ProviderContract, instruct, told
from tests.providers.fakes import adyen as fake
from tests.providers.fakes.adyen import AdyenServer
from tests.providers.fakes.server import Fault

EUR_100 = Money(10_000, "EUR")


@pytest.fixture
def server() -> Iterator[AdyenServer]:
    with AdyenServer() as server:
        yield server


def connected(url: str, *, api_key: str = fake.API_KEY) -> AdyenProvider:
    return AdyenProvider(
        Config(
            api_base=url,
            api_key=api_key,
            merchant_account=fake.MERCHANT,
            hmac_keys=("ab" * 32, fake.HMAC_KEY),
            return_url="https://shop.example.com/back",
        )
    )


@pytest.fixture
def provider(server: AdyenServer) -> Iterator[AdyenProvider]:
    provider = connected(server.api_base)
    yield provider
    provider.close()


@pytest.fixture
def unreachable() -> Iterator[AdyenProvider]:
    provider = connected(f"http://127.0.0.1:{free_port()}/v71")
    yield provider
    provider.close()


def told_next(provider: Provider, server: AdyenServer) -> ProviderEvent:
    """Deliver the oldest notification that is due."""
    [event] = told(provider, server.take_notice(), now=datetime.now(UTC))
    return event


class TestAdyenMeetsTheContract(ProviderContract):
    approved = "shopper-77/stored-visa"
    declined = "refused-balance"

    @pytest.fixture(autouse=True)
    def _with_server(self, server: AdyenServer) -> None:
        self.server = server

    def concluded(self, provider: Provider, instruction: Instruction, outcome: Outcome) -> Outcome | InquiryOutcome:
        """Take what the notification about a modification says; an authorisation is known from its answer."""
        if instruction.operation is Operation.AUTHORIZE or not isinstance(outcome, Pending):
            return outcome
        while event := told_next(provider, self.server):
            if event.provider_key == instruction.provider_key:
                assert event.operation is instruction.operation
                assert event.provider_reference == outcome.provider_reference
                assert isinstance(event.outcome, Approved | Declined)
                return event.outcome
        raise AssertionError("no notification came")


@pytest.mark.parametrize("is_sale", [True, False])
def test_the_notification_of_an_authorisation_says_the_same_as_its_answer(
    provider: AdyenProvider, server: AdyenServer, is_sale: bool
) -> None:
    instruction = instruct(payment_token="stored-visa", capture_now=is_sale)
    made = provider.authorize(instruction)
    event = told_next(provider, server)
    assert isinstance(made, Approved)
    assert isinstance(event.outcome, Approved)
    assert (event.operation, event.reference, event.provider_key) == (
        Operation.AUTHORIZE,
        instruction.reference,
        instruction.provider_key,
    )
    assert (event.outcome.provider_reference, event.outcome.amount, event.outcome.captured) == (
        made.provider_reference,
        EUR_100,
        EUR_100 if is_sale else None,
    )


def test_all_that_a_request_carries(provider: AdyenProvider, server: AdyenServer) -> None:
    held = instruct(payment_token="shopper-77/stored-visa", amount=Money(5, "ISK"))
    provider.authorize(held)
    [asked] = server.asked
    assert asked.headers["idempotency-key"] == held.provider_key
    assert asked.json() == {
        "merchantAccount": fake.MERCHANT,
        "reference": f"{held.reference}/{held.provider_key}/h",
        "amount": {"currency": "ISK", "value": 500},
        "paymentMethod": {"type": "scheme", "storedPaymentMethodId": "stored-visa"},
        "shopperReference": "shopper-77",
        "shopperInteraction": "ContAuth",
        "recurringProcessingModel": "CardOnFile",
        "returnUrl": "https://shop.example.com/back",
        "additionalData": {"manualCapture": "true"},
    }
    assert len(asked.json()["reference"]) <= 80


@pytest.mark.parametrize(
    "fault", [Fault.RESET_AFTER, Fault.ERROR_AFTER, Fault.GARBAGE_AFTER, Fault.RESET_BEFORE, Fault.ERROR_BEFORE]
)
def test_a_lost_answer_is_unknown_and_the_same_bytes_again_bring_it_without_a_second_charge(
    provider: AdyenProvider, server: AdyenServer, fault: Fault
) -> None:
    sale = instruct(payment_token="stored-visa", capture_now=True)
    server.faults = [fault]
    assert isinstance(provider.authorize(sale), Unknown)
    assert isinstance(provider.authorize(sale), Approved)
    assert len(server.payments) == 1
    assert server.asked[0].body == server.asked[1].body


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.ERROR_AFTER, Fault.GARBAGE_AFTER])
def test_a_refund_whose_answer_was_lost_is_told_by_its_notification_and_paid_once(
    provider: AdyenProvider, server: AdyenServer, fault: Fault
) -> None:
    made = provider.authorize(instruct(payment_token="stored-visa", capture_now=True))
    assert isinstance(made, Approved)
    server.notices.clear()
    refund = instruct(Operation.REFUND, provider_reference=made.provider_reference, amount=Money(2_500, "EUR"))
    server.faults = [fault]
    assert isinstance(provider.refund(refund), Unknown)
    event = told_next(provider, server)
    assert event.provider_key == refund.provider_key
    assert isinstance(event.outcome, Approved)
    assert isinstance(provider.refund(refund), Pending)
    assert server.payments[made.provider_reference].refunded == 2_500


def test_silence_ends_with_the_deadline_and_is_unknown(provider: AdyenProvider, server: AdyenServer) -> None:
    server.faults = [Fault.SILENCE_AFTER]
    deadline = datetime.now(UTC) + timedelta(seconds=0.3)
    assert isinstance(provider.authorize(instruct(payment_token="stored-visa", deadline=deadline)), Unknown)


def test_a_payer_who_is_redirected_comes_back_and_counts_once(provider: AdyenProvider, server: AdyenServer) -> None:
    instruction = instruct(payment_token=fake.REDIRECT, capture_now=True)
    waiting = provider.authorize(instruction)
    assert isinstance(waiting, ActionRequired)
    assert waiting.action["type"] == "redirect"
    assert waiting.action["url"].endswith(waiting.provider_reference)
    assert isinstance(provider, Completing)
    completion = Completion(
        provider_key=instruction.provider_key,
        reference=instruction.reference,
        amount=instruction.amount,
        details={"redirectResult": waiting.provider_reference},
        deadline=instruction.deadline,
        capture_now=True,
    )
    server.faults = [Fault.RESET_AFTER]
    assert isinstance(provider.complete(completion), Unknown)
    done = provider.complete(completion)
    assert isinstance(done, Approved)
    assert done.captured == EUR_100
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 2
    assert len(server.notices) == 1


def test_an_error_on_the_way_is_unknown_until_the_notification_says_no(
    provider: AdyenProvider, server: AdyenServer
) -> None:
    assert isinstance(provider.authorize(instruct(payment_token=fake.BROKEN)), Unknown)
    outcome = told_next(provider, server).outcome
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.retry_class) == ("4", RetryClass.SOFT_DECLINE)


def test_wrong_credentials_are_a_definitive_no(server: AdyenServer) -> None:
    provider = connected(server.api_base, api_key="another")
    outcome = provider.authorize(instruct(payment_token="stored-visa"))
    provider.close()
    assert isinstance(outcome, Declined)
    assert outcome.retry_class is RetryClass.INVALID


def test_an_amount_adyen_cannot_express_never_leaves(provider: AdyenProvider, server: AdyenServer) -> None:
    outcome = provider.authorize(instruct(payment_token="stored-visa", amount=Money(150, "IDR")))
    assert isinstance(outcome, Declined)
    assert server.asked == []


def test_nothing_is_completed_after_the_deadline(provider: AdyenProvider) -> None:
    late = Completion(
        provider_key="po-1",
        reference="pay_1",
        amount=EUR_100,
        details={},
        deadline=datetime.now(UTC) - timedelta(seconds=1),
    )
    assert isinstance(provider.complete(late), NotSent)
