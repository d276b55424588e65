"""Pix against a stand-in for a bank's API Pix, with faults between the two."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from paymentops.core.money import Money
from paymentops.providers.adapters.pix.adapter import Config, PixProvider
from paymentops.providers.adapters.pix.client import Credentials, PixClient
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    InquiryOutcome,
    Instruction,
    Method,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Provider,
    RetryClass,
    Reversed,
    Unknown,
)
from paymentops.providers.transport import Transport
from tests.plugins.processes import free_port
from tests.providers.contract_suite import ProviderContract, ask_about, instruct, told
from tests.providers.fakes import pix as fake
from tests.providers.fakes.pix import PixServer
from tests.providers.fakes.server import Fault

BRL_100 = Money(10_000, "BRL")
EXPIRED = "expired"


@pytest.fixture
def server() -> Iterator[PixServer]:
    with PixServer() as server:
        yield server


def connected(*, api_base: str, token_url: str, client_secret: str = fake.CLIENT_SECRET) -> PixProvider:
    return PixProvider(
        Config(
            api_base=api_base,
            credentials=Credentials(
                token_url=token_url, client_id=fake.CLIENT_ID, client_secret=client_secret, scope="cob.write pix.write"
            ),
            pix_key=fake.PIX_KEY,
            webhook_tokens=(fake.TOKEN,),
        )
    )


@pytest.fixture
def provider(server: PixServer) -> Iterator[PixProvider]:
    provider = connected(api_base=server.api_base, token_url=server.token_url)
    yield provider
    provider.close()


@pytest.fixture
def unreachable() -> Iterator[PixProvider]:
    url = f"http://127.0.0.1:{free_port()}"
    provider = connected(api_base=f"{url}/api/v2", token_url=f"{url}/oauth/token")
    yield provider
    provider.close()


def charge(**changes: Any) -> Instruction:
    given = {"payment_token": "pix", "amount": BRL_100, "method": Method.PIX, "capture_now": True}
    return instruct(key_limit=32, **(given | changes))


def about(reference: str, operation: Operation, **changes: Any) -> Instruction:
    given = {"provider_reference": reference, "amount": BRL_100, "method": Method.PIX}
    return instruct(operation, key_limit=32, **(given | changes))


def paid(provider: PixProvider, server: PixServer) -> str:
    """Make a charge, let it be paid and return the end-to-end id."""
    instruction = charge()
    provider.authorize(instruction)
    return str(server.pay(instruction.provider_key)["endToEndId"])


class TestPixMeetsTheContract(ProviderContract):
    approved = "pix"
    declined = EXPIRED
    waits = "pix"
    declined_as = RetryClass.AUTH_REQUIRED
    method = Method.PIX
    currency = "BRL"
    key_limit = 32

    @pytest.fixture(autouse=True)
    def _with_server(self, server: PixServer) -> None:
        self.server = server

    def concluded(self, provider: Provider, instruction: Instruction, outcome: Outcome) -> Outcome | InquiryOutcome:
        """Let the payer pay and the bank tell of it, or let the time run out."""
        if not isinstance(outcome, ActionRequired):
            return outcome
        if instruction.payment_token == EXPIRED:
            self.server.expire(instruction.provider_key)
            return provider.inquire(ask_about(instruction))
        notice = fake.notification(self.server.pay(instruction.provider_key))
        [event] = told(provider, notice, now=datetime.now(UTC))
        assert event.provider_key == instruction.provider_key
        assert isinstance(event.outcome, Approved)
        return event.outcome


def test_a_charge_waits_for_its_payer_with_a_code_and_an_end(provider: PixProvider, server: PixServer) -> None:
    instruction = charge(amount=Money(1_205, "BRL"))
    waiting = provider.authorize(instruction)
    assert isinstance(waiting, ActionRequired)
    assert waiting.action["type"] == "qr"
    assert waiting.action["code"].startswith("000201")
    assert waiting.expires_at is not None
    assert timedelta(minutes=59) < waiting.expires_at - datetime.now(UTC) < timedelta(minutes=61)
    assert server.asked[-1].json() == {
        "calendario": {"expiracao": 3600},
        "valor": {"original": "12.05", "modalidadeAlteracao": 0},
        "chave": fake.PIX_KEY,
        "infoAdicionais": [{"nome": "Pedido", "valor": instruction.reference}],
    }
    assert isinstance(provider.inquire(ask_about(instruction)), ActionRequired)


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.ERROR_AFTER, Fault.GARBAGE_AFTER])
def test_a_charge_whose_answer_was_lost_is_found_and_made_once(
    provider: PixProvider, server: PixServer, fault: Fault
) -> None:
    instruction = charge()
    server.faults = [fault]
    assert isinstance(provider.authorize(instruction), Unknown)
    assert isinstance(provider.inquire(ask_about(instruction)), ActionRequired)
    assert isinstance(provider.authorize(instruction), ActionRequired)
    assert len(server.charges) == 1


@pytest.mark.parametrize("fault", [Fault.RESET_BEFORE, Fault.ERROR_BEFORE])
def test_a_charge_that_was_never_made_is_not_found(provider: PixProvider, server: PixServer, fault: Fault) -> None:
    instruction = charge()
    server.faults = [fault]
    assert isinstance(provider.authorize(instruction), Unknown)
    assert isinstance(provider.inquire(ask_about(instruction)), NotFound)


@pytest.mark.parametrize("fault", [Fault.RESET_AFTER, Fault.ERROR_AFTER, Fault.GARBAGE_AFTER])
def test_a_refund_sent_twice_is_paid_once_although_the_bank_refuses_the_second(
    provider: PixProvider, server: PixServer, fault: Fault
) -> None:
    refund = about(paid(provider, server), Operation.REFUND, amount=Money(2_500, "BRL"))
    server.faults = [fault]
    assert isinstance(provider.refund(refund), Unknown)
    again = provider.refund(refund)
    assert isinstance(again, Approved)
    assert again.amount == Money(2_500, "BRL")
    [received] = server.received()
    assert [each["valor"] for each in received["devolucoes"]] == ["25.00"]


def test_more_than_was_received_cannot_be_given_back(provider: PixProvider, server: PixServer) -> None:
    outcome = provider.refund(about(paid(provider, server), Operation.REFUND, amount=Money(10_001, "BRL")))
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.retry_class) == ("PixDevolucaoInvalida", RetryClass.INVALID)


@pytest.mark.parametrize(("short_of_funds", "kind"), [(False, Approved), (True, Declined)])
def test_a_refund_on_its_way_ends_later(
    provider: PixProvider, server: PixServer, short_of_funds: bool, kind: type
) -> None:
    server.settles_at_once, server.short_of_funds = False, short_of_funds
    refund = about(paid(provider, server), Operation.REFUND)
    assert isinstance(provider.refund(refund), Pending)
    assert isinstance(provider.inquire(ask_about(refund)), Pending)
    server.settle_refunds()
    assert isinstance(provider.inquire(ask_about(refund)), kind)
    *_, event = told(provider, fake.notification(*server.received()), now=datetime.now(UTC))
    assert event.provider_key == refund.provider_key
    # A notification does not say whether the refund was told as done before; with an end that failed it may have been.
    assert isinstance(event.outcome, Reversed if short_of_funds else Approved)


def test_a_charge_nobody_paid_can_be_taken_back(provider: PixProvider, server: PixServer) -> None:
    instruction = charge()
    provider.authorize(instruction)
    void = about(instruction.provider_key, Operation.VOID)
    assert isinstance(provider.inquire(ask_about(void)), NotFound)
    server.faults = [Fault.RESET_AFTER]
    assert isinstance(provider.void(void), Unknown)
    assert isinstance(provider.inquire(ask_about(void)), Approved)
    assert isinstance(provider.void(void), Approved)
    gone = provider.inquire(ask_about(instruction))
    assert isinstance(gone, Declined)
    assert gone.code == "removed_by_receiver"


def test_a_paid_charge_cannot_be_taken_back(provider: PixProvider, server: PixServer) -> None:
    instruction = charge()
    provider.authorize(instruction)
    server.pay(instruction.provider_key)
    outcome = provider.void(about(instruction.provider_key, Operation.VOID))
    assert isinstance(outcome, Declined)
    assert outcome.code == "already_paid"


@pytest.mark.parametrize("valor", ["99.99", "100.01"])
def test_another_amount_than_was_asked_is_told_as_it_came(provider: PixProvider, server: PixServer, valor: str) -> None:
    instruction = charge()
    provider.authorize(instruction)
    server.pay(instruction.provider_key, valor=valor)
    found = provider.inquire(ask_about(instruction))
    assert isinstance(found, Approved)
    assert found.amount.decimal() == valor


def test_a_charge_paid_twice_names_the_second_pix(provider: PixProvider, server: PixServer) -> None:
    instruction = charge()
    provider.authorize(instruction)
    first, second = (server.pay(instruction.provider_key) for _ in range(2))
    found = provider.inquire(ask_about(instruction))
    assert isinstance(found, Approved)
    assert found.provider_reference == first["endToEndId"]
    assert found.detail == {"duplicates": [second["endToEndId"]]}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"capture_now": False}, "cannot_hold"),
        ({"amount": Money(100, "EUR")}, "amount_not_supported"),
        ({"amount": Money(10**12, "BRL")}, "amount_not_supported"),
    ],
)
def test_what_pix_cannot_do_never_leaves(
    provider: PixProvider, server: PixServer, changes: dict[str, Any], code: str
) -> None:
    outcome = provider.authorize(charge(**changes))
    assert isinstance(outcome, Declined)
    assert (outcome.code, outcome.retry_class) == (code, RetryClass.INVALID)
    assert isinstance(provider.capture(about("E1", Operation.CAPTURE)), Declined)
    assert server.asked == []


def test_one_token_serves_many_requests_and_a_refused_one_is_replaced(provider: PixProvider, server: PixServer) -> None:
    provider.authorize(charge())
    provider.authorize(charge())
    assert len(server.tokens) == 1
    server.tokens[0] = "revoked"
    refused = provider.authorize(charge())
    assert isinstance(refused, NotSent)
    assert refused.reason == "token_refused"
    assert isinstance(provider.authorize(charge()), ActionRequired)
    assert len(server.charges) == 3


def test_a_token_is_renewed_shortly_before_it_ends(server: PixServer) -> None:
    seconds = [1000.0]
    credentials = Credentials(
        token_url=server.token_url, client_id=fake.CLIENT_ID, client_secret=fake.CLIENT_SECRET, scope="cob.read"
    )
    client = PixClient(
        url=server.api_base, credentials=credentials, transport=Transport(), monotonic=lambda: seconds[0]
    )
    tokens = []
    for waited in (0, 3_500, 69, 2):
        seconds[0] += waited
        client.send(method="GET", path="/cob/none", document=None, ends_at=seconds[0] + 5)
        tokens.append(len(server.tokens))
    client.close()
    assert tokens == [1, 1, 1, 2]


def test_without_a_token_nothing_leaves(server: PixServer) -> None:
    provider = connected(api_base=server.api_base, token_url=server.token_url, client_secret="another")
    outcome = provider.authorize(charge())
    provider.close()
    assert isinstance(outcome, NotSent)
    assert server.charges == {}
