"""Against the real web server: two processes with four threads each, so that requests really overlap."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.payments.conftest import payment_body
from tests.plugins.system import System

pytestmark = pytest.mark.slow

KEY = "order-10293-attempt-1"


def post_many(system: System, requests: list[tuple[str, dict[str, object], str]]) -> list[httpx.Response]:
    """Send all at once, each on a connection of its own."""

    def send(request: tuple[str, dict[str, object], str]) -> httpx.Response:
        path, body, key = request
        headers = {"Authorization": system.http.headers["Authorization"], "Idempotency-Key": key}
        with httpx.Client(trust_env=False, timeout=60) as http:
            return http.post(f"{system.url}/api/v1/{path}", json=body, headers=headers)

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(send, requests))


def work_off(system: System) -> None:
    code = "from paymentops.payments import tasks; import time\nwhile tasks.sweep(): time.sleep(0.1)"
    system.manage("shell", "--verbosity", "0", "--command", code)


def test_races_over_http_end_in_one_payment_one_charge_and_no_failure(system: System) -> None:
    answers = post_many(system, [("payments", payment_body(), KEY)] * 50)
    assert {answer.status_code for answer in answers} <= {201, 409}
    accepted = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in accepted}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in accepted) == 1
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code == 409)

    other = post_many(system, [("payments", payment_body(amount=n), "order-10294-attempt-1") for n in range(1, 21)])
    assert {answer.status_code for answer in other} <= {201, 409, 422}
    assert sum(answer.status_code == 201 for answer in other) == 1

    work_off(system)
    assert max(charge["captured"] for charge in system.sandbox.truth()) == 12990
    assert len(system.sandbox.truth()) == 2

    payment = accepted[0].json()["id"]
    refunds = post_many(
        system, [(f"payments/{payment}/refunds", {"amount": 1000}, f"refund-10293-{n:04d}") for n in range(60)]
    )
    assert sorted({answer.status_code for answer in refunds}) == [201, 409]
    assert sum(answer.status_code == 201 for answer in refunds) == 12
    work_off(system)
    assert sorted(charge["refunded"] for charge in system.sandbox.truth()) == [0, 12000]
    assert system.violations() == {}
