"""Refunds over a limit wait for a second person: reserved at once, decided once, sent by whoever comes next."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, connections, transaction

from ledger.models import Line
from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework import operations as casework
from paymentops.casework.models import Proposal
from paymentops.payments.approvals import Approval, limit_of, needed
from paymentops.payments.commands import RefundPayment
from paymentops.payments.models import Attempt, Refund
from paymentops.payments.operations import approving, refunding, requesting
from paymentops.payments.operations.accepting import Requester
from paymentops.payments.operations.approving import RefundNotCancelable
from paymentops.providers.contract import Reversed
from tests.payments.conftest import make_api
from tests.payments.hands import Hands, eur, fresh

pytestmark = pytest.mark.django_db
verified = pytest.mark.usefixtures("verified")


@pytest.fixture(autouse=True)
def limits(settings: Any) -> None:
    settings.REFUND_APPROVAL_LIMITS = {"EUR": 5000}


@pytest.fixture
def approver(db: None) -> Actor:
    return person("approver")


def person(name: str, role: str = "Finance approver") -> Actor:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return Actor.person(User.objects.get(pk=user.pk))


def proposal_of(refund: Refund) -> Proposal:
    return Proposal.objects.get(subject_id=refund.public_id)


def approve(hands: Hands, refund: Refund, by: Actor) -> casework.Decision[Refund]:
    proposal = proposal_of(refund)
    return approving.approve(proposal_id=proposal.pk, version=proposal.version, by=by, now=hands.now)


def in_flight() -> int:
    return -sum(Line.objects.filter(account__code="2020").values_list("amount", flat=True))


@pytest.mark.parametrize(
    ("amount", "unseen", "limit", "expected"),
    [
        (5000, 0, None, Approval.NOT_NEEDED),
        (5000, 0, 5000, Approval.NOT_NEEDED),
        (5001, 0, 5000, Approval.OVER_LIMIT),
        (2000, 3001, 5000, Approval.SPLIT),
        (1, 0, 0, Approval.OVER_LIMIT),
    ],
)
def test_the_limit_counts_what_nobody_has_looked_at(amount, unseen, limit, expected) -> None:
    assert needed(amount=amount, unseen=unseen, limit=limit) is expected


def test_the_limit_of_a_client_counts_before_that_of_all() -> None:
    limits = {"EUR": 5000, "cli_1:EUR": 100}
    assert [limit_of(limits, client=who, currency="EUR") for who in ("cli_1", "cli_2")] == [100, 5000]
    assert limit_of(limits, client="cli_1", currency="USD") is None


@verified
def test_a_refund_over_the_limit_is_reserved_and_waits_until_a_person_approves_it(hands: Hands, approver) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 6000)
    assert (refund.state, refund.approval, fresh(payment).refundable, in_flight()) == (
        "REQUESTED",
        "OVER_LIMIT",
        4000,
        6000,
    )
    assert not refund.attempts.exists()
    assert approve(hands, refund, approver).carried_out().pk == refund.pk
    # Whoever comes next sends it: the process that approved may be dead.
    hands.send(hands.done(6000))
    assert (fresh(refund).state, fresh(payment).refunded) == ("SUCCEEDED", 6000)
    assert fresh(refund).transitions.get(to_state="APPROVED").actor == "approver"


@verified
def test_refunds_split_to_stay_below_the_limit_wait_too(hands: Hands, approver) -> None:
    payment = hands.sale()
    assert [hands.refund(payment, 3000).approval, hands.refund(payment, 2500).approval] == ["", "SPLIT"]
    assert hands.refund(payment, 2000).approval == ""
    assert hands.refund(payment, 1).approval == "SPLIT"


@verified
def test_a_rejected_refund_gives_its_sum_back(hands: Hands, approver) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 6000)
    proposal = proposal_of(refund)
    approving.reject(proposal_id=proposal.pk, version=1, by=approver, reason="Not theirs.", now=hands.now)
    assert (fresh(refund).state, fresh(payment).refundable, in_flight()) == ("REJECTED", 10000, 0)
    assert fresh(refund).transitions.get(to_state="REJECTED").reason == "Not theirs."
    with pytest.raises(casework.ProposalChanged):
        approve(hands, refund, approver)


@verified
@pytest.mark.parametrize("waits", [True, False])
def test_a_service_cancels_a_refund_that_has_not_left(hands: Hands, waits) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 6000 if waits else 1000)
    for _ in range(2):
        found = approving.cancel(client_id=payment.client_id, refund_id=refund.pk, now=hands.now)
        assert found.state == "CANCELED"
    assert (fresh(payment).refundable, in_flight()) == (10000, 0)
    assert [proposal.state for proposal in Proposal.objects.all()] == (["STALE"] if waits else [])
    assert not Attempt.objects.open().exists()


@verified
def test_a_refund_that_may_have_left_is_not_cancelled(hands: Hands) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 1000)
    sent = hands.sending()
    with pytest.raises(RefundNotCancelable):
        approving.cancel(client_id=payment.client_id, refund_id=refund.pk, now=hands.now)
    hands.answer(sent, hands.done(1000))


@verified
def test_a_waiting_refund_ends_with_the_capture_that_would_have_paid_it(hands: Hands, approver) -> None:
    payment = hands.sale()
    refund = hands.refund(payment, 6000)
    sale = payment.attempts.get(operation="AUTHORIZE")
    hands.notify(sale, Reversed(amount=eur(10000), code="failed", message="It failed.", at=hands.now))
    assert (fresh(refund).state, proposal_of(refund).state) == ("CANCELED", "STALE")


@verified
def test_who_asked_for_a_refund_never_approves_it(hands: Hands, approver) -> None:
    refund = hands.refund(hands.sale(), 6000)
    proposal = proposal_of(refund)
    viewer = person("viewer", role="Viewer")
    with pytest.raises(casework.NotAllowed):
        approve(hands, refund, viewer)
    with pytest.raises(casework.NotAllowed):
        approve(hands, refund, Actor.client(proposal.proposer))
    assert fresh(refund).state == "REQUESTED"


def test_a_refund_proposed_by_a_person_is_not_approved_by_them_in_code_nor_in_the_database(hands: Hands, approver):
    first = hands.refund(hands.sale(), 6000)
    casework.overtake(
        kind="payments.refund", subject=refunding.subject(first), why="Asked anew.", by=approver, now=hands.now
    )
    approving.ask(first, by=approver, now=hands.now)
    mine = Proposal.objects.get(state="PROPOSED")
    with pytest.raises(casework.OwnProposal):
        approving.approve(proposal_id=mine.pk, version=1, by=approver, now=hands.now)
    with pytest.raises(IntegrityError, match="proposal_decided_by_another"), transaction.atomic():
        Proposal.objects.filter(pk=mine.pk).update(state="APPROVED", decided_by=approver.user, decided_at=hands.now)
    other = person("other")
    assert approving.approve(proposal_id=mine.pk, version=1, by=other, now=hands.now).carried_out().state == "APPROVED"


@pytest.mark.django_db(transaction=True)
def test_two_people_who_approve_at_once_have_one_effect(hands: Hands) -> None:
    refund = hands.refund(hands.sale(), 6000)
    people = [person("one"), person("two")]
    now, proposal_id = hands.now, proposal_of(refund).pk

    def decide(by: Actor) -> bool:
        try:
            approving.approve(proposal_id=proposal_id, version=1, by=by, now=now).carried_out()
        except casework.ProposalChanged:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(decide, people)) == [False, True]
    assert refund.attempts.count() == 1


@verified
def test_the_service_is_told_that_a_refund_waits_and_why_and_may_cancel_it(hands: Hands) -> None:
    api = make_api("another shop")
    hands.requester = Requester(client_id=api.client_id, api_key_prefix="test")
    payment = hands.sale()
    path = f"payments/{payment.public_id}/refunds"
    answers = [api.post(path, {"amount": 6000}, key="order-10293-refund-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert answers[0].json()["approval"] == {"reason": "OVER_LIMIT"}
    made = answers[0].json()["id"]
    assert api.get(f"refunds/{made}").json()["state"] == "REQUESTED"
    assert api.post(path, {"amount": 4000}, key="order-10293-refund-2").status_code == 201
    assert api.post(path, {"amount": 1}, key="order-10293-refund-3").status_code == 409
    canceled = api.post(f"refunds/{made}/cancel")
    assert (canceled.status_code, canceled.json()["state"]) == (200, "CANCELED")
    hands.wait(600)
    hands.sending()
    on_its_way = Refund.objects.get(amount=4000)
    assert api.post(f"refunds/{on_its_way.public_id}/cancel").json()["code"] == "payment.refund_not_cancelable"


@pytest.mark.django_db(transaction=True)
def test_the_limit_holds_however_many_refunds_are_asked_for_at_once(hands: Hands) -> None:
    payment = hands.sale()
    requester, now = hands.requester, hands.now

    def ask(number: int) -> str:
        command = RefundPayment(payment_id=payment.pk, amount=700, reason="")
        try:
            key = f"refund-of-a-test-{number:04d}"
            requesting.refund(requester=requester, key=key, command=command, now=now)
        except requesting.NotRefundable:
            return "refused"
        finally:
            connections.close_all()
        return "taken"

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(60)))
    assert answers.count("taken") == 14
    unseen = [refund.amount for refund in payment.refunds.filter(approval="")]
    assert (sum(unseen), payment.refunds.filter(approval="SPLIT").count()) == (4900, 7)
