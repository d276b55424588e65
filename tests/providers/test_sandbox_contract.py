from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from paymentops.providers.adapters.sandbox.adapter import Config, SandboxProvider
from paymentops.providers.contract import ActionRequired, Approved, Completion, Declined, Instruction, Provider
from tests.plugins.processes import free_port
from tests.plugins.sandbox import SandboxServer, sandbox_provider
from tests.providers.contract_suite import ProviderContract, instruct


@pytest.fixture
def provider(sandbox: SandboxServer) -> Provider:
    return sandbox_provider(sandbox)


@pytest.fixture
def unreachable() -> Iterator[Provider]:
    provider = SandboxProvider(Config(url=f"http://127.0.0.1:{free_port()}", api_key="key", webhook_secrets=()))
    yield provider
    provider.close()


class TestSandboxMeetsTheContract(ProviderContract):
    approved = "tok_approved"
    declined = "tok_declined_insufficient_funds"
    waits = "tok_redirect"


def completion(instruction: Instruction, **details: str) -> Completion:
    return Completion(
        provider_key=instruction.provider_key,
        reference=instruction.reference,
        amount=instruction.amount,
        details=details,
        deadline=datetime.now(UTC) + timedelta(seconds=20),
        capture_now=True,
    )


@pytest.mark.parametrize(
    ("result", "kind", "code"),
    [
        ("approve", Approved, ""),
        ("decline", Declined, "authentication_failed"),
        ("abandon", Declined, "payer_abandoned"),
        ("guessed", Declined, "details_invalid"),
        ("", ActionRequired, ""),
    ],
)
def test_what_the_payer_brings_back_decides_once(sandbox: SandboxServer, result: str, kind: type, code: str) -> None:
    adapter = sandbox_provider(sandbox)
    instruction = instruct(payment_token="tok_redirect", capture_now=True)
    assert isinstance(adapter.authorize(instruction), ActionRequired)
    for _ in range(2):
        outcome = adapter.complete(completion(instruction, result=result))
        assert isinstance(outcome, kind)
        assert getattr(outcome, "code", "") == code
    assert len(sandbox.truth()) == 1


def test_a_step_up_asks_for_another_action(sandbox: SandboxServer) -> None:
    adapter = sandbox_provider(sandbox)
    instruction = instruct(payment_token="tok_redirect", capture_now=True)
    first = adapter.authorize(instruction)
    second = adapter.complete(completion(instruction, result="step_up"))
    assert isinstance(first, ActionRequired)
    assert isinstance(second, ActionRequired)
    assert (first.action["type"], second.action["type"]) == ("redirect", "challenge")
    assert isinstance(adapter.complete(completion(instruction, result="approve")), Approved)
