"""Outcomes unknown for too long, and decisions that a provider contradicts, open incidents with their money."""

import pytest

from paymentops.core.money import Money
from paymentops.events import operations as events
from paymentops.incidents import queries
from paymentops.incidents.models import Incident
from paymentops.payments.decisions import ItHappened
from paymentops.payments.models import Attempt
from paymentops.payments.operations import alarming, deciding
from tests.incidents.conftest import person
from tests.payments.conftest import hands
from tests.payments.hands import Hands, eur

__all__ = ["hands"]
pytestmark = pytest.mark.django_db

HOUR, DAY = 3600, 86400


def unknown(hands: Hands) -> Attempt:
    hands.pay()
    hands.send(hands.unknown())
    return Attempt.objects.get(state="UNKNOWN")


def sweep(hands: Hands) -> int:
    told = alarming.tell_overdue(limit=10, now=hands.now)
    while (round_ := events.deliver_due(now=hands.now, limit=100)).delivered or round_.passed_over:
        pass
    return told


def raised() -> list[tuple[str, str, int]]:
    return list(Incident.objects.order_by("id").values_list("rule", "severity", "signals"))


def test_an_old_doubt_is_an_incident_once_and_another_when_people_must_decide(hands) -> None:
    attempt = unknown(hands)
    hands.wait(59 * 60)
    assert (sweep(hands), raised()) == (0, [])
    hands.wait(120)
    assert (sweep(hands), sweep(hands)) == (1, 0)
    assert raised() == [("payment.outcome_overdue", "SEV3", 1)]
    hands.wait(DAY)
    assert sweep(hands) == 0
    hands.wait(5 * DAY)
    assert (sweep(hands), sweep(hands)) == (1, 0)
    assert raised()[1:] == [("payment.outcome_past_cut_off", "SEV2", 1)]
    for incident in Incident.objects.all():
        [risk] = queries.at_risk(incident)
        assert (risk.amount, risk.payments) == (Money(10000, "EUR"), 1)
    assert Attempt.objects.get(pk=attempt.pk).alarms == 2


def test_many_doubts_of_one_kind_are_one_incident(hands) -> None:
    for _ in range(3):
        hands.pay()
        hands.send(hands.unknown())
    hands.wait(2 * HOUR)
    assert sweep(hands) == 3
    assert raised() == [("payment.outcome_overdue", "SEV3", 3)]
    [risk] = queries.at_risk(Incident.objects.get())
    assert (risk.amount, risk.payments) == (Money(30000, "EUR"), 3)


def test_a_doubt_that_was_resolved_in_time_is_no_incident(hands) -> None:
    attempt = unknown(hands)
    hands.ask(hands.sold())
    hands.wait(6 * DAY)
    assert (sweep(hands), raised(), attempt.alarms) == (0, [], 0)


def test_a_decision_that_a_provider_contradicts_is_an_incident_of_the_worst_kind(hands) -> None:
    attempt = unknown(hands)
    hands.wait(60)
    decision = ItHappened(amount=eur(9000), provider_reference="ch_9", occurred_at=hands.now, evidence="A page.")
    proposal = deciding.propose_outcome(
        attempt.pk, decision, reason="Silence.", by=person("first", "Finance"), now=hands.now
    )
    deciding.approve_outcome(
        proposal_id=proposal.pk, version=1, by=person("second", "Finance approver"), now=hands.now
    ).carried_out()
    hands.notify(attempt, hands.sold(10000))
    sweep(hands)
    assert raised() == [("payment.decision_contradicted", "SEV1", 1)]
    [risk] = queries.at_risk(Incident.objects.get())
    assert risk.amount == Money(10000, "EUR")
