"""Two thousand payments through a harsh provider while the workers are killed: nobody is charged twice."""

import subprocess
import threading
import time
from collections import Counter, deque
from itertools import batched
from typing import Self

import pytest

from tests.plugins.system import System

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PAYMENTS = 2000
SECONDS_OF_WORK = 3.0
SECONDS_AT_MOST = 600.0
# Behaviour of the payer's bank beside the faults of the profile; every tenth payment is a hold.
TOKENS = ["tok_approved"] * 14 + [
    "tok_pending",
    "tok_partial_approval",
    "tok_capture_timeout_after_effect",
    "tok_refund_timeout_before_effect",
    "tok_refund_declined",
    "tok_timeout_after_effect_no_webhook",
]
OPEN = "('PREPARED', 'DISPATCHED', 'PENDING', 'ACTION_REQUIRED', 'UNKNOWN')"


@pytest.fixture
def system_settings() -> dict[str, str]:
    """Production's settings with every wait made short; the order between them is kept."""
    return {
        "PAYMENTOPS_SANDBOX_TIMEOUT_SECONDS": "1.2",
        "PAYMENTOPS_LEASE_SECONDS": "4",
        "PAYMENTOPS_SANDBOX_INQUIRY_SECONDS": "0.3,0.5,1,1,2",
        "PAYMENTOPS_SANDBOX_VISIBILITY_SECONDS": "2",
        "PAYMENTOPS_SANDBOX_NOT_FOUND_GAP_SECONDS": "0.5",
        "PAYMENTOPS_SWEEP_INTERVAL_SECONDS": "0.5",
        # Most calls fail here; breakers would rightly hold nearly all of them back.
        "PAYMENTOPS_BREAKER_LEAST_CALLS": "1000000",
    }


def test_killed_workers_charge_nobody_twice_and_leave_nothing_open(system: System) -> None:
    system.sandbox.set_faults(
        profile="harshest",
        seed=20261122,
        hang_seconds=3,
        slow_seconds=0.2,
        late_effect_seconds=0.9,
        pending_seconds=1,
        webhook_late_seconds=1,
    )
    system.start_beat()
    with Kills(system) as kills:
        accept_all(system)
        follow_up_until_nothing_is_open(system)

    assert kills.count >= 3
    assert_truth_agrees(system)
    assert system.violations() == {}, system.logs()


class Kills:
    """Keeps two workers running and kills one of them, in turn, once it has worked for a few seconds."""

    def __init__(self, system: System) -> None:
        self.count = 0
        self._system = system
        self._started = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        running = deque([self._start(), self._start()])
        while True:
            name, process = running.popleft()
            started_at = time.monotonic()
            while not self._system.works(name):
                if self._over.wait(0.2):
                    return
            # Where starting takes long because the machine is busy, a worker must live longer to get anything done.
            if self._over.wait(max(SECONDS_OF_WORK, time.monotonic() - started_at)):
                return
            self._system.kill(process)
            self.count += 1
            running.append(self._start())

    def _start(self) -> tuple[str, "subprocess.Popen[bytes]"]:
        self._started += 1
        name = f"worker-{self._started}"
        return name, self._system.start_worker(name=name, concurrency=6)


def accept_all(system: System) -> None:
    for numbers in batched(range(PAYMENTS), 100, strict=True):
        items = [{"idempotency_key": f"kill-test-payment-{n:06d}", **body(n)} for n in numbers]
        answer = system.post("payments/batch", {"payments": items})
        assert answer.status_code == 200, answer.text
        assert {result["status"] for result in answer.json()["results"]} == {201}
        # A service that did not hear the answer asks again, alone.
        again = system.post("payments", body(numbers[0]), key=f"kill-test-payment-{numbers[0]:06d}")
        assert (again.status_code, again.json()) == (201, answer.json()["results"][0]["body"])


def body(number: int) -> dict[str, object]:
    return {
        "amount": 1000 + number,
        "currency": "EUR",
        "method": "card",
        "payment_token": TOKENS[number % len(TOKENS)],
        "reference": f"order-{number:06d}",
        "capture": "manual" if number % 10 == 0 else "automatic",
        "provider": "sandbox",
    }


def follow_up_until_nothing_is_open(system: System) -> None:
    """Capture and cancel holds, refund a tenth of the sales, and wait until all of it has an end."""
    give_up = time.monotonic() + SECONDS_AT_MOST
    while True:
        asked = capture_or_cancel(system) + refund_some(system)
        [(still_open,)] = system.rows(f"SELECT count(*) FROM payments_attempt WHERE state IN {OPEN}")
        if not asked and not still_open:
            return
        if time.monotonic() > give_up:
            left = system.rows(
                "SELECT operation, state, dispatches, inquiries, next_action_at, result_message"
                f" FROM payments_attempt WHERE state IN {OPEN} LIMIT 20"
            )
            pytest.fail(f"{still_open} attempts are still open: {left}\n{system.logs()}")
        time.sleep(0.5)


def capture_or_cancel(system: System) -> int:
    """Ask once for each hold: a capture of all or of half (the rest is cancelled later), or a cancel."""
    holds = system.rows(
        "SELECT replace(p.id::text, '-', ''), p.state, p.authorized, p.requested FROM payments_payment p"
        " WHERE p.state IN ('AUTHORIZED', 'PARTIALLY_CAPTURED')"
        " AND NOT EXISTS (SELECT FROM payments_attempt a WHERE a.payment_id = p.id AND a.operation <> 'REFUND'"
        f" AND a.state IN {OPEN})"
        " AND (SELECT count(*) FROM payments_attempt a WHERE a.payment_id = p.id) < 4"
        " AND NOT EXISTS (SELECT FROM payments_cancellation c WHERE c.payment_id = p.id)"
    )
    for payment_id, state, authorized, requested in holds:
        path = f"payments/pay_{payment_id}"
        if state == "PARTIALLY_CAPTURED" or requested % 40 == 0:
            answer = system.post(f"{path}/cancel", {}, key=f"cancel-{payment_id}")
        else:
            amount = authorized // 2 if requested % 40 == 10 else authorized
            tries = system.rows("SELECT count(*) FROM payments_capture WHERE payment_id = %s", payment_id)[0][0]
            answer = system.post(f"{path}/captures", {"amount": amount}, key=f"capture-{payment_id}-{tries}")
        assert answer.status_code in (201, 202, 409), answer.text
    return len(holds)


def refund_some(system: System) -> int:
    captured = system.rows(
        "SELECT replace(p.id::text, '-', ''), p.captured FROM payments_payment p"
        " WHERE p.state = 'CAPTURED' AND p.captured > 0 AND p.requested % 10 IN (1, 8)"
        " AND NOT EXISTS (SELECT FROM payments_refund r WHERE r.payment_id = p.id)"
    )
    for payment_id, amount in captured:
        for part in (amount // 2, amount - amount // 2):
            answer = system.post(
                f"payments/pay_{payment_id}/refunds", {"amount": part}, key=f"refund-{payment_id}-{part:09d}"
            )
            assert answer.status_code == 201, answer.text
    return len(captured)


def assert_truth_agrees(system: System) -> None:
    """Compare every payment with what the provider really did, in both directions."""
    truth = system.sandbox.truth()
    repeated = {key: n for charge in truth for key, n in charge["effects"].items() if n > 1}
    assert repeated == {}
    real = [charge for charge in truth if charge["authorized"]]
    twice = {reference: n for reference, n in Counter(charge["reference"] for charge in real).items() if n > 1}
    assert twice == {}

    columns = "authorized, captured, voided, refunded"
    ours = {
        f"pay_{row[0]}": row[1:]
        for row in system.rows(f"SELECT replace(id::text, '-', ''), {columns} FROM payments_payment")
    }
    assert len(ours) == PAYMENTS
    nothing = (0, 0, 0, 0)
    theirs = {charge["reference"]: tuple(charge[name] for name in columns.split(", ")) for charge in real}
    differing = {
        payment_id: (ours.get(payment_id, nothing), theirs.get(payment_id, nothing))
        for payment_id in ours.keys() | theirs.keys()
        if ours.get(payment_id, nothing) != theirs.get(payment_id, nothing)
    }
    assert differing == {}
    states = dict(system.rows("SELECT state, count(*) FROM payments_payment GROUP BY state"))
    assert set(states) <= {"CAPTURED", "FAILED", "VOIDED", "AUTHORIZED", "PARTIALLY_CAPTURED"}, states
    assert states["CAPTURED"] > PAYMENTS * 0.8
    assert states["FAILED"] > PAYMENTS * 0.03
