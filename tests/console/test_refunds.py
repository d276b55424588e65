"""Refunds that wait for approval in the console: the list, the decision, and who may not take it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal
from paymentops.payments.models import Refund
from paymentops.payments.operations import approving, refunding
from tests.console.conftest import person
from tests.payments.hands import Hands, fresh, make_requester

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("db")]
PAGE = "/console/refunds/waiting"


@pytest.fixture
def refund(db: None, settings: Any) -> Refund:
    settings.REFUND_APPROVAL_LIMITS = {"EUR": 5000}
    hands = Hands(requester=make_requester())
    return hands.refund(hands.sale(), 6000)


def proposal() -> Proposal:
    return Proposal.objects.get(state="PROPOSED")


def decide(client: Client, deed: str, **changed: object):
    page = f"{PAGE}/{proposal().public_id}"
    token = client.get(page).context["form_token"]
    return client.post(f"{page}/{deed}", {"form_token": token, "version": 1, "reason": "Looked at it.", **changed})


def test_a_waiting_refund_is_listed_with_its_age_and_approved_once(refund: Refund, settings: Any) -> None:
    checker = person("Finance approver")
    shown = checker.get(PAGE).content.decode()
    assert refund.public_id in shown
    assert "the amount is over the limit" in shown
    assert "overdue" not in shown
    Refund.objects.update(created_at=refund.created_at - timedelta(hours=25))
    assert "overdue" in checker.get(PAGE).content.decode()
    page = f"{PAGE}/{proposal().public_id}"
    token = checker.get(page).context["form_token"]
    answers = [checker.post(f"{page}/approve", {"form_token": token, "version": 1}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 302]
    assert (fresh(refund).state, refund.attempts.count()) == ("APPROVED", 1)
    assert "CARRIED_OUT" in checker.get(page).content.decode() or "carried out" in checker.get(page).content.decode()
    assert refund.public_id not in checker.get(PAGE).content.decode()


def test_a_refund_is_rejected_with_a_reason_only(refund: Refund) -> None:
    checker = person("Finance approver")
    assert decide(checker, "reject", reason=" ").status_code == 400
    assert fresh(refund).state == "REQUESTED"
    assert decide(checker, "reject", reason="Not theirs.").status_code == 302
    assert (fresh(refund).state, fresh(refund.payment).refundable) == ("REJECTED", 10000)


def test_who_lacks_the_right_sees_the_refund_and_cannot_decide(refund: Refund) -> None:
    viewer = person("Viewer")
    page = f"{PAGE}/{proposal().public_id}"
    assert "It waits for another person" in viewer.get(page).content.decode()
    assert viewer.post(f"{page}/approve", {"version": 1}).status_code == 403
    assert viewer.get(f"{page}/approve").status_code == 404
    assert Client().get(PAGE).status_code == 302
    assert fresh(refund).state == "REQUESTED"


def test_who_proposed_a_refund_is_refused_when_they_approve_it(refund: Refund) -> None:
    proposer = person("Finance approver")
    by = Actor.person(User.objects.get(username="somebody-finance-approver"))
    about, now = refunding.subject(refund), refund.created_at
    casework.overtake(kind="payments.refund", subject=about, why="Asked anew.", by=by, now=now)
    approving.ask(refund, by=by, now=now)
    assert "It waits for another person" in proposer.get(f"{PAGE}/{proposal().public_id}").content.decode()
    assert decide(proposer, "approve").status_code == 403
    assert fresh(refund).state == "REQUESTED"


def test_a_proposal_of_another_kind_is_not_found_here(refund: Refund) -> None:
    assert person("Finance approver").get(f"{PAGE}/prp_{'0' * 32}").status_code == 404
