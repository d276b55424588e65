"""Disputes over HTTP: the sandbox's bank moves them, its signed webhooks arrive, payments and books follow."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from ledger.models import Line
from paymentops.core import clock
from paymentops.events import operations as events
from paymentops.incidents.models import Incident, IncidentPayment
from paymentops.payments.models import Dispute
from paymentops.payments.operations import disputing
from paymentops.providers.sandbox.notices import signature
from tests.payments.conftest import Api, make_api, work
from tests.plugins.sandbox import SandboxServer

__all__ = ["work"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("verified")]


@dataclass
class Court:
    """A captured payment whose charge is disputed, and the webhooks of it."""

    api: Api
    sandbox: SandboxServer
    payment: str
    charge: str
    seen: int = 0

    def deliver(self, *, reverse: bool = False, twice: bool = False) -> list[str]:
        """Deliver the webhooks written since the last time; return what became of each."""
        news = [event for event in self.sandbox.events() if event["seq"] > self.seen]
        news = [event for event in news if event["type"].startswith("dispute.")]
        self.seen = max((event["seq"] for event in news), default=self.seen)
        ordered = news[::-1] if reverse else news
        return [self.post(event) for event in (ordered + ordered if twice else ordered)]

    def post(self, event: dict[str, Any]) -> str:
        body = json.dumps({name: event[name] for name in ("id", "type", "created_at", "data")}).encode()
        timestamp = str(int(time.time()))
        signed = signature(secret=self.sandbox.webhook_secret, timestamp=timestamp, body=body)
        answer = Client().post(
            "/api/v1/webhooks/sandbox",
            data=body,
            content_type="application/json",
            headers={"Sandbox-Timestamp": timestamp, "Sandbox-Signature": signed},
        )
        assert answer.status_code == 200, answer.content
        return answer.json()["states"][0]

    @property
    def amounts(self) -> dict[str, int]:
        return dict(self.api.payment(self.payment)["amounts"])

    @property
    def case(self) -> Dispute:
        return Dispute.objects.get()


@pytest.fixture
def court(api: Api, provider: SandboxServer, work: Callable[[], int]) -> Court:
    created = api.pay(key="order-10293-attempt-1")
    work()
    [charge] = provider.truth()
    return Court(api, provider, created["id"], charge["id"])


def books(code: str) -> int:
    return sum(Line.objects.filter(account__code__startswith=code).values_list("amount", flat=True))


def refund(court: Court, amount: int, key: str = "refund-one-10293") -> int:
    return court.api.post(f"payments/{court.payment}/refunds", {"amount": amount}, key=key).status_code


def test_a_dispute_is_opened_and_won_with_its_fee(court: Court) -> None:
    dispute = court.sandbox.open_dispute(court.charge, amount=5000, fee=1500, evidence_due_at="2031-01-01T00:00:00Z")
    assert court.deliver(twice=True) == ["APPLIED", "APPLIED"]
    assert (court.amounts["disputed"], books("1210"), books("5020")) == (5000, 5000, 1500)
    assert court.sandbox.truth()[0]["disputed"] == 5000
    assert (refund(court, 8000), refund(court, 7990)) == (409, 201)
    court.sandbox.move_dispute(dispute, status="won", fee=0)
    assert court.deliver() == ["APPLIED"]
    assert (court.case.state, court.amounts["disputed"], books("1210"), books("5020")) == ("WON", 0, 0, 0)
    assert court.sandbox.truth()[0]["disputed"] == 0


def test_an_inquiry_becomes_a_chargeback_and_is_lost(court: Court) -> None:
    dispute = court.sandbox.open_dispute(court.charge, status="inquiry")
    court.deliver()
    assert (court.case.state, court.amounts["disputed"], books("1210")) == ("INQUIRY", 0, 0)
    court.sandbox.move_dispute(dispute, status="needs_response", stage="chargeback", fee=1500)
    court.sandbox.move_dispute(dispute, status="lost")
    # The end comes before the beginning.
    assert court.deliver(reverse=True) == ["APPLIED", "RECORDED"]
    assert (court.case.state, books("1210"), books("5030"), books("5020")) == ("LOST", 0, 12990, 1500)
    assert refund(court, 1) == 409


def test_a_lost_dispute_is_won_in_pre_arbitration(court: Court) -> None:
    dispute = court.sandbox.open_dispute(court.charge)
    for status in ("under_review", "lost", "pre_arbitration"):
        court.sandbox.move_dispute(dispute, status=status)
    court.deliver()
    assert (court.case.state, court.amounts["disputed"], books("5030")) == ("PRE_ARBITRATION", 12990, 0)
    court.sandbox.move_dispute(dispute, status="won")
    court.deliver()
    assert (court.case.state, court.amounts["disputed"], books("1210"), books("5030")) == ("WON", 0, 0, 0)


def test_a_second_chargeback_after_a_full_refund_is_booked_as_excess(court: Court, work: Callable[[], int]) -> None:
    dispute = court.sandbox.open_dispute(court.charge)
    court.sandbox.move_dispute(dispute, status="under_review")
    court.sandbox.move_dispute(dispute, status="won_provisional")
    court.deliver()
    assert refund(court, 12990) == 201
    work()
    court.sandbox.move_dispute(dispute, status="needs_response", stage="second_chargeback")
    court.sandbox.move_dispute(dispute, status="lost")
    assert court.deliver() == ["APPLIED", "APPLIED"]
    assert (court.case.excess, court.case.stage, books("5030")) == (12990, "SECOND_CHARGEBACK", 12990)
    assert court.amounts["refunded"] == 12990


def test_a_status_nobody_knows_keeps_the_dispute_open(court: Court) -> None:
    dispute = court.sandbox.open_dispute(court.charge)
    court.sandbox.move_dispute(dispute, status="parked_for_audit")
    assert court.deliver() == ["APPLIED", "RECORDED"]
    assert (court.case.state, books("1210")) == ("OPEN", 12990)


def test_a_dispute_is_told_of_before_the_answer_to_its_charge(
    api: Api, provider: SandboxServer, work: Callable[[], int]
) -> None:
    """The first answer is lost, so only our reference tells which payment it is about."""
    created = api.pay(key="order-10293-attempt-1", payment_token="tok_error_after_effect")
    work()
    [charge] = provider.truth()
    court = Court(api, provider, created["id"], charge["id"])
    provider.open_dispute(charge["id"])
    assert court.deliver() == ["APPLIED"]
    assert court.case.payment is not None
    assert court.case.payment.public_id == created["id"]


def test_services_read_their_disputes_and_no_others(court: Court) -> None:
    dispute = court.sandbox.open_dispute(
        court.charge, amount=5000, fee=1500, reason="not_received", evidence_due_at="2031-01-01T00:00:00Z"
    )
    court.sandbox.open_dispute(court.charge, status="inquiry", amount=100)
    court.deliver()
    shown = court.api.get("disputes", is_open="true", state="OPEN").json()
    [listed] = shown["results"]
    assert listed["provider_reference"] == dispute
    assert (listed["amount"], listed["withheld"], listed["fee"]) == (5000, 5000, {"amount": 1500, "currency": "EUR"})
    assert listed["reason"] == {"code": "not_received", "class": "NOT_RECEIVED"}
    assert listed["evidence"] == {"state": "NONE", "due_at": "2031-01-01T00:00:00.000000Z"}
    whole = court.api.get(f"disputes/{listed['id']}").json()
    assert [move["state"] for move in whole["moves"]] == ["OPEN"]
    assert whole == listed | {"moves": whole["moves"]}
    assert len(court.api.get(f"payments/{court.payment}/disputes").json()["results"]) == 2
    assert court.api.get("disputes", reason_class="FRAUD").json()["results"][0]["state"] == "INQUIRY"
    first = court.api.get("disputes", limit=1).json()
    assert len(first["results"]) == 1
    assert "cursor=" in first["next"]
    assert court.api.get("disputes", due_before="2030-01-01T00:00:00Z").json()["results"] == []
    assert court.api.get("disputes", stage="nonsense").status_code == 400
    stranger = make_api("stranger")
    assert stranger.get(f"disputes/{listed['id']}").status_code == 404
    assert stranger.get("disputes").json()["results"] == []
    assert make_api("blind", ["refunds:write"]).get("disputes").status_code == 403


def test_disputes_open_incidents_of_their_own_rules(court: Court) -> None:
    dispute = court.sandbox.open_dispute(court.charge, status="inquiry", evidence_due_at="2031-01-03T00:00:00Z")
    court.sandbox.move_dispute(dispute, status="needs_response", stage="chargeback", amount=13000)
    court.deliver()
    for day in (1, 4):
        disputing.watch(limit=10, now=datetime(2031, 1, day, tzinfo=UTC))
    court.sandbox.move_dispute(dispute, status="won")
    court.sandbox.move_dispute(dispute, status="needs_response")
    court.deliver()
    events.deliver_due(now=clock.now() + timedelta(days=3650), limit=200)
    found = {incident.rule: (incident.severity, str(incident.ownership.team)) for incident in Incident.objects.all()}
    assert found == {
        "dispute.inquiry": ("SEV4", "Finance"),
        "dispute.opened": ("SEV3", "Finance"),
        "dispute.evidence_due": ("SEV3", "Finance"),
        "dispute.evidence_missed": ("SEV2", "Finance"),
        "dispute.excess": ("SEV2", "Finance"),
        "dispute.contradicted": ("SEV2", "Finance"),
    }
    touched = IncidentPayment.objects.filter(incident__rule="dispute.opened").get()
    assert (touched.payment.public_id, touched.amount) == (court.payment, 13000)
