"""Telling the story: every step through the real operations and the real sandbox, in the story's own time.

One loop carries out what is due, then takes the next step, as a worker and services would have done over two weeks.
What was done stands in the database under keys of its own, so a story that was broken off goes on where it stopped: a
step whose key is there is passed over, and an attempt that lost its worker is asked about like any other.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Protocol
from uuid import UUID

from django.conf import settings
from django.db.models import Min

from paymentops.core.errors import ApplicationError
from paymentops.demo.counterpart import Delivery
from paymentops.demo.scenarios import Act
from paymentops.demo.story_clock import StoryClock
from paymentops.demo.traffic import Order, Step, Story
from paymentops.events import operations as events
from paymentops.idempotency.keys import KeyReused
from paymentops.idempotency.models import IdempotencyKey, KeyUse, Operation, UseOutcome
from paymentops.payments.commands import CancelPayment, CapturePayment, CreatePayment, RefundPayment
from paymentops.payments.models import Attempt, InboundNotification, Payment
from paymentops.payments.operations import accepting, expiring, notifying, requesting, working
from paymentops.payments.operations.accepting import Keyed, Requester
from paymentops.providers.adapters.sandbox import adapter as sandbox

logger = logging.getLogger(__name__)

# A call that times out costs real time, so the provider is waited for less than usual.
CALL_SECONDS: Final = 0.4
# SEMANTICS section 2, so that an unknown outcome lasts for hours, as it may; the first inquiry comes after 5 s.
INQUIRY_SECONDS: Final = (5.0, 30.0, 120.0, 600.0, 3600.0, 21600.0, 86400.0)
_EVENTS_PER_RUN: Final = 500
_STEPS_PER_RELAY: Final = 25
_HOLDS: Final = 100
_TRACES: Final = {
    Act.CREATE: Operation.CREATE_PAYMENT.value,
    Act.CAPTURE: Operation.CAPTURE.value,
    Act.CANCEL: Operation.CANCEL.value,
    Act.REFUND: Operation.REFUND.value,
    Act.REPEAT: UseOutcome.REPLAYED.value,
    Act.REUSE_KEY: UseOutcome.REFUSED.value,
}


class Provider(Protocol):
    """The other side of the story; see ``counterpart.Counterpart``."""

    def answer_inquiries(self) -> None:
        """Let inquiries be answered."""

    def answer_no_inquiry(self) -> None:
        """Let every inquiry fail."""

    def decide(self, *, provider_key: str, approve: bool, at: datetime) -> None:
        """Confirm or refuse what waits under a key."""

    def new_deliveries(self) -> list[Delivery]:
        """Return the notifications written since the last time."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a call that gets no answer is waited for: in truth, in seconds, and in the story."""

    call_seconds: float
    call_lasts: timedelta


@contextmanager
def story_settings(*, sandbox_url: str, call_seconds: float = CALL_SECONDS) -> Iterator[Pace]:
    """Let this process wait less for the sandbox, ask by the usual schedule and log only what is wrong."""
    pace = Pace(call_seconds, timedelta(seconds=settings.SANDBOX_TIMEOUT_SECONDS))
    changes: dict[str, Any] = {
        "SANDBOX_URL": sandbox_url,
        "SANDBOX_INQUIRY_SECONDS": INQUIRY_SECONDS,
        "SANDBOX_TIMEOUT_SECONDS": call_seconds,
    }
    before = {name: getattr(settings, name) for name in changes}
    log = logging.getLogger("paymentops.payments")
    level = log.level
    log.setLevel(logging.WARNING)
    _set(changes)
    try:
        yield pace
    finally:
        # The settings of the story made an adapter of their own, which nobody asks again.
        sandbox.from_settings().close()
        _set(before)
        log.setLevel(level)


class Telling:
    """One run through a story.

    Args:
        story: what happens.
        requester: the service that asks.
        run: eight characters that make the story's idempotency keys its own.
        provider: the payer and the administrator of the sandbox.
        pace: how long calls take, as ``story_settings`` has set it.
    """

    def __init__(self, *, story: Story, requester: Requester, run: str, provider: Provider, pace: Pace) -> None:
        self._story = story
        self._requester = requester
        self._run = run
        self._provider = provider
        self._orders = {order.number: order for order in story.orders}
        self._clock = StoryClock(at=story.steps[0].at, call_seconds=pace.call_seconds, call_lasts=pace.call_lasts)
        self._done = _done_before(requester.client_id, run)
        self._arrived = set(
            InboundNotification.objects.filter(provider=sandbox.NAME).values_list("event_id", flat=True)
        )
        self._mail: list[Delivery] = []
        self._silent = False

    def tell(self, *, told: Callable[[int], None]) -> None:
        """Tell the story, or what is left of it, to its end; ``told`` hears how many steps are behind us.

        Whatever stops it, a KeyboardInterrupt or a kill, loses nothing: it can be told on from there.
        """
        self._provider.answer_inquiries()
        self._collect_mail()
        for number, step in enumerate(self._story.steps, start=1):
            self._let_pass_until(step.at)
            self._do(step)
            if number % _STEPS_PER_RELAY == 0:
                events.deliver_due(now=self._clock(), limit=_EVENTS_PER_RUN)
            told(number)
        self._let_pass_until(self._story.until)
        self._empty_boxes()

    def _let_pass_until(self, at: datetime) -> None:
        """Carry out what falls due before ``at``, and take in what arrives before it."""
        while (moment := self._next_due()) is not None and moment < at:
            self._move_to(moment)
            if self._mail and self._mail[0].at <= moment:
                self._receive(self._mail.pop(0))
            else:
                working.work_off(limit=1, clock=self._clock)
                self._collect_mail()
        self._move_to(at)

    def _next_due(self) -> datetime | None:
        due: datetime | None = Attempt.objects.aggregate(at=Min("next_action_at"))["at"]
        arriving = self._mail[0].at if self._mail else None
        return min((moment for moment in (due, arriving) if moment is not None), default=None)

    def _move_to(self, at: datetime) -> None:
        self._clock.move_to(at)
        if not self._silent and self._clock.at >= self._story.silent_from:
            self._provider.answer_no_inquiry()
            self._silent = True

    def _collect_mail(self) -> None:
        fresh = [delivery for delivery in self._provider.new_deliveries() if delivery.event_id not in self._arrived]
        if fresh:
            self._mail = sorted([*self._mail, *fresh], key=lambda delivery: delivery.at)

    def _receive(self, delivery: Delivery) -> None:
        at = max(delivery.at, self._clock.at)
        notifying.receive(provider=sandbox.NAME, webhook=delivery.signed(at=at), now=at)

    def _empty_boxes(self) -> None:
        """Take in what is still on its way and relay every event, so that the story leaves no backlog."""
        self._collect_mail()
        for delivery in self._mail:
            self._receive(delivery)
        while True:
            done = events.deliver_due(now=self._clock(), limit=_EVENTS_PER_RUN)
            if not done.delivered + done.passed_over:
                return

    # --- steps ------------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        order = self._orders[step.number]
        if (_trace(step), self._key(step)) in self._done:
            return
        try:
            self._doers[step.act](self, step, order)
        except ApplicationError as refusal:
            # Possible where the payment went another way than planned, after a long break in the telling for example.
            logger.warning("%s of order %d was refused: %s", step.act, step.number, refusal.detail)

    def _create(self, step: Step, order: Order) -> None:
        item = Keyed(key=self._key(step), command=_command(order))
        [result] = accepting.create_payments(requester=self._requester, items=[item], now=self._clock())
        if isinstance(result, ApplicationError):
            raise result

    def _reuse_key(self, step: Step, order: Order) -> None:
        other = replace(order, amount=order.amount + order.amount, reference=f"{order.reference}-b")
        with contextlib.suppress(KeyReused):
            self._create(step, other)

    def _capture(self, step: Step, order: Order) -> None:
        command = CapturePayment(payment_id=self._payment_id(order), amount=step.amount)
        requesting.capture(requester=self._requester, key=self._key(step), command=command, now=self._clock())

    def _cancel(self, step: Step, order: Order) -> None:
        command = CancelPayment(payment_id=self._payment_id(order))
        requesting.cancel(requester=self._requester, key=self._key(step), command=command, now=self._clock())

    def _refund(self, step: Step, order: Order) -> None:
        command = RefundPayment(payment_id=self._payment_id(order), amount=step.amount, reason=step.reason)
        requesting.refund(requester=self._requester, key=self._key(step), command=command, now=self._clock())

    def _decide(self, step: Step, order: Order) -> None:
        waiting = Attempt.objects.open().filter(payment_id=self._payment_id(order))
        for provider_key in waiting.values_list("provider_key", flat=True):
            self._provider.decide(provider_key=provider_key, approve=step.act is Act.CONFIRM, at=self._clock())
        self._collect_mail()

    def _sweep(self, _step: Step, _order: Order) -> None:
        expiring.expire_holds(limit=_HOLDS, now=self._clock())

    _doers: ClassVar[dict[Act, Callable[["Telling", Step, Order], None]]] = {
        Act.CREATE: _create,
        Act.REPEAT: _create,
        Act.REUSE_KEY: _reuse_key,
        Act.CAPTURE: _capture,
        Act.CANCEL: _cancel,
        Act.REFUND: _refund,
        Act.CONFIRM: _decide,
        Act.ABANDON: _decide,
        Act.SWEEP: _sweep,
    }

    def _key(self, step: Step) -> str:
        key = f"demo-{self._run}-{step.number:05d}"
        return f"{key}-{step.act}-{step.turn}" if step.act in (Act.CAPTURE, Act.CANCEL, Act.REFUND) else key

    def _payment_id(self, order: Order) -> UUID:
        return Payment.objects.values_list("pk", flat=True).get(
            client_id=self._requester.client_id,
            key__key=f"demo-{self._run}-{order.number:05d}",
            key__operation=Operation.CREATE_PAYMENT,
        )


def _done_before(client_id: UUID, run: str) -> set[tuple[str, str]]:
    """Return what an earlier run did under the story's keys: the operation or the later use, and the key."""
    keys = IdempotencyKey.objects.filter(client_id=client_id, key__startswith=f"demo-{run}-")
    uses = KeyUse.objects.filter(key__in=keys)
    return {*keys.values_list("operation", "key"), *uses.values_list("outcome", "key__key")}


def _trace(step: Step) -> str:
    """Return what a step leaves behind under its key; empty for one that may simply be taken again."""
    return _TRACES.get(step.act, "")


def _command(order: Order) -> CreatePayment:
    return CreatePayment(
        amount=order.amount,
        method=order.method,
        payment_token=order.token,
        reference=order.reference,
        customer_reference=order.customer,
        capture=order.capture,
        provider=sandbox.NAME,
        metadata={"channel": order.channel},
    )


def _set(values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
