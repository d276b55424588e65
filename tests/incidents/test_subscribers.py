"""What other rooms tell of opens incidents, once per event."""

from datetime import timedelta

import pytest

from paymentops.core import ids
from paymentops.events import operations as events
from paymentops.events.models import DeadLetter, OutboxEvent
from paymentops.incidents.models import Incident, IncidentPayment, Signal
from paymentops.payments.models import Attempt, Payment
from paymentops.payments.operations import excess, giving_up, moving
from tests.incidents.conftest import NOW, folds

pytestmark = pytest.mark.django_db


def relay() -> events.Delivery:
    return events.deliver_due(now=NOW + timedelta(minutes=1), limit=100)


@pytest.mark.parametrize(
    ("applied", "rule"), [(True, "payment.late_evidence"), (False, "payment.evidence_without_room")]
)
def test_late_evidence_opens_an_incident_with_its_payment(payment, applied, rule) -> None:
    attempt = Attempt.objects.get(payment=payment)
    moving.tell_late_evidence(payment, attempt, amount=payment.money(1250), applied=applied, occurred_at=NOW, now=NOW)
    relay()
    incident = Incident.objects.get()
    assert (incident.rule, incident.provider, incident.operation) == (rule, payment.provider, "AUTHORIZE")
    link = IncidentPayment.objects.get()
    assert (link.payment, link.amount, link.currency) == (payment, 1250, payment.currency)
    assert payment.version == Payment.objects.get().version
    relay()
    assert Signal.objects.count() == 1
    assert folds()


def test_money_sent_beyond_what_was_asked_for_opens_an_incident_for_finance(payment) -> None:
    excess.record(payment, payment.money(300), reference="E1", occurred_at=NOW, now=NOW)
    relay()
    incident = Incident.objects.get()
    assert (incident.rule, incident.failure_class, incident.ownership.team.name) == (
        "payment.excess_paid",
        "EXCESS",
        "Finance",
    )
    link = IncidentPayment.objects.get()
    assert (link.payment, link.amount) == (payment, 300)
    assert folds()


@pytest.mark.parametrize(
    ("refunded", "rule", "severity"),
    [(0, "payment.capture_reversed", "SEV2"), (300, "payment.capture_overdrawn", "SEV1")],
)
def test_a_capture_taken_back_opens_an_incident_that_is_worse_where_it_was_refunded(
    payment, refunded, rule, severity
) -> None:
    attempt = Attempt.objects.get(payment=payment)
    payment.refunded = refunded
    payment.version += 1
    moving.tell_capture_reversed(
        payment, attempt, amount=payment.money(500), code="chargeback", occurred_at=NOW, now=NOW
    )
    relay()
    incident = Incident.objects.get()
    assert (incident.rule, incident.severity, incident.operation) == (rule, severity, "CAPTURE")
    assert IncidentPayment.objects.get().amount == 500
    assert folds()


def test_a_refund_that_came_back_opens_an_incident_for_finance(payment) -> None:
    events.record(
        aggregate_type="refund",
        aggregate_id=ids.new(NOW),
        sequence=5,
        type="refund.reversed",
        data={"id": "ref_1", "payment": payment.public_id, "reversed": "700", "failure_code": "account_closed"},
        occurred_at=NOW,
        now=NOW,
    )
    relay()
    incident = Incident.objects.get()
    assert (incident.rule, incident.ownership.team.name) == ("refund.reversed", "Finance")
    assert (IncidentPayment.objects.get().payment, IncidentPayment.objects.get().amount) == (payment, 700)
    assert folds()


def bury(reference: str = "evt-1", source: str = "webhook:sandbox") -> DeadLetter:
    return events.bury(
        source=source, reference=reference, reason="It has no amount.", owner="Engineering", attempts=3, now=NOW
    )


def test_dead_letters_of_one_source_are_one_incident() -> None:
    bury("evt-1")
    bury("evt-2")
    bury("evt-2")
    assert sorted(OutboxEvent.objects.values_list("sequence", flat=True)) == [1, 1, 2]
    relay()
    incident = Incident.objects.get()
    assert (incident.rule, incident.provider, incident.operation, incident.signals) == (
        "events.dead_letter",
        "sandbox",
        "webhook",
        3,
    )
    bury("evt-3", source="subscriber:search")
    relay()
    assert Incident.objects.count() == 2


def test_a_dead_letter_about_a_dead_letter_is_not_told_of_without_end() -> None:
    bury()
    told = OutboxEvent.objects.get()
    bury(ids.public(ids.Prefix.EVENT, told.pk), source="subscriber:incidents")
    assert OutboxEvent.objects.count() == 1


def test_a_drifted_balance_opens_an_incident() -> None:
    events.record(
        aggregate_type="ledger_account",
        aggregate_id=ids.new(NOW),
        sequence=1,
        type="ledger.balance_drifted",
        data={"account": "1110:sandbox", "currency": "EUR", "violations": ["posted is 5 and should be 6"]},
        occurred_at=NOW,
        now=NOW,
    )
    relay()
    incident = Incident.objects.get()
    assert (incident.severity, incident.operation, incident.currency) == ("SEV1", "1110", "EUR")
    assert incident.ownership.team.name == "Finance"


def test_what_was_given_up_opens_an_incident_with_its_payment(payment) -> None:
    attempt = Attempt.objects.get(payment=payment)
    giving_up.record(payment, attempt, reason="It was put off 12 times and never left.", now=NOW)
    relay()
    incident = Incident.objects.get()
    assert (incident.rule, incident.provider, incident.operation) == ("payment.gave_up", attempt.provider, "AUTHORIZE")
    assert IncidentPayment.objects.get().payment == payment
    assert folds()
