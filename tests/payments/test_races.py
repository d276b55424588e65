"""Threads on a real database: whoever is faster, the amounts hold and nothing happens twice."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from paymentops.core import clock
from paymentops.core.errors import ApplicationError
from paymentops.payments.models import Attempt, Payment, Refund, Resumption
from paymentops.payments.operations import dispatching, outcomes
from paymentops.payments.operations.requesting import NotCapturable, NotRefundable, OperationOpen
from paymentops.payments.operations.resuming import NotResumable
from tests.payments.conftest import Api, payment_body
from tests.payments.hands import Hands, fresh, make_requester

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("verified")]


def race(*runners: Callable[[], Any]) -> list[Any]:
    """Run all at the same moment, each in a thread with a connection of its own; return results and refusals."""
    start = threading.Barrier(len(runners))

    def run(runner: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            start.wait(timeout=20)
            return runner()
        except ApplicationError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(runners)) as pool:
        return list(pool.map(run, runners))


def codes(results: Sequence[Any]) -> list[Any]:
    return sorted(result.code if isinstance(result, ApplicationError) else "ok" for result in results)


@pytest.fixture
def hands(transactional_db: None) -> Hands:
    return Hands(requester=make_requester("racer"))


def test_sixty_refunds_at_once_never_exceed_the_capture(hands: Hands) -> None:
    """hyperswitch#13182: two concurrent refunds of 60 on 100 both succeeded."""
    payment = hands.sale()
    results = race(*[lambda: hands.refund(payment, 300) for _ in range(60)])
    made = [result for result in results if isinstance(result, Refund)]
    refused = [result for result in results if not isinstance(result, Refund)]
    assert len(made) == 33
    assert all(isinstance(result, NotRefundable) for result in refused)
    assert fresh(payment).refund_reserved == 9900
    for _ in made:
        hands.send(hands.done(300))
    assert (fresh(payment).refunded, fresh(payment).refund_reserved) == (9900, 0)


def test_twin_captures_of_one_hold_are_one_capture(hands: Hands) -> None:
    """midaz#1519: two commits of one pending transaction both applied."""
    payment = hands.hold()
    results = race(*[lambda: hands.capture(payment) for _ in range(8)])
    refused = [result for result in results if isinstance(result, ApplicationError)]
    assert len(refused) == 7
    assert all(isinstance(result, OperationOpen | NotCapturable) for result in refused)
    assert payment.captures.count() == 1
    hands.send(hands.done(10000))
    assert fresh(payment).captured == 10000


def test_a_capture_and_a_cancel_at_once_are_one_of_them(hands: Hands) -> None:
    payment = hands.hold()
    results = race(lambda: hands.capture(payment), lambda: hands.cancel(payment))
    assert codes(results) == ["ok", "payment.operation_open"]
    assert Attempt.objects.open().count() == 1


def test_identical_requests_at_once_are_one_payment(api: Api) -> None:
    answers = race(*[lambda: api.post("payments", payment_body(), key="order-10293-attempt-1") for _ in range(12)])
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert sum(answer.status_code == 201 and "Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert Payment.objects.count() == 1


def test_one_key_with_two_bodies_at_once_belongs_to_one_of_them(api: Api) -> None:
    bodies = [payment_body(amount=1), payment_body(amount=2)] * 5

    def post(body: dict[str, Any]) -> Callable[[], Any]:
        return lambda: api.post("payments", body, key="order-10293-attempt-1")

    answers = race(*map(post, bodies))
    assert {answer.status_code for answer in answers} <= {201, 409, 422}
    amount = Payment.objects.get().requested
    for body, answer in zip(bodies, answers, strict=True):
        assert answer.status_code in ((201, 409) if body["amount"] == amount else (409, 422))


def test_one_refund_key_at_once_is_one_refund(api: Api, hands: Hands) -> None:
    created = api.pay(key="order-10293-attempt-1")
    hands.wait(1)
    hands.send(hands.sold(12990))
    path = f"payments/{created['id']}/refunds"
    answers = race(*[lambda: api.post(path, {"amount": 100}, key="refund-one-10293") for _ in range(10)])
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert Refund.objects.count() == 1


def test_batches_that_share_keys_never_deadlock(api: Api) -> None:
    keys = [f"order-{n:04d}-attempt-one" for n in range(60)]
    items = [{"idempotency_key": key, **payment_body()} for key in keys]

    def post(order: list[dict[str, Any]]) -> Callable[[], Any]:
        return lambda: api.post("payments/batch", {"payments": order})

    answers = race(post(items), post(items[::-1]), post(items[30:] + items[:30]), post(items[::2] + items[1::2]))
    assert {answer.status_code for answer in answers} == {200}
    results = [result for answer in answers for result in answer.json()["results"]]
    assert {result["status"] for result in results} == {201}
    assert sum(not result["replayed"] for result in results) == 60
    assert Payment.objects.count() == 60


def test_workers_racing_for_one_attempt_send_it_once(hands: Hands) -> None:
    hands.pay()
    now = hands.now

    def work() -> Any:
        return [dispatching.begin(claim=claim, now=now) for claim in dispatching.claim_due(limit=1, now=now)]

    begun = [step for steps in race(*[work] * 6) for step in steps]
    assert len(begun) == 1
    assert Attempt.objects.get().dispatches == 1


def test_many_workers_share_many_attempts_without_overlap(hands: Hands) -> None:
    for _ in range(30):
        hands.pay()
    now = hands.now
    claims = race(*[lambda: dispatching.claim_due(limit=10, now=now)] * 5)
    taken = [claim.attempt_id for group in claims for claim in group]
    assert len(taken) == len(set(taken)) == 30


def test_a_cancel_racing_with_the_dispatch_is_at_once_or_later_and_never_lost(hands: Hands) -> None:
    for _ in range(6):
        payment = hands.pay(capture="manual")
        claim, now = hands.claim(), hands.now
        cancellation, step = race(
            lambda p=payment: hands.cancel(p), lambda c=claim, n=now: dispatching.begin(claim=c, now=n)
        )
        if step is None:
            assert cancellation.mode == "AT_ONCE"
        else:
            assert cancellation.mode == "WAITING"
            hands.answer(step, hands.held())
            hands.send(hands.done(10000))
        assert fresh(payment).state in ("CANCELED", "VOIDED")


def test_an_answer_and_its_notifications_at_once_count_once(hands: Hands) -> None:
    payment = hands.pay()
    step = hands.sending()
    attempt = Attempt.objects.get()
    recorded = race(
        lambda: hands.answer(step, hands.sold()),
        *[lambda n=n: hands.notify(attempt, hands.sold(), event=f"evt_{n}") for n in range(4)],
    )
    assert sum(isinstance(one, outcomes.Recorded) and one.applied for one in recorded) == 1
    assert (fresh(payment).state, fresh(payment).captured) == ("CAPTURED", 10000)


def test_a_yes_and_a_lost_lease_at_once_end_in_the_yes(hands: Hands) -> None:
    for _ in range(4):
        payment = hands.pay()
        step = hands.sending()
        hands.wait(61)
        claim, now = hands.claim(), hands.now
        race(lambda s=step: hands.answer(s, hands.sold()), lambda c=claim, n=now: dispatching.begin(claim=c, now=n))
        assert fresh(payment).state == "CAPTURED"
        assert not Attempt.objects.open().exists()
    assert clock.now() < hands.now


def test_resumes_at_once_are_one(hands: Hands) -> None:
    payment = hands.waiting()
    results = race(*[lambda n=n: hands.resume(payment, result=str(n)) for n in range(6)])
    assert codes(results) == ["ok", *["payment.not_resumable"] * 5]
    hands.answer(hands.handing_in(), hands.sold())
    assert (fresh(payment).state, Attempt.objects.get().completions) == ("CAPTURED", 1)


def test_a_resume_and_a_cancel_at_once_charge_nothing_that_was_cancelled(hands: Hands) -> None:
    for _ in range(4):
        payment = hands.waiting()
        resumed, cancelled = race(
            lambda p=payment: hands.resume(p, result="approve"), lambda p=payment: hands.cancel(p)
        )
        assert not isinstance(cancelled, ApplicationError)
        assert isinstance(resumed, Resumption | NotResumable)
        hands.answer(hands.taking_back(), hands.taken_back())
        assert fresh(payment).state == "CANCELED"


def test_taken_back_and_paid_at_once_ends_as_paid(hands: Hands) -> None:
    for _ in range(4):
        payment = hands.waiting()
        hands.cancel(payment)
        step, attempt = hands.taking_back(), payment.attempts.get()
        race(lambda s=step: hands.answer(s, hands.taken_back()), lambda a=attempt: hands.notify(a, hands.sold()))
        assert (fresh(payment).state, fresh(payment).captured) == ("CAPTURED", 10000)
