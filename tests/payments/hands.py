"""A worker done by hand: the test takes each step, gives the provider's answers itself and moves the clock."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.db import connection

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.core import clock, ids
from paymentops.core.money import Money
from paymentops.payments.commands import CancelPayment, CapturePayment, CreatePayment, RefundPayment, ResumePayment
from paymentops.payments.models import Attempt, Cancellation, Capture, Payment, ProviderCall, Refund, Resumption
from paymentops.payments.operations import accepting, dispatching, outcomes, requesting
from paymentops.payments.operations.accepting import Keyed, Requester
from paymentops.payments.operations.dispatching import Ask, Claim, HandIn, Send, Step, TakeBack
from paymentops.payments.operations.outcomes import Answer, Recorded
from paymentops.payments.states import CaptureMode
from paymentops.providers.contract import (
    ActionRequired,
    Approved,
    Declined,
    InquiryOutcome,
    Method,
    NotFound,
    NotSent,
    Outcome,
    RetryClass,
    Unknown,
)

_KINDS = {
    Send: ProviderCall.Kind.DISPATCH,
    Ask: ProviderCall.Kind.INQUIRY,
    HandIn: ProviderCall.Kind.COMPLETION,
    TakeBack: ProviderCall.Kind.WITHDRAWAL,
}


def make_requester(name: str = "shop") -> Requester:
    client = access.create_client(name=name, by=Actor.command("test"), now=clock.now())
    return Requester(client_id=client.pk, api_key_prefix="test")


@dataclass
class Hands:
    """``now`` is the clock of everything done here; it begins at the real time, because verification reads that."""

    requester: Requester
    now: datetime = field(default_factory=clock.now)
    _number: Any = field(default_factory=lambda: count(1))

    # --- what a service asks -------------------------------------------------------------------------------------

    def key(self, what: str = "key") -> str:
        # Ids sort by their moment, so what is asked later must be later.
        self.wait(0.001)
        return f"{what}-{next(self._number):08d}-of-a-test"

    def pay(self, *, amount: int = 10000, currency: str = "EUR", capture: str = "automatic", **changes: Any) -> Payment:
        command = CreatePayment(
            **{
                "amount": Money(amount, currency),
                "method": Method.CARD,
                "payment_token": "tok_approved",
                "reference": "order-10293",
                "customer_reference": "cust-77",
                "capture": CaptureMode(capture),
                "provider": "sandbox",
                "metadata": {"basket": "B-1"},
                **changes,
            }
        )
        accepted = accepting.create_payment(
            requester=self.requester, item=Keyed(key=self.key("payment"), command=command), now=self.now
        )
        self.wait(0.001)
        return Payment.objects.get(pk=accepted.resource_id)

    def capture(self, payment: Payment, amount: int | None = None) -> Capture:
        command = CapturePayment(payment_id=payment.pk, amount=amount)
        made = requesting.capture(requester=self.requester, key=self.key("capture"), command=command, now=self.now)
        self.wait(0.001)
        return Capture.objects.get(pk=made.resource_id)

    def cancel(self, payment: Payment) -> Cancellation:
        command = CancelPayment(payment_id=payment.pk)
        made = requesting.cancel(requester=self.requester, key=self.key("cancel"), command=command, now=self.now)
        self.wait(0.001)
        return Cancellation.objects.get(pk=made.resource_id)

    def resume(self, payment: Payment, **details: str) -> Resumption:
        command = ResumePayment(payment_id=payment.pk, details=details)
        made = requesting.resume(requester=self.requester, key=self.key("resume"), command=command, now=self.now)
        self.wait(0.001)
        return Resumption.objects.get(pk=made.resource_id)

    def refund(self, payment: Payment, amount: int | None = None) -> Refund:
        command = RefundPayment(payment_id=payment.pk, amount=amount, reason="damaged")
        made = requesting.refund(requester=self.requester, key=self.key("refund"), command=command, now=self.now)
        self.wait(0.001)
        return Refund.objects.get(pk=made.resource_id)

    # --- what a worker does --------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def claim(self) -> Claim:
        [claim] = dispatching.claim_due(limit=1, now=self.now)
        return claim

    def begin(self) -> Step | None:
        """Claim what is due and decide what it needs; nothing is called."""
        return dispatching.begin(claim=self.claim(), now=self.now)

    def sending(self) -> Send:
        step = self.begin()
        assert isinstance(step, Send), step
        return step

    def asking(self) -> Ask:
        """Wait until the next inquiry is due and begin it."""
        step = self._next()
        assert isinstance(step, Ask), step
        return step

    def handing_in(self) -> HandIn:
        """Begin to hand in what a payer brought back, when it is due."""
        step = self._next()
        assert isinstance(step, HandIn), step
        return step

    def taking_back(self) -> TakeBack:
        """Begin to take an authorisation back, when it is due."""
        step = self._next()
        assert isinstance(step, TakeBack), step
        return step

    def answer(self, step: Step, outcome: Outcome | InquiryOutcome) -> Recorded:
        """Record what the provider answered to a step, under the fence the step was begun with."""
        kind = _KINDS[type(step)]
        return outcomes.record(
            answer=Answer(
                attempt_id=step.claim.attempt_id,
                kind=kind,
                number=step.number,
                fence=step.claim.fence,
                started_at=self.now,
                reference=str(step.number),
                outcome=outcome,
            ),
            now=self.now,
        )

    def notify(self, attempt: Attempt, outcome: Outcome, *, event: str = "evt_1") -> Recorded:
        """Record what a verified notification says."""
        return outcomes.record(
            answer=Answer(
                attempt_id=attempt.pk,
                kind=ProviderCall.Kind.NOTIFICATION,
                number=0,
                fence=None,
                started_at=self.now,
                reference=event,
                outcome=outcome,
            ),
            now=self.now,
        )

    def send(self, outcome: Outcome) -> Recorded:
        """Send what is due and answer it."""
        return self.answer(self.sending(), outcome)

    def ask(self, outcome: InquiryOutcome) -> Recorded:
        """Ask about what is open, when it is due, and answer it."""
        return self.answer(self.asking(), outcome)

    def give_up(self) -> None:
        """Let an unknown attempt be proven not executed: not found after the horizon, twice, as often as it is sent."""
        while Attempt.objects.open().exclude(state="PREPARED").exists():
            step = self.asking()
            if self.answer(step, self.not_found()).resend:
                resend = dispatching.begin_resend(claim=step.claim, now=self.now)
                assert resend is not None
                self.answer(resend, self.unknown())

    def _next(self) -> Step | None:
        due = Attempt.objects.open().order_by("next_action_at").first()
        assert due is not None
        assert due.next_action_at is not None
        self.now = max(self.now, due.next_action_at)
        return self.begin()

    # --- what a provider answers ---------------------------------------------------------------------------------

    def sold(self, amount: int = 10000) -> Approved:
        return Approved(provider_reference="ch_1", amount=eur(amount), captured=eur(amount), at=self.now)

    def held(self, amount: int = 10000) -> Approved:
        return Approved(
            provider_reference="ch_1", amount=eur(amount), at=self.now, expires_at=self.now + timedelta(days=7)
        )

    def done(self, amount: int) -> Approved:
        return Approved(provider_reference="op_1", amount=eur(amount), at=self.now)

    def declined(self, retry_class: RetryClass = RetryClass.HARD_DECLINE, code: str = "lost_card") -> Declined:
        return Declined(code=code, retry_class=retry_class, message="No.", at=self.now)

    def waits(self, *, kind: str = "redirect", ends_in: timedelta = timedelta(hours=1)) -> ActionRequired:
        action = {"type": kind, "url": f"https://bank.example/{kind}"}
        return ActionRequired(provider_reference="ch_1", action=action, at=self.now, expires_at=self.now + ends_in)

    def taken_back(self) -> Declined:
        return replace(self.declined(RetryClass.HARD_DECLINE, code="withdrawn"), withdrawn=True)

    def unknown(self, reason: str = "http_500") -> Unknown:
        return Unknown(reason=reason, at=self.now)

    def not_sent(self, retry_after: float | None = None) -> NotSent:
        wait = timedelta(seconds=retry_after) if retry_after is not None else None
        return NotSent(reason="rate_limited", retry_class=RetryClass.THROTTLED, at=self.now, retry_after=wait)

    def not_found(self) -> NotFound:
        return NotFound(at=self.now)

    # --- stories often needed ------------------------------------------------------------------------------------

    def sale(self, amount: int = 10000) -> Payment:
        payment = self.pay(amount=amount)
        self.send(self.sold(amount))
        return fresh(payment)

    def waiting(self, **changes: Any) -> Payment:
        """Make a payment that waits for its payer."""
        payment = self.pay(**changes)
        self.send(self.waits())
        return fresh(payment)

    def hold(self, amount: int = 10000) -> Payment:
        payment = self.pay(amount=amount, capture="manual")
        self.send(self.held(amount))
        return fresh(payment)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def fresh[Row: (Payment, Attempt, Refund)](row: Row) -> Row:
    return type(row).objects.get(pk=row.pk)


def public(prefix: str, value: Any) -> str:
    return ids.public(ids.Prefix(prefix), value)


def by_force(sql: str, *values: Any) -> None:
    """Change rows past every trigger and constraint, as only a superuser can."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, values)
        cursor.execute("SET LOCAL session_replication_role = origin")
