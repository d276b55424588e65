"""Any course of a few payments against a small model of a bank: what we believe is what the bank did.

The bank below is pure Python and knows only its keys: what was sent under one key is done once. Workers die before and
after a call, answers get lost or come late and twice, and services ask for captures, refunds and cancels in between.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from ledger.models import Line
from paymentops.core.errors import Conflict
from paymentops.core.money import Money
from paymentops.payments.commands import CreatePayment
from paymentops.payments.models import Attempt, Payment
from paymentops.payments.operations import accepting, dispatching
from paymentops.payments.operations.accepting import Keyed
from paymentops.payments.operations.dispatching import Ask, Send, Step
from paymentops.payments.states import CaptureMode
from paymentops.providers.contract import Approved, Declined, Instruction, Method, Operation, Outcome, Question
from tests.payments.conftest import violations
from tests.payments.hands import Hands, make_requester

pytestmark = [pytest.mark.slow, pytest.mark.django_db]

MOST_PAYMENTS = 3
FATES = ["answered", "declined", "answer lost", "request lost", "died before", "died after"]
_clients = count(1)


@dataclass
class Account:
    """What the bank holds for one payment, in minor units."""

    authorized: int = 0
    captured: int = 0
    voided: int = 0
    refunded: int = 0
    charges: int = 0

    @property
    def rest(self) -> int:
        return self.authorized - self.captured - self.voided


@dataclass
class Bank:
    """Does what is sent under one key once, and tells the same about it for ever."""

    accounts: dict[str, Account] = field(default_factory=dict)
    answers: dict[str, Outcome] = field(default_factory=dict)
    payments: dict[str, str] = field(default_factory=dict)

    def do(self, payment: str, sent: Instruction) -> Outcome:
        """Carry an instruction out, unless its key was used before."""
        if sent.provider_key not in self.answers:
            self.answers[sent.provider_key] = self._move(self.accounts.setdefault(payment, Account()), sent)
        return self.answers[sent.provider_key]

    def refuse(self, sent: Instruction, no: Declined) -> Outcome:
        """Say no for good, unless the key was used before."""
        return self.answers.setdefault(sent.provider_key, no)

    def _move(self, account: Account, sent: Instruction) -> Outcome:
        assert sent.at is not None
        amount = sent.amount
        match sent.operation:
            case Operation.AUTHORIZE:
                account.charges += 1
                account.authorized += amount.minor
                account.captured += amount.minor if sent.capture_now else 0
            case Operation.CAPTURE:
                assert amount.minor <= account.rest, "captured beyond what is held"
                account.captured += amount.minor
            case Operation.VOID:
                account.voided += account.rest
            case Operation.REFUND:
                assert amount.minor <= account.captured - account.refunded, "refunded beyond what was captured"
                account.refunded += amount.minor
        return Approved(
            provider_reference=f"ch_{sent.reference}",
            amount=amount,
            captured=amount if sent.capture_now else None,
            at=sent.at,
            expires_at=sent.at + timedelta(days=365) if sent.operation is Operation.AUTHORIZE else None,
        )


class Course(RuleBasedStateMachine):
    """Services, workers and the bank take turns in any order."""

    payments = Bundle("payments")

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        self.hands = Hands(requester=make_requester(f"shop-{next(_clients)}"))
        self.bank = Bank()
        self.commands: dict[Any, Keyed] = {}
        self.late: list[tuple[Step, Outcome]] = []
        self.told = count(1)

    def teardown(self) -> None:
        """Let all that is open end; then we and the bank say the same, and every verification holds."""
        try:
            self._settle()
            for payment_id in self.commands:
                self._agrees(Payment.objects.get(pk=payment_id))
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            # What the rounds of a relay deliver and publish is not part of this story.
            assert {
                name: found for name, found in violations().items() if name.startswith(("payments", "ledger"))
            } == {}
        finally:
            transaction.set_rollback(True)
            self.block.__exit__(None, None, None)

    # --- services -----------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.commands) < MOST_PAYMENTS)
    @rule(target=payments, amount=st.integers(1, 50_000), capture=st.sampled_from(CaptureMode))
    def pay(self, amount: int, capture: CaptureMode) -> Any:
        command = CreatePayment(
            amount=Money(amount, "EUR"),
            method=Method.CARD,
            payment_token="tok_approved",
            reference="order-1",
            customer_reference="",
            capture=capture,
            provider="sandbox",
            metadata={},
        )
        item = Keyed(key=self.hands.key("payment"), command=command)
        accepted = accepting.create_payment(requester=self.hands.requester, item=item, now=self.hands.now)
        self.commands[accepted.resource_id] = item
        return accepted.resource_id

    @rule(payment_id=payments)
    def pay_again_under_the_same_key(self, payment_id: Any) -> None:
        again = accepting.create_payment(
            requester=self.hands.requester, item=self.commands[payment_id], now=self.hands.now
        )
        assert (again.resource_id, again.replayed) == (payment_id, True)

    @rule(payment_id=payments, amount=st.integers(1, 60_000))
    def capture(self, payment_id: Any, amount: int) -> None:
        payment = Payment.objects.get(pk=payment_id)
        fits = amount <= payment.uncaptured and payment.holds and not self._busy(payment)
        self._ask_for(lambda: self.hands.capture(payment, amount), accepted=fits)

    @rule(payment_id=payments, amount=st.integers(1, 60_000))
    def refund(self, payment_id: Any, amount: int) -> None:
        payment = Payment.objects.get(pk=payment_id)
        left = payment.captured - payment.refunded - payment.refund_reserved
        unknown = payment.attempts.filter(state="UNKNOWN").exclude(operation="REFUND").exists()
        self._ask_for(lambda: self.hands.refund(payment, amount), accepted=amount <= left and not unknown)

    @rule(payment_id=payments)
    def cancel(self, payment_id: Any) -> None:
        payment = Payment.objects.get(pk=payment_id)
        undecided = not payment.authorized and self._busy(payment)
        unknown = payment.state == "UNKNOWN_OUTCOME"
        self._ask_for(
            lambda: self.hands.cancel(payment),
            accepted=undecided or unknown or (payment.holds and not self._busy(payment)),
        )

    # --- workers and the bank -----------------------------------------------------------------------------------

    @precondition(lambda _self: Attempt.objects.open().exists())
    @rule(fate=st.sampled_from(FATES))
    def work(self, fate: str) -> None:
        self._work(fate)

    @precondition(lambda self: self.late)
    @rule()
    def hear_late(self) -> None:
        """A worker that slept tells what it heard long ago, under a fence that may have passed on."""
        step, outcome = self.late.pop()
        self.hands.answer(step, outcome)

    @precondition(lambda self: self.bank.answers)
    @rule(which=st.integers(0, 50), twice=st.booleans())
    def be_told(self, which: int, twice: bool) -> None:
        """The bank tells by itself of something it did, perhaps twice over."""
        key = sorted(self.bank.answers)[which % len(self.bank.answers)]
        attempt = Attempt.objects.get(provider_key=key)
        event = f"evt_{next(self.told)}"
        for _ in range(1 + twice):
            self.hands.notify(attempt, self.bank.answers[key], event=event)

    # --- what always holds --------------------------------------------------------------------------------------

    @invariant()
    def a_payment_is_charged_once_at_most(self) -> None:
        assert all(account.charges <= 1 for account in self.bank.accounts.values())

    @invariant()
    def nothing_is_believed_that_the_bank_did_not_do(self) -> None:
        for payment in Payment.objects.filter(pk__in=self.commands):
            account = self.bank.accounts.get(payment.public_id, Account())
            assert payment.authorized <= account.authorized
            assert payment.captured <= account.captured
            assert payment.refunded <= account.refunded
            assert payment.voided <= account.voided

    @invariant()
    def the_state_follows_from_the_amounts(self) -> None:
        for payment in Payment.objects.filter(pk__in=self.commands):
            assert payment.state in self._possible_states(payment), (payment.state, payment.authorized)

    @invariant()
    def the_books_say_what_the_payments_say(self) -> None:
        kept = sum(payment.captured - payment.refunded for payment in Payment.objects.filter(pk__in=self.commands))
        posted = Line.objects.filter(account__code__startswith="1110:", entry__state__in=["POSTED", "REVERSED"])
        assert sum(line.amount for line in posted) == kept

    # --- how --------------------------------------------------------------------------------------------------

    def _ask_for(self, what: Any, *, accepted: bool) -> None:
        if accepted:
            what()
            return
        with pytest.raises(Conflict):
            what()

    def _busy(self, payment: Payment) -> bool:
        return payment.attempts.open().exclude(operation="REFUND").exists()

    def _possible_states(self, payment: Payment) -> set[str]:
        if not payment.authorized:
            return (
                {"CREATED", "PROCESSING", "UNKNOWN_OUTCOME"}
                if self._busy(payment)
                else {"FAILED", "CANCELED", "EXPIRED"}
            )
        if payment.attempts.filter(state="UNKNOWN").exclude(operation="REFUND").exists():
            return {"UNKNOWN_OUTCOME"}
        if payment.uncaptured:
            return {"PARTIALLY_CAPTURED" if payment.captured else "AUTHORIZED"}
        return {"CAPTURED" if payment.captured else "VOIDED"}

    def _work(self, fate: str) -> None:
        due = Attempt.objects.open().order_by("next_action_at", "id").first()
        assert due is not None
        assert due.next_action_at is not None
        self.hands.now = max(self.hands.now, due.next_action_at)
        claims = dispatching.claim_due(limit=1, now=self.hands.now)
        for claim in claims:
            step = dispatching.begin(claim=claim, now=self.hands.now)
            if isinstance(step, Ask) and self.hands.answer(step, self._found(step.question)).resend:
                step = dispatching.begin_resend(claim=claim, now=self.hands.now)
            if isinstance(step, Send):
                self._send(step, fate)
        self.hands.wait(0.01)

    def _send(self, step: Send, fate: str) -> None:
        attempt = Attempt.objects.select_related("payment").get(pk=step.claim.attempt_id)
        sent, payment = step.instruction, attempt.payment.public_id
        match fate:
            case "answered":
                self.hands.answer(step, self.bank.do(payment, sent))
            case "declined":
                self.hands.answer(step, self.bank.refuse(sent, self.hands.declined()))
            case "answer lost":
                self.bank.do(payment, sent)
                self.hands.answer(step, self.hands.unknown("read timeout"))
            case "request lost":
                self.hands.answer(step, self.hands.unknown("read timeout"))
            case "died after":
                self.late.append((step, self.bank.do(payment, sent)))

    def _found(self, question: Question) -> Any:
        return self.bank.answers.get(question.provider_key, self.hands.not_found())

    def _settle(self) -> None:
        for _ in range(200):
            if not Attempt.objects.open().exists():
                return
            self._work("answered")
        raise AssertionError(f"still open: {list(Attempt.objects.open().values('operation', 'state', 'schedule'))}")

    def _agrees(self, payment: Payment) -> None:
        account = self.bank.accounts.get(payment.public_id, Account())
        ours = (payment.authorized, payment.captured, payment.voided, payment.refunded, payment.refund_reserved)
        assert ours == (account.authorized, account.captured, account.voided, account.refunded, 0)


def test_whatever_happens_we_end_up_with_what_the_bank_did() -> None:
    run_state_machine_as_test(
        Course,
        settings=settings(
            max_examples=15,
            stateful_step_count=20,
            deadline=None,
            # Each step is a few transactions: the course found is printed as it is, not shortened for minutes.
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )
