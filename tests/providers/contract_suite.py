"""What every adapter must do, whichever provider stands behind it. A test module subclasses ``ProviderContract``.

The instructions are those of a worker: fresh keys per attempt, a deadline, amounts in minor units. What a provider
declares it cannot do is skipped; what ends later (a notification, a payer) ends in ``concluded``.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from paymentops.core.money import Money
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    InboundWebhook,
    InquiryOutcome,
    Instruction,
    Method,
    NotFound,
    NotSent,
    Operation,
    Outcome,
    Pending,
    Provider,
    ProviderEvent,
    Question,
    RetryClass,
    Unknown,
    Withdrawal,
    Withdrawing,
    provider_key,
)

EUR_100 = Money(10_000, "EUR")


def instruct(operation: Operation = Operation.AUTHORIZE, *, key_limit: int = 64, **changes: Any) -> Instruction:
    attempt_id = uuid4()
    given: dict[str, Any] = {
        "operation": operation,
        "provider_key": provider_key(attempt_id, limit=key_limit),
        "reference": f"pay_{attempt_id.hex}",
        "amount": EUR_100,
        "method": Method.CARD,
        "deadline": datetime.now(UTC) + timedelta(seconds=20),
    }
    return Instruction(**(given | changes))


def told(provider: Provider, webhook: InboundWebhook, *, now: datetime) -> list[ProviderEvent]:
    """Return what a notification tells once it is known to be authentic, as the door does it."""
    provider.require_authentic(webhook, now=now)
    return list(provider.read_webhook(webhook.body, now=now))


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


def take_back(instruction: Instruction, **changes: Any) -> Withdrawal:
    given: dict[str, Any] = {
        "provider_key": instruction.provider_key,
        "reference": instruction.reference,
        "amount": instruction.amount,
        "submitted_at": datetime.now(UTC),
        "deadline": datetime.now(UTC) + timedelta(seconds=20),
        "capture_now": instruction.capture_now,
    }
    return Withdrawal(**(given | changes))


class ProviderContract:
    """Needs the fixtures ``provider``, ``unreachable`` (an adapter nobody listens to) and the tokens below.

    ``waits`` makes a payment wait for its payer; it is empty where nothing does. ``declined_as`` is what the decline
    means; ``honours_keys`` is false for a stand-in that ignores keys.
    """

    approved: ClassVar[str]
    declined: ClassVar[str]
    waits: str = ""
    declined_as: ClassVar[RetryClass] = RetryClass.SOFT_DECLINE
    method: ClassVar[Method] = Method.CARD
    currency: ClassVar[str] = "EUR"
    honours_keys: ClassVar[bool] = True
    key_limit: ClassVar[int] = 64

    def test_an_authorisation_holds_the_amount_and_captures_nothing(self, provider: Provider) -> None:
        self.require(provider.capabilities.can_hold)
        outcome = self.carry_out(provider, self.payment())
        assert isinstance(outcome, Approved)
        assert (outcome.amount, outcome.captured) == (self.money(10_000), None)
        assert outcome.provider_reference
        assert abs(outcome.at - datetime.now(UTC)) < timedelta(minutes=5)

    def test_a_sale_takes_the_whole_amount_at_once(self, provider: Provider) -> None:
        outcome = self.carry_out(provider, self.payment(capture_now=True))
        assert isinstance(outcome, Approved)
        assert (outcome.amount, outcome.captured) == (self.money(10_000), self.money(10_000))
        assert outcome.provider_reference

    def test_the_whole_amount_can_be_captured_later(self, provider: Provider) -> None:
        self.require(provider.capabilities.can_hold)
        outcome = self.carry_out(provider, self.after(self.authorized(provider), Operation.CAPTURE))
        assert isinstance(outcome, Approved)
        assert outcome.amount == self.money(10_000)

    def test_part_of_the_amount_can_be_captured(self, provider: Provider) -> None:
        self.require(provider.capabilities.partial_capture)
        capture = self.after(self.authorized(provider), Operation.CAPTURE, amount=self.money(4_000))
        outcome = self.carry_out(provider, capture)
        assert isinstance(outcome, Approved)
        assert outcome.amount == self.money(4_000)

    def test_an_authorisation_can_be_released(self, provider: Provider) -> None:
        self.require(provider.capabilities.can_hold)
        outcome = self.carry_out(provider, self.after(self.authorized(provider), Operation.VOID))
        assert isinstance(outcome, Approved)
        assert outcome.amount == self.money(10_000)

    def test_a_captured_amount_can_be_given_back_in_parts(self, provider: Provider) -> None:
        charge = self.sold(provider)
        for minor in (3_000, 7_000):
            outcome = self.carry_out(provider, self.after(charge, Operation.REFUND, amount=self.money(minor)))
            assert isinstance(outcome, Approved)
            assert outcome.amount == self.money(minor)

    def test_a_decline_is_definitive_and_says_what_it_means(self, provider: Provider) -> None:
        outcome = self.carry_out(provider, self.payment(payment_token=self.declined, capture_now=True))
        assert isinstance(outcome, Declined)
        assert outcome.retry_class is self.declined_as
        assert outcome.code
        assert outcome.message

    def test_a_capture_beyond_the_authorisation_is_refused_as_invalid(self, provider: Provider) -> None:
        self.require(provider.capabilities.can_hold)
        capture = self.after(self.authorized(provider), Operation.CAPTURE, amount=self.money(10_001))
        outcome = self.carry_out(provider, capture)
        assert isinstance(outcome, Declined)
        assert outcome.retry_class is RetryClass.INVALID

    def test_an_operation_on_a_charge_that_does_not_exist_is_refused(self, provider: Provider) -> None:
        operation = Operation.CAPTURE if provider.capabilities.can_hold else Operation.REFUND
        outcome = self.carry_out(provider, self.after("pi_does_not_exist", operation))
        assert isinstance(outcome, Declined)
        assert outcome.retry_class is RetryClass.INVALID

    def test_the_same_key_again_has_no_second_effect(self, provider: Provider) -> None:
        self.require(self.honours_keys)
        sale = self.payment(capture_now=True)
        made = self.carry_out(provider, sale)
        again = self.send(provider, sale)
        assert isinstance(made, Approved)
        assert isinstance(again, Approved)
        assert (again.provider_reference, again.amount) == (made.provider_reference, made.amount)
        refund = self.after(made.provider_reference, Operation.REFUND)
        assert isinstance(self.carry_out(provider, refund), Approved)
        # A second refund of the whole amount would be refused.
        assert isinstance(self.send(provider, refund), Approved | Pending)

    def test_an_inquiry_finds_an_authorisation_by_our_key_alone(self, provider: Provider) -> None:
        self.require(provider.capabilities.can_inquire)
        instruction = self.payment(capture_now=not provider.capabilities.can_hold)
        made = self.carry_out(provider, instruction)
        found = provider.inquire(ask_about(instruction))
        assert isinstance(made, Approved)
        assert isinstance(found, Approved)
        assert (found.provider_reference, found.amount) == (made.provider_reference, made.amount)

    def test_an_inquiry_finds_a_decline(self, provider: Provider) -> None:
        self.require(provider.capabilities.can_inquire)
        instruction = self.payment(payment_token=self.declined, capture_now=True)
        self.carry_out(provider, instruction)
        found = provider.inquire(ask_about(instruction))
        assert isinstance(found, Declined)
        assert found.retry_class is self.declined_as

    def test_an_inquiry_finds_a_capture_a_void_and_a_refund(self, provider: Provider) -> None:
        self.require(provider.capabilities.can_inquire)
        made = [self.after(self.sold(provider), Operation.REFUND, amount=self.money(1_500))]
        if provider.capabilities.can_hold:
            made += [self.after(self.authorized(provider), each) for each in (Operation.CAPTURE, Operation.VOID)]
        for instruction in made:
            self.carry_out(provider, instruction)
            found = provider.inquire(ask_about(instruction))
            assert isinstance(found, Approved), instruction.operation
            assert found.amount == instruction.amount

    def test_what_never_arrived_is_not_found(self, provider: Provider) -> None:
        self.require(provider.capabilities.can_inquire)
        assert isinstance(provider.inquire(ask_about(self.payment())), NotFound)
        assert isinstance(provider.inquire(ask_about(self.after(self.sold(provider), Operation.REFUND))), NotFound)
        if provider.capabilities.can_hold:
            charge = self.authorized(provider)
            assert isinstance(provider.inquire(ask_about(self.after(charge, Operation.CAPTURE))), NotFound)
            assert isinstance(provider.inquire(ask_about(self.after(charge, Operation.VOID))), NotFound)

    def test_what_waits_for_its_payer_is_taken_back_once(self, provider: Provider) -> None:
        if not isinstance(provider, Withdrawing):
            pytest.skip("the provider declares that it cannot do this")
        instruction = self.payment(payment_token=self.waits, capture_now=True)
        waiting = self.send(provider, instruction)
        assert isinstance(waiting, ActionRequired)
        with_id = take_back(instruction, provider_reference=waiting.provider_reference)
        for withdrawal in (take_back(instruction), with_id):
            gone = provider.withdraw(withdrawal)
            assert isinstance(gone, Declined)
            assert gone.withdrawn
        found = provider.inquire(ask_about(instruction))
        assert isinstance(found, Declined)
        assert found.withdrawn

    def test_what_was_paid_before_it_was_taken_back_is_told_as_paid(self, provider: Provider) -> None:
        if not isinstance(provider, Withdrawing):
            pytest.skip("the provider declares that it cannot do this")
        instruction = self.payment(capture_now=True)
        paid = self.carry_out(provider, instruction)
        told = provider.withdraw(take_back(instruction))
        assert isinstance(paid, Approved)
        assert isinstance(told, Approved)
        assert (told.provider_reference, told.captured) == (paid.provider_reference, instruction.amount)

    def test_nobody_is_told_of_a_withdrawal_when_nobody_listens(self, unreachable: Provider) -> None:
        if not isinstance(unreachable, Withdrawing):
            pytest.skip("the provider declares that it cannot do this")
        assert isinstance(unreachable.withdraw(take_back(self.payment(), provider_reference="any")), NotSent)

    def test_one_that_cannot_be_asked_never_says_that_nothing_happened(self, provider: Provider) -> None:
        self.require(not provider.capabilities.can_inquire)
        assert isinstance(provider.inquire(ask_about(self.payment())), Unknown)

    def test_nothing_is_sent_when_nobody_listens(self, unreachable: Provider) -> None:
        outcome = unreachable.authorize(self.payment(capture_now=True))
        assert isinstance(outcome, NotSent)
        assert outcome.retry_class is RetryClass.NOT_SENT

    def test_an_inquiry_that_reaches_nobody_leaves_the_outcome_unknown(self, unreachable: Provider) -> None:
        assert isinstance(unreachable.inquire(ask_about(self.payment())), Unknown)

    def test_nothing_is_sent_after_the_deadline(self, provider: Provider) -> None:
        late = self.payment(capture_now=True, deadline=datetime.now(UTC) - timedelta(seconds=1))
        assert isinstance(provider.authorize(late), NotSent)
        if provider.capabilities.can_inquire:
            assert isinstance(provider.inquire(ask_about(late)), NotFound)
        assert isinstance(provider.inquire(ask_about(late, deadline=late.deadline)), Unknown)

    def test_a_simulated_moment_moves_the_deadline_with_it(self, provider: Provider) -> None:
        at = datetime(2025, 3, 4, 12, tzinfo=UTC)
        sale = self.payment(capture_now=True, at=at, deadline=at + timedelta(seconds=20))
        assert isinstance(self.carry_out(provider, sale), Approved)

    def test_it_declares_windows_that_make_sense(self, provider: Provider) -> None:
        declared = provider.capabilities
        assert self.method in declared.methods
        assert declared.currencies is None or self.currency in declared.currencies
        assert declared.key_length >= self.key_limit
        assert timedelta(0) < declared.not_found_gap <= declared.visibility_horizon < declared.key_window
        assert declared.inquiry_schedule

    # --- what a subclass may need to change ------------------------------------------------------------------------

    def concluded(
        self,
        provider: Provider,  # noqa: ARG002 - a subclass asks it
        instruction: Instruction,  # noqa: ARG002 - a subclass looks at it
        outcome: Outcome,
    ) -> Outcome | InquiryOutcome:
        """Bring about and return how it ended; most providers say so in their answer."""
        return outcome

    # --- steps -----------------------------------------------------------------------------------------------------

    def require(self, able: bool) -> None:
        if not able:
            pytest.skip("the provider declares that it cannot do this")

    def money(self, minor: int) -> Money:
        return Money(minor, self.currency)

    def payment(self, **changes: Any) -> Instruction:
        given = {"payment_token": self.approved, "amount": self.money(10_000), "method": self.method}
        return instruct(key_limit=self.key_limit, **(given | changes))

    def after(self, charge: str, operation: Operation, **changes: Any) -> Instruction:
        given = {"provider_reference": charge, "amount": self.money(10_000), "method": self.method}
        return instruct(operation, key_limit=self.key_limit, **(given | changes))

    def send(self, provider: Provider, instruction: Instruction) -> Outcome:
        match instruction.operation:
            case Operation.AUTHORIZE:
                return provider.authorize(instruction)
            case Operation.CAPTURE:
                return provider.capture(instruction)
            case Operation.VOID:
                return provider.void(instruction)
            case Operation.REFUND:
                return provider.refund(instruction)

    def carry_out(self, provider: Provider, instruction: Instruction) -> Outcome | InquiryOutcome:
        return self.concluded(provider, instruction, self.send(provider, instruction))

    def authorized(self, provider: Provider) -> str:
        outcome = self.carry_out(provider, self.payment())
        assert isinstance(outcome, Approved)
        return outcome.provider_reference

    def sold(self, provider: Provider) -> str:
        outcome = self.carry_out(provider, self.payment(capture_now=True))
        assert isinstance(outcome, Approved)
        return outcome.provider_reference
