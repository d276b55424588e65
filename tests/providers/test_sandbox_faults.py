"""Each payment token's outcome and its truth; each fault of the network by seed; what a resend and an inquiry find."""

import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from paymentops.core.money import Money
from paymentops.providers.adapters.sandbox.adapter import SandboxProvider
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    Instruction,
    NotFound,
    NotSent,
    Operation,
    Pending,
    RetryClass,
    Unknown,
)
from paymentops.providers.sandbox.tokens import TOKENS, Decision, Kind
from tests.plugins.sandbox import SandboxServer, sandbox_provider
from tests.providers.contract_suite import EUR_100, ask_about, instruct

IMPATIENT = timedelta(seconds=0.3)


@pytest.fixture
def provider(sandbox: SandboxServer) -> SandboxProvider:
    return sandbox_provider(sandbox)


@pytest.fixture
def impatient(sandbox: SandboxServer) -> SandboxProvider:
    return sandbox_provider(sandbox, timeout=IMPATIENT)


def charge_of(sandbox: SandboxServer) -> dict[str, object]:
    (charge,) = sandbox.truth()
    return charge


def authorized(provider: SandboxProvider, token: str, *, capture_now: bool = False) -> str:
    outcome = provider.authorize(instruct(payment_token=token, capture_now=capture_now))
    assert isinstance(outcome, Approved)
    return outcome.provider_reference


DECLINES = [
    ("tok_declined_insufficient_funds", RetryClass.SOFT_DECLINE),
    ("tok_declined_limit", RetryClass.SOFT_DECLINE),
    ("tok_declined_issuer_unavailable", RetryClass.SOFT_DECLINE),
    ("tok_declined_lost_card", RetryClass.HARD_DECLINE),
    ("tok_declined_expired_card", RetryClass.DATA_DECLINE),
    ("tok_declined_cvc", RetryClass.DATA_DECLINE),
    ("tok_declined_authentication", RetryClass.AUTH_REQUIRED),
    ("tok_declined_fraud", RetryClass.RISK_BLOCK),
]


@pytest.mark.parametrize(("token", "meaning"), DECLINES)
def test_a_declining_token_declines_in_its_class_and_moves_nothing(
    provider: SandboxProvider, sandbox: SandboxServer, token: str, meaning: RetryClass
) -> None:
    outcome = provider.authorize(instruct(payment_token=token))
    assert isinstance(outcome, Declined)
    assert outcome.retry_class is meaning
    assert charge_of(sandbox)["authorized"] == 0


def test_every_declining_token_is_covered_by_the_table_above() -> None:
    declining = {
        name for name, token in TOKENS.items() if (token.decision, token.strikes) == (Decision.DECLINE, Kind.CHARGE)
    }
    assert declining == {token for token, _ in DECLINES}


@pytest.mark.parametrize("token", ["tok_invalid", "tok_nobody_knows", ""])
def test_an_invalid_token_is_refused_as_invalid(provider: SandboxProvider, sandbox: SandboxServer, token: str) -> None:
    outcome = provider.authorize(instruct(payment_token=token))
    assert isinstance(outcome, Declined)
    assert outcome.retry_class is RetryClass.INVALID
    assert sandbox.truth() == []


@pytest.mark.parametrize(
    ("token", "is_charged"),
    [
        ("tok_timeout_before_effect", False),
        ("tok_timeout_after_effect", True),
        ("tok_timeout_after_effect_no_webhook", True),
        ("tok_error_before_effect", False),
        ("tok_error_after_effect", True),
        ("tok_garbage_after_effect", True),
        ("tok_reset_after_effect", True),
        ("tok_drip_after_effect", True),
        ("tok_unknown_status", True),
    ],
)
def test_a_fault_leaves_the_outcome_unknown_and_an_inquiry_then_a_resend_resolve_it(
    impatient: SandboxProvider, provider: SandboxProvider, sandbox: SandboxServer, token: str, *, is_charged: bool
) -> None:
    instruction = instruct(payment_token=token, capture_now=True)
    assert isinstance(impatient.authorize(instruction), Unknown)
    found = provider.inquire(ask_about(instruction))
    assert isinstance(found, Approved if is_charged else NotFound)

    again = provider.authorize(instruction)
    assert isinstance(again, Approved)
    assert again.captured == EUR_100
    charge = charge_of(sandbox)
    assert charge["captured"] == 10_000
    assert charge["effects"] == {instruction.provider_key: 1}


@pytest.mark.parametrize("token", ["tok_rate_limited", "tok_unavailable"])
def test_what_is_marked_as_not_executed_may_be_sent_again_later(
    provider: SandboxProvider, sandbox: SandboxServer, token: str
) -> None:
    instruction = instruct(payment_token=token)
    outcome = provider.authorize(instruction)
    assert isinstance(outcome, NotSent)
    assert outcome.retry_class is RetryClass.THROTTLED
    assert outcome.retry_after == timedelta(seconds=1)
    assert sandbox.truth() == []
    assert isinstance(provider.authorize(instruction), Approved)


def test_a_late_effect_is_first_not_found_and_then_found(impatient: SandboxProvider, sandbox: SandboxServer) -> None:
    sandbox.set_faults(late_effect_seconds=0.6)
    instruction = instruct(payment_token="tok_late_effect")
    assert isinstance(impatient.authorize(instruction), Unknown)
    assert isinstance(impatient.inquire(ask_about(instruction)), NotFound)
    assert isinstance(until_settled(impatient, instruction), Approved)


def test_a_slow_answer_in_time_is_an_answer(provider: SandboxProvider, sandbox: SandboxServer) -> None:
    sandbox.set_faults(slow_seconds=0.2)
    assert isinstance(provider.authorize(instruct(payment_token="tok_slow")), Approved)


def test_a_partial_approval_says_how_much(provider: SandboxProvider) -> None:
    outcome = provider.authorize(instruct(payment_token="tok_partial_approval"))
    assert isinstance(outcome, Approved)
    assert outcome.amount == Money(5_000, "EUR")


@pytest.mark.parametrize(("result", "kind"), [("approve", Approved), ("decline", Declined)])
def test_the_payer_finishes_a_payment_on_the_sandbox_page(
    provider: SandboxProvider, sandbox: SandboxServer, result: str, kind: type
) -> None:
    instruction = instruct(payment_token="tok_requires_action", capture_now=True)
    outcome = provider.authorize(instruction)
    assert isinstance(outcome, ActionRequired)
    assert outcome.action["type"] == "redirect"
    url = outcome.action["url"]
    assert "Approve" in httpx.get(url, trust_env=False).text
    assert httpx.post(f"{url}?result={result}", trust_env=False).status_code == 200
    assert isinstance(provider.inquire(ask_about(instruction)), kind)
    assert httpx.post(url, trust_env=False).status_code == 404


def test_a_pending_payment_settles_by_itself(provider: SandboxProvider, sandbox: SandboxServer) -> None:
    sandbox.set_faults(pending_seconds=0.2)
    instruction = instruct(payment_token="tok_pending")
    assert isinstance(provider.authorize(instruction), Pending)
    assert isinstance(until_settled(provider, instruction), Approved)


def test_a_pending_refund_settles_by_itself(provider: SandboxProvider, sandbox: SandboxServer) -> None:
    sandbox.set_faults(pending_seconds=0.2)
    charge = authorized(provider, "tok_refund_pending", capture_now=True)
    refund = instruct(Operation.REFUND, provider_reference=charge)
    assert isinstance(provider.refund(refund), Pending)
    assert isinstance(until_settled(provider, refund), Approved)
    assert charge_of(sandbox)["refunded"] == 10_000


@pytest.mark.parametrize(
    ("token", "operation", "is_done"),
    [
        ("tok_capture_timeout_after_effect", Operation.CAPTURE, True),
        ("tok_void_timeout_after_effect", Operation.VOID, True),
        ("tok_refund_timeout_after_effect", Operation.REFUND, True),
        ("tok_refund_timeout_before_effect", Operation.REFUND, False),
    ],
)
def test_later_operations_can_get_lost_too(
    impatient: SandboxProvider, provider: SandboxProvider, token: str, operation: Operation, *, is_done: bool
) -> None:
    charge = authorized(provider, token, capture_now=operation is Operation.REFUND)
    instruction = instruct(operation, provider_reference=charge)
    send = {Operation.CAPTURE: impatient.capture, Operation.VOID: impatient.void, Operation.REFUND: impatient.refund}
    assert isinstance(send[operation](instruction), Unknown)
    assert isinstance(provider.inquire(ask_about(instruction)), Approved if is_done else NotFound)


@pytest.mark.parametrize(
    ("token", "operation"), [("tok_refund_declined", Operation.REFUND), ("tok_capture_declined", Operation.CAPTURE)]
)
def test_later_operations_can_be_declined(provider: SandboxProvider, token: str, operation: Operation) -> None:
    charge = authorized(provider, token, capture_now=operation is Operation.REFUND)
    instruction = instruct(operation, provider_reference=charge)
    outcome = provider.refund(instruction) if operation is Operation.REFUND else provider.capture(instruction)
    assert isinstance(outcome, Declined)
    assert outcome.retry_class is RetryClass.SOFT_DECLINE


def test_several_captures_then_the_rest_is_released(provider: SandboxProvider, sandbox: SandboxServer) -> None:
    charge = authorized(provider, "tok_approved")
    for minor in (3_000, 2_000):
        provider.capture(instruct(Operation.CAPTURE, provider_reference=charge, amount=Money(minor, "EUR")))
    void = provider.void(instruct(Operation.VOID, provider_reference=charge, amount=Money(5_000, "EUR")))
    assert isinstance(void, Approved)
    truth = charge_of(sandbox)
    assert (truth["captured"], truth["voided"]) == (5_000, 5_000)


def test_a_final_capture_releases_the_rest(provider: SandboxProvider, sandbox: SandboxServer) -> None:
    charge = authorized(provider, "tok_approved")
    final = instruct(Operation.CAPTURE, provider_reference=charge, amount=Money(4_000, "EUR"), final_capture=True)
    assert isinstance(provider.capture(final), Approved)
    assert charge_of(sandbox)["voided"] == 6_000


def test_more_than_was_captured_is_never_refunded(provider: SandboxProvider, sandbox: SandboxServer) -> None:
    charge = authorized(provider, "tok_approved", capture_now=True)
    amount = Money(6_000, "EUR")
    first = provider.refund(instruct(Operation.REFUND, provider_reference=charge, amount=amount))
    second = provider.refund(instruct(Operation.REFUND, provider_reference=charge, amount=amount))
    assert isinstance(first, Approved)
    assert isinstance(second, Declined)
    assert charge_of(sandbox)["refunded"] == 6_000


def test_the_same_key_again_has_the_same_answer_and_no_second_effect(
    provider: SandboxProvider, sandbox: SandboxServer
) -> None:
    instruction = instruct(payment_token="tok_approved", capture_now=True)
    first, second = provider.authorize(instruction), provider.authorize(instruction)
    assert first == second
    assert charge_of(sandbox)["effects"] == {instruction.provider_key: 1}


def test_the_same_key_with_another_body_leaves_it_to_an_inquiry(
    provider: SandboxProvider, sandbox: SandboxServer
) -> None:
    instruction = instruct(payment_token="tok_approved")
    provider.authorize(instruction)
    other = instruct(payment_token="tok_approved", provider_key=instruction.provider_key)
    outcome = provider.authorize(other)
    assert isinstance(outcome, Unknown)
    assert outcome.reason == "key_conflict"
    assert len(sandbox.truth()) == 1


def test_a_provider_that_ignores_its_key_charges_twice_and_the_inquiry_tells(
    provider: SandboxProvider, sandbox: SandboxServer
) -> None:
    instruction = instruct(payment_token="tok_key_ignored")
    provider.authorize(instruction)
    provider.authorize(instruction)
    assert len(sandbox.truth()) == 2
    found = provider.inquire(ask_about(instruction))
    assert isinstance(found, Approved)
    assert found.detail["duplicates"] == [sandbox.truth()[1]["id"]]


def test_a_wrong_api_key_is_refused_and_moves_nothing(sandbox: SandboxServer) -> None:
    stranger = sandbox_provider(sandbox)
    stranger._client._authorization = "Bearer wrong"
    outcome = stranger.authorize(instruct(payment_token="tok_approved"))
    assert isinstance(outcome, Declined)
    assert outcome.retry_class is RetryClass.INVALID
    assert httpx.get(f"{sandbox.url}/admin/truth", trust_env=False).status_code == 401


def test_a_simulated_moment_stands_in_the_truth(provider: SandboxProvider, sandbox: SandboxServer) -> None:
    at = datetime(2025, 3, 4, 12, tzinfo=UTC)
    outcome = provider.authorize(instruct(payment_token="tok_approved", at=at, deadline=at + timedelta(seconds=10)))
    assert isinstance(outcome, Approved)
    assert outcome.at == at
    assert charge_of(sandbox)["occurred_at"] == at.isoformat()


def test_what_was_acknowledged_survives_a_kill(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = SandboxServer(tmp_path_factory.mktemp("killed"))
    server.start()
    try:
        provider = sandbox_provider(server)
        instructions = [instruct(payment_token="tok_approved") for _ in range(20)]
        outcomes = [provider.authorize(instruction) for instruction in instructions]
        server.kill()
        assert isinstance(provider.inquire(ask_about(instructions[0])), Unknown)
        server.start()
        assert all(isinstance(outcome, Approved) for outcome in outcomes)
        assert [charge["key"] for charge in server.truth()] == [one.provider_key for one in instructions]
        assert isinstance(provider.authorize(instructions[0]), Approved)
        assert len(server.truth()) == 20
    finally:
        server.stop()


def test_the_harshest_profile_never_charges_twice_and_every_outcome_tells_the_truth(
    impatient: SandboxProvider, sandbox: SandboxServer
) -> None:
    sandbox.set_faults(profile="harshest", seed=7, late_effect_seconds=0.1, slow_seconds=0.1)
    instructions = [instruct(payment_token="tok_approved") for _ in range(40)]
    outcomes = {one.provider_key: impatient.authorize(one) for one in instructions}
    effects = {key: number for charge in sandbox.truth() for key, number in charge["effects"].items()}
    assert max(effects.values()) == 1
    for key, outcome in outcomes.items():
        if isinstance(outcome, Approved):
            assert effects[key] == 1
        elif isinstance(outcome, Declined | NotSent):
            assert effects.get(key, 0) == 0


@pytest.mark.parametrize(
    "document", [{"profile": "nice"}, {"rates": {"typo": 1}}, {"rates": {"reset": 2}}, {"seed": "x"}]
)
def test_a_profile_that_cannot_be_read_is_refused(sandbox: SandboxServer, document: dict[str, object]) -> None:
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        sandbox.set_faults(**document)


def until_settled(provider: SandboxProvider, instruction: Instruction) -> object:
    found: object = None
    for _ in range(100):
        found = provider.inquire(ask_about(instruction))
        if not isinstance(found, Pending | NotFound):
            break
        time.sleep(0.05)
    return found
