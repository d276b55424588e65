"""Clients that behave as real ones do: they time out, send again under the same key, look what became of it, go on.

Each client is a thread that keeps several orders going at once. The course of an order is a generator that yields how
many seconds it wants to wait.
"""

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Generator
from random import Random
from typing import Any, Final

import httpx

from paymentops.chaos.journal import Answer, Ask, Journal
from paymentops.chaos.kinds import Course, Habit
from paymentops.chaos.planning import Order

logger = logging.getLogger(__name__)

type Waits[T] = Generator[float, None, T]

_PATIENCE: Final = 4.0
ORDERS_AT_ONCE: Final = 10
# Longer than all faults together last; an order that has not come to rest by then is stuck.
_GIVES_UP_AFTER: Final = 400.0
_SETTLED: Final = frozenset(
    {"AUTHORIZED", "PARTIALLY_CAPTURED", "CAPTURED", "VOIDED", "FAILED", "EXPIRED", "CANCELED", "REVERSED"}
)
_ENDED: Final = frozenset({"SUCCEEDED", "DECLINED", "FAILED", "EXPIRED", "CANCELED", "REVERSED"})


class TakesTooLong(Exception):
    """What a client waits for does not come."""


class Client(threading.Thread):
    """One client with its orders. ``may_start`` tells whether an order's turn has come; ``ended`` hears of its end."""

    def __init__(
        self,
        *,
        number: int,
        url: str,
        secrets: tuple[str, ...],
        orders: list[Order],
        journal: Journal,
        may_start: Callable[[Order], bool],
        ended: Callable[[], None],
    ) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._orders = iter(orders)
        self._journal = journal
        self._may_start = may_start
        self._ended = ended
        self._over = threading.Event()
        self._chance = Random(number)  # noqa: S311 - how long to wait, no secret
        self._services = [_service(url, secret) for secret in secrets]
        self.troubles: list[str] = []

    def run(self) -> None:
        """Keep orders going until all have come to an end; a defect of this client itself ends it with a trouble."""
        try:
            self._keep_going()
        except Exception as defect:
            logger.exception("%s ended", self.name)
            self.troubles.append(f"{self.name} ended by its own defect: {defect!r}")

    def _keep_going(self) -> None:
        order: Order | None = next(self._orders, None)
        waiting: list[tuple[float, int, Order, Waits[None]]] = []
        while (order is not None or waiting) and not self._over.is_set():
            now = time.monotonic()
            if order is not None and len(waiting) < ORDERS_AT_ONCE and self._may_start(order):
                heapq.heappush(waiting, (now, order.number, order, self._course(order)))
                order = next(self._orders, None)
            if not waiting or waiting[0][0] > now:
                time.sleep(0.02)
                continue
            _, number, due, course = heapq.heappop(waiting)
            pause = self._go_on(due, course)
            if pause is None:
                self._ended()
            else:
                heapq.heappush(waiting, (time.monotonic() + pause, number, due, course))
        for service in self._services:
            service.close()

    def stop(self) -> None:
        """Leave everything as it is."""
        self._over.set()

    def _go_on(self, order: Order, course: Waits[None]) -> float | None:
        try:
            return next(course)
        except StopIteration:
            return None
        except TakesTooLong as trouble:
            course.close()
            self.troubles.append(f"order {order.number} ({order.course}): {trouble}")
            self._journal.notes("gives up", order=order.number, why=str(trouble))
            return None

    # --- the course of an order ------------------------------------------------------------------------------------

    def _course(self, order: Order) -> Waits[None]:
        create = Ask(order=order, what="create", path="payments", key=order.key, body=_body(order))
        if order.habit is Habit.TWINS:
            self._twin(create)
        answer = yield from self._insist(create)
        if not answer.accepted:
            return
        payment = str(answer.json()["id"])
        if order.habit is Habit.KEY_REUSED:
            reused = Ask(
                order=order,
                what="create with another body",
                path="payments",
                key=order.key,
                body=create.body | {"amount": order.amount + 1},
            )
            yield from self._insist(reused)
        yield from self._follow(order, payment)
        if order.habit is Habit.AGAIN_LATER:
            yield from self._insist(create)
        yield from self._look(order, payment)

    def _follow(self, order: Order, payment: str) -> Waits[None]:
        if order.course is Course.CANCEL_AT_ONCE:
            yield from self._ask(order, payment, "cancel", {})
        found = yield from self._settled(order, payment)
        amounts = found["amounts"]
        if order.holds and found["state"] == "AUTHORIZED":
            yield from self._follow_hold(order, payment, int(amounts["authorized"]))
        elif found["state"] == "CAPTURED":
            yield from self._follow_sale(order, payment, int(amounts["captured"]))
        yield from self._settled(order, payment)

    def _follow_hold(self, order: Order, payment: str, held: int) -> Waits[None]:
        half = held // 2
        match order.course:
            case Course.HOLD_CAPTURE:
                yield from self._capture(order, payment, held)
            case Course.HOLD_CAPTURES_IN_PARTS:
                yield from self._capture(order, payment, half)
                yield from self._capture(order, payment, held - half)
            case Course.HOLD_PART_AND_CANCEL:
                yield from self._capture(order, payment, half)
                yield from self._ask(order, payment, "cancel", {})
            case Course.HOLD_CANCEL:
                yield from self._ask(order, payment, "cancel", {})
            case Course.HOLD_CAPTURE_AND_CANCEL_AT_ONCE:
                capture = self._request(order, payment, "captures", {"amount": held})
                self._twin(capture)
                yield from self._ask(order, payment, "cancel", {})
                yield from self._insist(capture)
            case _:
                return

    def _follow_sale(self, order: Order, payment: str, captured: int) -> Waits[None]:
        most = captured * 6 // 10
        parts = {
            Course.SALE_REFUND: [captured],
            Course.SALE_REFUNDS_IN_PARTS: [captured // 3, captured - captured // 3],
            Course.SALE_REFUNDS_BEYOND: [most, most, most],
        }.get(order.course, [])
        asks = [
            self._request(order, payment, "refunds", {"amount": part}, turn=turn) for turn, part in enumerate(parts)
        ]
        if order.course is Course.SALE_REFUNDS_BEYOND:
            for ask in asks[1:]:
                self._twin(ask)
        for ask in asks:
            yield from self._insist(ask)

    def _capture(self, order: Order, payment: str, amount: int) -> Waits[None]:
        answer = yield from self._ask(order, payment, "captures", {"amount": amount}, turn=amount)
        if answer.accepted:
            capture = str(answer.json()["id"])
            yield from self._until(order, f"captures/{capture}", lambda found: found["state"] in _ENDED)

    def _settled(self, order: Order, payment: str) -> Waits[dict[str, Any]]:
        """Wait until nothing more happens by itself; a payer who is asked to act does so."""
        acted = False

        def rests(found: dict[str, Any]) -> bool:
            nonlocal acted
            if found["state"] == "REQUIRES_ACTION" and not acted:
                acted = self._act_as_payer(order, found)
            return found["state"] in _SETTLED

        return (yield from self._until(order, f"payments/{payment}", rests))

    def _until(self, order: Order, path: str, enough: Callable[[dict[str, Any]], bool]) -> Waits[dict[str, Any]]:
        gives_up = time.monotonic() + _GIVES_UP_AFTER
        pause = 0.5
        found: dict[str, Any] = {}
        while time.monotonic() < gives_up:
            yield pause
            answer = self._get(order, path)
            found = answer.json() if answer is not None and answer.accepted else {}
            if found and enough(found):
                return found
            pause = min(2.0, pause * 1.4)
        raise TakesTooLong(f"{path} is still {found.get('state', 'unanswered')} after {_GIVES_UP_AFTER:g} s")

    def _look(self, order: Order, payment: str) -> Waits[None]:
        yield from self._until(order, f"payments/{payment}", lambda _: True)

    # --- requests --------------------------------------------------------------------------------------------------

    def _request(self, order: Order, payment: str, what: str, body: dict[str, Any], *, turn: int = 0) -> Ask:
        return Ask(
            order=order,
            what=what,
            path=f"payments/{payment}/{what}",
            key=f"chaos-{what}-{order.number:06d}-{turn:06d}",
            body=body,
        )

    def _ask(self, order: Order, payment: str, what: str, body: dict[str, Any], *, turn: int = 0) -> Waits[Answer]:
        return (yield from self._insist(self._request(order, payment, what, body, turn=turn)))

    def _insist(self, ask: Ask) -> Waits[Answer]:
        """Send something again and again, until the answer is one that sending again does not change."""
        gives_up = time.monotonic() + _GIVES_UP_AFTER
        for sent in itertools.count():
            impatient = ask.order.habit is Habit.IMPATIENT and sent == 0
            answer = self._send(ask, patience=0.02 if impatient else _PATIENCE)
            if answer is not None and _is_final(answer):
                return answer
            if time.monotonic() > gives_up:
                raise TakesTooLong(f"{ask.what} got no final answer in {_GIVES_UP_AFTER:g} s, last {answer}")
            yield min(2.0, 0.1 * 2**sent) * self._chance.uniform(0.5, 1.0)
        raise AssertionError("Counting never ends.")

    def _twin(self, ask: Ask) -> None:
        """Send the same request from beside, at the same time."""
        threading.Thread(target=self._send, args=(ask,), kwargs={"patience": _PATIENCE}, daemon=True).start()

    def _send(self, ask: Ask, *, patience: float) -> Answer | None:
        self._journal.sends(ask)
        try:
            response = self._services[ask.order.service].post(
                ask.path, json=ask.body, headers={"Idempotency-Key": ask.key}, timeout=patience
            )
        except (httpx.HTTPError, RuntimeError) as error:  # a closed client raises the latter, in a late twin
            self._journal.misses(ask, type(error).__name__)
            return None
        answer = Answer(response.status_code, response.content)
        self._journal.hears(ask, answer)
        return answer

    def _get(self, order: Order, path: str) -> Answer | None:
        try:
            response = self._services[order.service].get(path, timeout=_PATIENCE)
        except httpx.HTTPError:
            self._journal.looks(path, None)
            return None
        answer = Answer(response.status_code, response.content)
        self._journal.looks(path, answer)
        return answer

    def _act_as_payer(self, order: Order, found: dict[str, Any]) -> bool:
        url = str((found.get("next_action") or {}).get("url", ""))
        result = "decline" if order.number % 4 == 0 else "approve"
        try:
            return bool(url) and httpx.post(f"{url}?result={result}", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False


def look_at_all(*, url: str, secrets: tuple[str, ...], journal: Journal) -> None:
    """Let every service page through all its payments, now that nothing moves any more."""
    for secret in secrets:
        with _service(url, secret) as service:
            following: str | None = "payments?limit=100"
            while following:
                response = service.get(following, timeout=30).raise_for_status()
                page = response.json()
                for found in page["results"]:
                    journal.sees(found)
                following = page["next"]


def _service(url: str, secret: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"{url}/api/v1/", headers={"Authorization": f"Api-Key {secret}"}, trust_env=False, timeout=_PATIENCE
    )


def _body(order: Order) -> dict[str, Any]:
    return {
        "amount": order.amount,
        "currency": order.currency,
        "method": "card",
        "payment_token": order.token,
        "reference": f"order-{order.number:06d}",
        "capture": "manual" if order.holds else "automatic",
        "provider": "sandbox",
    }


def _is_final(answer: Answer) -> bool:
    """Tell whether sending the same again would change nothing: not so while it is in flight or something is open."""
    if answer.status == 409:
        return answer.code not in {"idempotency.in_flight", "payment.operation_open"}
    return answer.status < 500 and answer.status not in {408, 429}
