"""Notifications of the sandbox: signed, doubled, never, late, resent after a failure, and checked on our side."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from paymentops.core.money import Money
from paymentops.providers.adapters.sandbox.adapter import Config, SandboxProvider
from paymentops.providers.contract import (
    Approved,
    Declined,
    InboundWebhook,
    Operation,
    Reversed,
    WebhookRefused,
    WebhookUnauthentic,
)
from paymentops.providers.sandbox.notices import signature
from tests.plugins.receiver import Receiver, receiving
from tests.plugins.sandbox import SandboxServer, sandbox_provider
from tests.providers.contract_suite import EUR_100, ask_about, instruct, told

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)
SECRET = "new secret"


@pytest.fixture(scope="module")
def listening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SandboxServer, Receiver]]:
    with receiving() as receiver:
        server = SandboxServer(tmp_path_factory.mktemp("notifying"), webhook_url=receiver.url)
        server.start()
        yield server, receiver
        server.stop()


@pytest.fixture
def server(listening: tuple[SandboxServer, Receiver]) -> SandboxServer:
    listening[0].reset()
    return listening[0]


@pytest.fixture
def receiver(listening: tuple[SandboxServer, Receiver]) -> Receiver:
    return listening[1]


def about(received: list[InboundWebhook], key: str) -> list[InboundWebhook]:
    return [webhook for webhook in received if key.encode() in webhook.body]


def test_a_notification_is_signed_and_tells_what_happened(server: SandboxServer, receiver: Receiver) -> None:
    provider = sandbox_provider(server)
    instruction = instruct(payment_token="tok_approved", capture_now=True)
    provider.authorize(instruction)
    received = receiver.wait_for(lambda all_: bool(about(all_, instruction.provider_key)))
    [event] = told(provider, about(received, instruction.provider_key)[0], now=datetime.now(UTC))
    assert event.kind == "charge.succeeded"
    assert event.operation is Operation.AUTHORIZE
    assert event.provider_key == instruction.provider_key
    assert event.reference == instruction.reference
    assert isinstance(event.outcome, Approved)
    assert event.outcome.captured == EUR_100


def test_a_doubled_notification_comes_twice_under_one_id(server: SandboxServer, receiver: Receiver) -> None:
    provider = sandbox_provider(server)
    instruction = instruct(payment_token="tok_webhook_doubled")
    provider.authorize(instruction)
    received = receiver.wait_for(lambda all_: len(about(all_, instruction.provider_key)) == 2)
    ids = {json.loads(webhook.body)["id"] for webhook in about(received, instruction.provider_key)}
    assert len(ids) == 1


def test_a_notification_that_was_not_taken_is_sent_again(server: SandboxServer, receiver: Receiver) -> None:
    provider = sandbox_provider(server)
    instruction = instruct(payment_token="tok_declined_fraud")
    receiver.answers.append(503)
    provider.authorize(instruction)
    received = receiver.wait_for(lambda all_: len(about(all_, instruction.provider_key)) == 2)
    [event] = told(provider, about(received, instruction.provider_key)[1], now=datetime.now(UTC))
    assert isinstance(event.outcome, Declined)


def test_an_early_notification_arrives_before_the_answer(server: SandboxServer, receiver: Receiver) -> None:
    instruction = instruct(payment_token="tok_webhook_early")
    sandbox_provider(server).authorize(instruction)
    assert about(receiver.received, instruction.provider_key)


def test_a_notification_may_never_come_and_a_late_one_overtakes_nothing(
    server: SandboxServer, receiver: Receiver
) -> None:
    provider = sandbox_provider(server)
    server.set_faults(webhook_late_seconds=0.5)
    never, late, prompt = (
        instruct(payment_token=token) for token in ("tok_webhook_never", "tok_webhook_late", "tok_approved")
    )
    for instruction in (never, late, prompt):
        provider.authorize(instruction)
    received = receiver.wait_for(lambda all_: bool(about(all_, late.provider_key)))
    order = [
        webhook for webhook in received if about([webhook], late.provider_key) or about([webhook], prompt.provider_key)
    ]
    assert about([order[0]], prompt.provider_key)
    assert not about(received, never.provider_key)
    assert server.events()[0]["delivered"] == 0


@pytest.fixture
def provider() -> Iterator[SandboxProvider]:
    config = Config(url="http://127.0.0.1:1", api_key="key", webhook_secrets=(SECRET, "old secret"))
    provider = SandboxProvider(config)
    yield provider
    provider.close()


def signed(body: bytes, *, secret: str = SECRET, at: datetime = NOW) -> InboundWebhook:
    timestamp = str(int(at.timestamp()))
    headers = {
        "sandbox-timestamp": timestamp,
        "sandbox-signature": signature(secret=secret, timestamp=timestamp, body=body),
    }
    return InboundWebhook(body=body, headers=headers)


EVENT = json.dumps({"id": "evt_1", "type": "balance.changed", "created_at": NOW.isoformat(), "data": {}}).encode()


@pytest.mark.parametrize("secret", ["new secret", "old secret"])
def test_every_accepted_secret_is_accepted_while_secrets_rotate(provider: SandboxProvider, secret: str) -> None:
    [event] = told(provider, signed(EVENT, secret=secret), now=NOW)
    assert (event.event_id, event.operation, event.outcome) == ("evt_1", None, None)


@pytest.mark.parametrize(
    "forged",
    [
        signed(EVENT, secret="a stranger's"),
        InboundWebhook(body=EVENT + b" ", headers=signed(EVENT).headers),
        InboundWebhook(body=EVENT, headers={**signed(EVENT).headers, "sandbox-timestamp": "1"}),
        InboundWebhook(body=EVENT, headers={**signed(EVENT).headers, "sandbox-signature": "v1=ümlaut"}),
        InboundWebhook(body=EVENT, headers={}),
    ],
)
def test_a_forged_notification_is_not_authentic(provider: SandboxProvider, forged: InboundWebhook) -> None:
    with pytest.raises(WebhookUnauthentic):
        told(provider, forged, now=NOW)


@pytest.mark.parametrize("age", [timedelta(minutes=6), -timedelta(minutes=6)])
def test_an_old_notification_is_refused_although_signed(provider: SandboxProvider, age: timedelta) -> None:
    with pytest.raises(WebhookRefused, match="5 minutes"):
        told(provider, signed(EVENT, at=NOW - age), now=NOW)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"id": 1}', b"\xff", b'{"id":"e","type":"charge.x","created_at":"now"}']
)
def test_a_signed_but_unreadable_notification_is_refused(provider: SandboxProvider, body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        told(provider, signed(body), now=NOW)


def test_what_the_sandbox_takes_back_is_in_its_truth_its_notification_and_its_answers(
    server: SandboxServer, receiver: Receiver
) -> None:
    provider = sandbox_provider(server)
    instruction = instruct(payment_token="tok_approved", capture_now=True)
    provider.authorize(instruction)
    [charge] = server.truth()
    server.take_back(charge["operations"][0]["id"], amount=4_000, code="bank_returned_it")
    assert [(found["captured"], found["reversed"]) for found in server.truth()] == [(10_000, 4_000)]
    received = receiver.wait_for(lambda all_: len(about(all_, instruction.provider_key)) == 2)
    events = [
        told(provider, webhook, now=datetime.now(UTC))[0] for webhook in about(received, instruction.provider_key)
    ]
    [event] = [event for event in events if event.kind == "charge.reversed"]
    answer = provider.inquire(ask_about(instruction))
    for outcome in (event.outcome, answer):
        assert isinstance(outcome, Reversed)
        assert (outcome.amount, outcome.code) == (Money(4_000, "EUR"), "bank_returned_it")
        assert isinstance(outcome.success, Approved)
        assert outcome.success.captured == EUR_100


def test_a_refund_that_comes_back_to_the_sandbox_can_be_made_again(server: SandboxServer) -> None:
    provider = sandbox_provider(server)
    provider.authorize(instruct(payment_token="tok_approved", capture_now=True))
    charge = server.truth()[0]["id"]
    for _ in range(2):
        made = provider.refund(instruct(operation=Operation.REFUND, provider_reference=charge))
        assert isinstance(made, Approved)
        server.take_back(server.truth()[0]["operations"][-1]["id"])
        assert server.truth()[0]["refunded"] == 0
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        server.take_back(server.truth()[0]["operations"][-1]["id"])
