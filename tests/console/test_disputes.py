"""Disputes in the console: evidence due first, one dispute's story, and who answers for it."""

from datetime import timedelta

import pytest

from paymentops.core import clock
from paymentops.payments.models import Dispute
from paymentops.payments.operations import disputing
from paymentops.payments.operations.disputing import Charge, Told
from paymentops.providers.disputes import DisputeNews, DisputeStatus, ReasonClass
from tests.console.conftest import ROLES, person
from tests.payments.hands import Hands, eur, make_requester

pytestmark = pytest.mark.django_db
LIST = "/console/disputes/"


def open_dispute(name: str, *, days: int, charge: str = "ch_1", amount: int = 4000) -> Dispute:
    now = clock.now()
    news = DisputeNews(
        dispute=name,
        status=DisputeStatus.OPEN,
        amount=eur(amount),
        fee=eur(1500),
        reason_class=ReasonClass.FRAUD,
        evidence_due_at=now + timedelta(days=days),
    )
    told = Told(
        provider="sandbox",
        event_id=f"evt_{name}",
        kind="dispute.needs_response",
        occurred_at=now,
        news=news,
        charge=Charge(provider_reference=charge),
    )
    return disputing.record(told=told, now=now).dispute


def test_disputes_are_listed_by_deadline_and_view() -> None:
    Hands(requester=make_requester()).sale()
    later, sooner = open_dispute("dp_later", days=9), open_dispute("dp_sooner", days=2, amount=9000)
    stranger = open_dispute("dp_stranger", days=5, charge="ch_unknown")
    page = person("Finance")
    shown = page.get(LIST).text
    assert shown.index("dp_sooner") < shown.index("dp_stranger") < shown.index("dp_later")
    assert "unknown charge" in shown
    only = page.get(f"{LIST}?view=unlinked").text
    assert stranger.provider_reference in only
    assert later.provider_reference not in only
    assert sooner.provider_reference in page.get(f"{LIST}?view=excess").text
    assert "No disputes in this view" in page.get(f"{LIST}?state=WON").text


def test_a_dispute_tells_its_story_and_is_taken_and_commented_once() -> None:
    payment = Hands(requester=make_requester()).sale()
    found = open_dispute("dp_1", days=3)
    address = f"{LIST}{found.public_id}"
    for role in ROLES:
        page = person(role)
        shown = page.get(address)
        assert shown.status_code == 200
        assert payment.public_id in shown.text
        assert ("Take it</button>" in shown.text) == (role != "Viewer")
    form = {"form_token": "a-token-of-a-claiming-form", "ownership_version": "1"}
    for _ in range(2):
        assert page.post(f"{address}/claim", form).status_code == 302
    said = {"form_token": "a-token-of-a-comment-form", "reason": "We send the delivery note."}
    assert page.post(f"{address}/comment", said).status_code == 302
    shown = page.get(address).text
    assert "somebody-admin" in shown
    assert "We send the delivery note." in shown
    assert page.post(f"{address}/claim", {"form_token": "another-token-of-a-form"}).status_code == 400
    assert page.get(f"{LIST}dsp_{'0' * 32}").status_code == 404
    assert found.public_id in page.get(f"/console/payments/{payment.public_id}").text
