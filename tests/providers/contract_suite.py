"""What every adapter must do, whichever provider stands behind it. A test module subclasses ``ProviderContract``.

The instructions are those of a worker: fresh keys per attempt, a deadline, amounts in minor units.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from paymentops.core.money import Money
from paymentops.providers.contract import (
    Approved,
    Declined,
    Instruction,
    Method,
    NotFound,
    NotSent,
    Operation,
    Provider,
    Question,
    RetryClass,
    Unknown,
    provider_key,
)

EUR_100 = Money(10_000, "EUR")


def instruct(operation: Operation = Operation.AUTHORIZE, **changes: Any) -> Instruction:
    attempt_id = uuid4()
    given: dict[str, Any] = {
        "operation": operation,
        "provider_key": provider_key(attempt_id, limit=64),
        "reference": f"pay_{attempt_id.hex}",
        "amount": EUR_100,
        "method": Method.CARD,
        "deadline": datetime.now(UTC) + timedelta(seconds=20),
    }
    return Instruction(**(given | changes))


def ask_about(instruction: Instruction, **changes: Any) -> Question:
    given: dict[str, Any] = {
        "operation": instruction.operation,
        "provider_key": instruction.provider_key,
        "reference": instruction.reference,
        "amount": instruction.amount,
        "submitted_at": datetime.now(UTC),
        "deadline": datetime.now(UTC) + timedelta(seconds=20),
        "provider_reference": instruction.provider_reference,
        "capture_now": instruction.capture_now,
    }
    return Question(**(given | changes))


class ProviderContract:
    """Needs the fixtures ``provider``, ``unreachable`` (an adapter nobody listens to) and the tokens below."""

    approved: str
    declined: str

    def test_an_authorisation_holds_the_amount_and_captures_nothing(self, provider: Provider) -> None:
        outcome = provider.authorize(instruct(payment_token=self.approved))
        assert isinstance(outcome, Approved)
        assert (outcome.amount, outcome.captured) == (EUR_100, None)
        assert outcome.provider_reference
        assert abs(outcome.at - datetime.now(UTC)) < timedelta(minutes=5)

    def test_a_sale_takes_the_whole_amount_at_once(self, provider: Provider) -> None:
        outcome = provider.authorize(instruct(payment_token=self.approved, capture_now=True))
        assert isinstance(outcome, Approved)
        assert outcome.captured == EUR_100

    def test_the_whole_amount_can_be_captured_later(self, provider: Provider) -> None:
        outcome = provider.capture(self.after(self.authorized(provider), Operation.CAPTURE))
        assert isinstance(outcome, Approved)
        assert outcome.amount == EUR_100

    def test_part_of_the_amount_can_be_captured(self, provider: Provider) -> None:
        capture = self.after(self.authorized(provider), Operation.CAPTURE, amount=Money(4_000, "EUR"))
        outcome = provider.capture(capture)
        assert isinstance(outcome, Approved)
        assert outcome.amount == Money(4_000, "EUR")

    def test_an_authorisation_can_be_released(self, provider: Provider) -> None:
        outcome = provider.void(self.after(self.authorized(provider), Operation.VOID))
        assert isinstance(outcome, Approved)
        assert outcome.amount == EUR_100

    def test_a_captured_amount_can_be_given_back_in_parts(self, provider: Provider) -> None:
        charge = self.sold(provider)
        for minor in (3_000, 7_000):
            outcome = provider.refund(self.after(charge, Operation.REFUND, amount=Money(minor, "EUR")))
            assert isinstance(outcome, Approved)
            assert outcome.amount == Money(minor, "EUR")

    def test_a_decline_is_definitive_and_says_what_it_means(self, provider: Provider) -> None:
        outcome = provider.authorize(instruct(payment_token=self.declined))
        assert isinstance(outcome, Declined)
        assert outcome.retry_class is RetryClass.SOFT_DECLINE
        assert outcome.code
        assert outcome.message

    def test_a_capture_beyond_the_authorisation_is_refused_as_invalid(self, provider: Provider) -> None:
        outcome = provider.capture(
            self.after(self.authorized(provider), Operation.CAPTURE, amount=Money(10_001, "EUR"))
        )
        assert isinstance(outcome, Declined)
        assert outcome.retry_class is RetryClass.INVALID

    def test_an_operation_on_a_charge_that_does_not_exist_is_refused(self, provider: Provider) -> None:
        outcome = provider.capture(instruct(Operation.CAPTURE, provider_reference="pi_does_not_exist"))
        assert isinstance(outcome, Declined)
        assert outcome.retry_class is RetryClass.INVALID

    def test_an_inquiry_finds_an_authorisation_by_our_key_alone(self, provider: Provider) -> None:
        instruction = instruct(payment_token=self.approved)
        made = provider.authorize(instruction)
        found = provider.inquire(ask_about(instruction))
        assert isinstance(made, Approved)
        assert isinstance(found, Approved)
        assert (found.provider_reference, found.amount) == (made.provider_reference, made.amount)

    def test_an_inquiry_finds_a_decline(self, provider: Provider) -> None:
        instruction = instruct(payment_token=self.declined)
        provider.authorize(instruction)
        found = provider.inquire(ask_about(instruction))
        assert isinstance(found, Declined)
        assert found.retry_class is RetryClass.SOFT_DECLINE

    def test_an_inquiry_finds_a_capture_a_void_and_a_refund(self, provider: Provider) -> None:
        capture = self.after(self.authorized(provider), Operation.CAPTURE)
        void = self.after(self.authorized(provider), Operation.VOID)
        refund = self.after(self.sold(provider), Operation.REFUND, amount=Money(1_500, "EUR"))
        provider.capture(capture)
        provider.void(void)
        provider.refund(refund)
        for instruction in (capture, void, refund):
            found = provider.inquire(ask_about(instruction))
            assert isinstance(found, Approved), instruction.operation
            assert found.amount == instruction.amount

    def test_what_never_arrived_is_not_found(self, provider: Provider) -> None:
        charge = self.authorized(provider)
        assert isinstance(provider.inquire(ask_about(instruct(payment_token=self.approved))), NotFound)
        assert isinstance(provider.inquire(ask_about(self.after(charge, Operation.CAPTURE))), NotFound)
        assert isinstance(provider.inquire(ask_about(self.after(charge, Operation.VOID))), NotFound)
        assert isinstance(provider.inquire(ask_about(self.after(self.sold(provider), Operation.REFUND))), NotFound)

    def test_nothing_is_sent_when_nobody_listens(self, unreachable: Provider) -> None:
        outcome = unreachable.authorize(instruct(payment_token=self.approved))
        assert isinstance(outcome, NotSent)
        assert outcome.retry_class is RetryClass.NOT_SENT

    def test_an_inquiry_that_reaches_nobody_leaves_the_outcome_unknown(self, unreachable: Provider) -> None:
        assert isinstance(unreachable.inquire(ask_about(instruct())), Unknown)

    def test_nothing_is_sent_after_the_deadline(self, provider: Provider) -> None:
        late = instruct(payment_token=self.approved, deadline=datetime.now(UTC) - timedelta(seconds=1))
        assert isinstance(provider.authorize(late), NotSent)
        assert isinstance(provider.inquire(ask_about(late)), NotFound)
        assert isinstance(provider.inquire(ask_about(late, deadline=late.deadline)), Unknown)

    def test_a_simulated_moment_moves_the_deadline_with_it(self, provider: Provider) -> None:
        at = datetime(2025, 3, 4, 12, tzinfo=UTC)
        outcome = provider.authorize(instruct(payment_token=self.approved, at=at, deadline=at + timedelta(seconds=20)))
        assert isinstance(outcome, Approved)

    def test_it_declares_windows_that_make_sense(self, provider: Provider) -> None:
        declared = provider.capabilities
        assert Method.CARD in declared.methods
        assert declared.key_length >= 35
        assert timedelta(0) < declared.not_found_gap <= declared.visibility_horizon < declared.key_window
        assert declared.inquiry_schedule

    def authorized(self, provider: Provider) -> str:
        outcome = provider.authorize(instruct(payment_token=self.approved))
        assert isinstance(outcome, Approved)
        return outcome.provider_reference

    def sold(self, provider: Provider) -> str:
        outcome = provider.authorize(instruct(payment_token=self.approved, capture_now=True))
        assert isinstance(outcome, Approved)
        return outcome.provider_reference

    def after(self, charge: str, operation: Operation, **changes: Any) -> Instruction:
        return instruct(operation, provider_reference=charge, **changes)
