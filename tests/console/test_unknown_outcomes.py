"""Unknown outcomes in the console: what is at stake, the verdict, asking now, and two people who decide."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from paymentops.access.models import AuditEntry, User
from paymentops.casework.models import Proposal
from paymentops.core import clock
from paymentops.payments.models import Attempt
from tests.console.conftest import ROLES, person
from tests.payments.conftest import hands
from tests.payments.hands import Hands, fresh

__all__ = ["hands"]
pytestmark = pytest.mark.django_db

LIST = "/console/unknown-outcomes/"


@pytest.fixture
def doubt(hands: Hands, settings) -> Attempt:
    """An attempt past its settlement cut-off, which is at once here."""
    settings.SETTLEMENT_CUT_OFF_DAYS = 0
    hands.now = clock.now() - timedelta(hours=2)
    hands.pay(reference="order-in-doubt")
    hands.send(hands.unknown())
    return Attempt.objects.get()


def colleague(name: str, role: str) -> Client:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def send(client: Client, attempt: Attempt, deed: str, **values: object):
    page = client.get(f"{LIST}{attempt.public_id}").text
    token = re.search(r'name="form_token" value="([^"]+)"', page)
    version = re.search(r'name="version" value="(\d+)"', page)
    form = {"form_token": token[1] if token else "x" * 20, "version": version[1] if version else 0, **values}
    return client.post(f"{LIST}{attempt.public_id}/{deed}", form)


def propose(client: Client, attempt: Attempt, **changed: object):
    form = {
        "happened": "yes",
        "amount": "100.00",
        "provider_reference": "ch_77",
        "occurred_at": f"{clock.now() - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}",
        "evidence": "The provider's page shows it.",
        "reason": "It does not answer.",
    }
    return send(client, attempt, "propose", **{**form, **changed})


def test_everybody_sees_the_queue_with_its_verdicts_and_what_is_at_stake(doubt, hands) -> None:
    for role in ROLES:
        client = person(role)
        page = client.get(LIST).text
        assert "order-in-doubt" in page
        assert "No, because the authorisation may have happened" in page
        assert "100.00" in page
        shown = client.get(f"{LIST}{doubt.public_id}")
        assert shown.status_code == 200
        assert ("Ask sandbox now" in shown.text) == (role in ("Finance", "Finance approver", "Engineer"))
    assert "Every outcome is known" in client.get(LIST, {"provider": "stripe"}).text


def test_an_empty_queue_says_so_and_what_is_not_there_is_404(viewer) -> None:
    assert "Every outcome is known" in viewer.get(LIST).text
    assert viewer.get(f"{LIST}att_1").status_code == 404
    assert viewer.get(f"{LIST}att_{'0' * 32}").status_code == 404
    assert viewer.get(LIST, {"after": "nothing"}).status_code == 404


def test_asking_now_makes_the_inquiry_due_once(doubt, engineer, viewer) -> None:
    assert send(viewer, doubt, "ask").status_code == 403
    Attempt.objects.update(next_action_at=clock.now() + timedelta(days=1))
    for _ in range(2):
        assert send(engineer, doubt, "ask").status_code == 302
    assert fresh(doubt).next_action_at <= clock.now()
    assert AuditEntry.objects.filter(action="payment.inquiry_asked_for").count() == 1


def test_two_people_decide_that_it_happened(doubt, hands) -> None:
    one, other = colleague("one", "Finance"), colleague("other", "Finance approver")
    assert propose(one, doubt).status_code == 302
    assert "You proposed this" in one.get(f"{LIST}{doubt.public_id}").text
    assert send(one, doubt, "approve").status_code == 403
    page = other.get(f"{LIST}{doubt.public_id}").text
    assert "It happened: 100.00 EUR as ch_77." in page
    assert send(other, doubt, "approve", reason="Seen.").status_code == 302
    assert (fresh(doubt).state, fresh(doubt.payment).state) == ("SUCCEEDED", "CAPTURED")
    assert "two people decided that it happened" in other.get(f"/console/payments/{doubt.payment.public_id}").text


def test_nobody_decides_alone_even_with_the_right_to(doubt) -> None:
    alone = colleague("alone", "Finance approver")
    assert propose(alone, doubt).status_code == 302
    assert "Approve and record" not in alone.get(f"{LIST}{doubt.public_id}").text
    refused = send(alone, doubt, "approve")
    assert refused.status_code == 403
    assert fresh(doubt).state == "UNKNOWN"


def test_what_changed_since_the_proposal_is_shown_and_nothing_is_approved(doubt, hands) -> None:
    one, other = colleague("one", "Finance"), colleague("other", "Finance approver")
    propose(one, doubt, happened="no")
    hands.notify(doubt, hands.declined())
    page = other.get(f"{LIST}{doubt.public_id}").text
    assert "The facts changed since it was proposed" in page
    assert "attempt.state was UNKNOWN and is DECLINED" in page
    send(other, doubt, "approve")
    assert Proposal.objects.get().state == "STALE"


def test_a_proposal_is_returned_or_withdrawn_and_can_be_made_anew(doubt) -> None:
    one, other = colleague("one", "Finance"), colleague("other", "Finance approver")
    propose(one, doubt)
    assert send(other, doubt, "return", reason="Which page?").status_code == 302
    propose(one, doubt)
    assert send(other, doubt, "withdraw", reason="Mine?").status_code == 403
    assert send(one, doubt, "withdraw", reason="Wrong id.").status_code == 302
    assert set(Proposal.objects.values_list("state", flat=True)) == {"REJECTED", "WITHDRAWN"}


@pytest.mark.parametrize(
    "changed",
    [{"amount": "1,00"}, {"amount": "100.01"}, {"occurred_at": "yesterday"}, {"happened": "maybe"}, {"evidence": ""}],
)
def test_a_form_that_cannot_be_right_comes_back_with_what_was_typed(doubt, changed) -> None:
    refused = propose(colleague("one", "Finance"), doubt, **changed)
    assert refused.status_code == 400
    assert "ch_77" in refused.text
    assert not Proposal.objects.exists()
