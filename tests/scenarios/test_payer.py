"""Payers who come back, and services that no longer want to wait for them: from the HTTP door to the sandbox."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.http import HttpResponse

from paymentops.core import clock
from paymentops.events.models import OutboxEvent
from paymentops.payments.models import Attempt, Resumption
from paymentops.payments.operations import working
from tests.payments.conftest import Api, stored
from tests.plugins.sandbox import SandboxServer
from tests.scenarios.test_tokens import Clock, short

__all__ = ["short"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("verified")]

KEY = "order-10293-attempt-1"
RESUME = "order-10293-resume-1"
REDIRECT = "tok_redirect"


@pytest.fixture
def work() -> Callable[[], None]:
    """Work off what is due, and what becomes due within 20 simulated seconds: sooner than any payer's time is over."""
    simulated = Clock()

    def run() -> None:
        ends_at = simulated() + timedelta(seconds=20)
        while True:
            working.work_off(limit=20, clock=simulated)
            due = Attempt.objects.open().order_by("next_action_at").values_list("next_action_at", flat=True).first()
            if due is None or due > ends_at:
                return
            simulated.wait(max(0.0, (due - simulated()).total_seconds()))

    return run


def waiting(api: Api, work: Callable[[], None], *, token: str = REDIRECT, **changes: Any) -> dict[str, Any]:
    created = api.pay(key=KEY, payment_token=token, **changes)
    work()
    payment = api.payment(created["id"])
    assert payment["state"] == "REQUIRES_ACTION"
    return payment


def resume(api: Api, payment: dict[str, Any], *, key: str = RESUME, **details: str) -> HttpResponse:
    return api.post(f"payments/{payment['id']}/resume", {"details": details}, key=key)


@pytest.mark.parametrize(
    ("result", "state", "failure"),
    [("approve", "CAPTURED", None), ("decline", "FAILED", "PAYER_ABANDONED"), ("abandon", "FAILED", "PAYER_ABANDONED")],
)
def test_what_the_payer_brings_back_decides(
    api: Api, work: Callable[[], None], result: str, state: str, failure: str | None
) -> None:
    payment = waiting(api, work)
    assert payment["next_action"]["type"] == "redirect"
    answer = resume(api, payment, result=result)
    assert (answer.status_code, answer.json()["mode"]) == (201, "COMPLETION")
    assert api.payment(payment["id"])["state"] == "PROCESSING"
    work()
    done = api.payment(payment["id"])
    assert (done["state"], done["failure"] and done["failure"]["class"]) == (state, failure)


def test_a_hold_of_a_payer_who_takes_two_steps(api: Api, work: Callable[[], None], provider: SandboxServer) -> None:
    payment = waiting(api, work, capture="manual")
    resume(api, payment, result="step_up")
    work()
    again = api.payment(payment["id"])
    assert (again["state"], again["next_action"]["type"]) == ("REQUIRES_ACTION", "challenge")
    resume(api, payment, key="order-10293-resume-2", result="approve")
    work()
    assert api.payment(payment["id"])["state"] == "AUTHORIZED"
    assert [charge["authorized"] for charge in provider.truth()] == [12990]


def test_an_answer_that_was_lost_charges_once(api: Api, work: Callable[[], None], provider: SandboxServer) -> None:
    payment = waiting(api, work, token="tok_redirect_timeout_after_effect")
    resume(api, payment, result="approve")
    work()
    assert api.payment(payment["id"])["state"] == "CAPTURED"
    assert [charge["captured"] for charge in provider.truth()] == [12990]


def test_made_up_details_bring_the_payment_back_to_its_payer(api: Api, work: Callable[[], None]) -> None:
    payment = waiting(api, work)
    resume(api, payment, result="made up")
    work()
    again = api.payment(payment["id"])
    assert (again["state"], again["next_action"]) == ("REQUIRES_ACTION", payment["next_action"])


def test_a_resume_is_answered_the_same_for_ever_and_others_are_told_what_to_do(
    api: Api, work: Callable[[], None]
) -> None:
    payment = waiting(api, work)
    first = resume(api, payment, result="approve")
    other_key = resume(api, payment, key="order-10293-resume-2", result="approve")
    other_details = resume(api, payment, result="decline")
    work()
    again = resume(api, payment, result="approve")
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert (other_key.status_code, other_key.json()["code"]) == (409, "payment.not_resumable")
    assert (other_details.status_code, other_details.json()["fields"]) == (422, ["details"])
    late = resume(api, payment, key="order-10293-resume-2", result="approve")
    assert (late.status_code, late.json()["state"]) == (409, "CAPTURED")


def test_what_the_payer_brought_is_told_nowhere_and_erased(api: Api, work: Callable[[], None]) -> None:
    payment = waiting(api, work)
    resume(api, payment, result="approve", secret_of_the_bank="c2VjcmV0")
    assert Resumption.objects.get().details is not None
    work()
    story = api.get(f"payments/{payment['id']}/timeline").json()
    titles = [moment["title"] for moment in story["moments"]]
    assert "Resume requested" in titles
    assert "What the payer brought back handed in to sandbox: approved" in titles
    told = json.dumps([story, api.get(f"idempotency-keys/{RESUME}").json(), *OutboxEvent.objects.values_list("data")])
    assert "c2VjcmV0" not in told
    assert Resumption.objects.get().details is None


@pytest.mark.parametrize(
    "details",
    [
        "text",
        ["list"],
        {"result": 1},
        {"result": None},
        {"": "x"},
        {"line": "a\nb"},
        {"long": "x" * 16_001},
        {"n" * 101: "x"},
        {f"n{number}": "x" for number in range(21)},
    ],
)
def test_details_of_another_shape_are_refused(api: Api, work: Callable[[], None], details: Any) -> None:
    payment = waiting(api, work)
    answer = api.post(f"payments/{payment['id']}/resume", {"details": details}, key=RESUME)
    assert (answer.status_code, answer.json()["code"]) == (400, "request.invalid")
    assert stored(payment["id"]).state == "REQUIRES_ACTION"


@pytest.mark.parametrize("token", ["tok_requires_action", "tok_withdrawal_timeout_after_effect"])
def test_a_payment_nobody_waits_for_is_taken_back(
    api: Api, work: Callable[[], None], provider: SandboxServer, token: str
) -> None:
    payment = waiting(api, work, token=token)
    answer = api.post(f"payments/{payment['id']}/cancel", key="cancel-one-10293")
    assert (answer.status_code, answer.json()["mode"]) == (202, "WAITING")
    work()
    assert api.payment(payment["id"])["state"] == "CANCELED"
    [charge] = provider.truth()
    assert ([each["status"] for each in charge["operations"]], charge["authorized"]) == (["withdrawn"], 0)


def test_a_payer_who_was_faster_than_the_cancel_has_paid(api: Api, work: Callable[[], None]) -> None:
    payment = waiting(api, work, token="tok_requires_action")
    httpx.post(payment["next_action"]["url"], params={"result": "approve"}, trust_env=False).raise_for_status()
    api.post(f"payments/{payment['id']}/cancel", key="cancel-one-10293")
    work()
    assert api.payment(payment["id"])["state"] == "CAPTURED"


def test_a_refresh_has_the_provider_asked_before_its_time(api: Api, work: Callable[[], None]) -> None:
    payment = waiting(api, work, token="tok_requires_action")
    httpx.post(payment["next_action"]["url"], trust_env=False).raise_for_status()
    Attempt.objects.update(next_action_at=clock.now() + timedelta(hours=2))
    work()
    assert api.payment(payment["id"])["state"] == "REQUIRES_ACTION"
    headers = {"Authorization": f"Api-Key {api.secret}", "Prefer": "wait=1"}
    answer = api.http.get(f"/api/v1/payments/{payment['id']}", {"refresh": "true"}, headers=headers)
    assert (answer["Preference-Applied"], answer.json()["state"]) == ("wait=1", "REQUIRES_ACTION")
    work()
    assert api.payment(payment["id"])["state"] == "CAPTURED"
    assert api.get(f"payments/{payment['id']}", refresh="perhaps").status_code == 400
