"""What fires meets what fired before: one unfinished incident per fingerprint, one signal per cause."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction

from paymentops.core.errors import InvalidInput
from paymentops.core.money import Money
from paymentops.events.models import OutboxEvent
from paymentops.incidents import operations, queries
from paymentops.incidents.models import Incident, IncidentPayment, IncidentTransition, Signal
from paymentops.incidents.rules import Dimensions, fingerprint
from paymentops.incidents.states import Severity, State
from tests.incidents.conftest import LATER, NOW, deed, folds, moved, person, raised, report, touching

pytestmark = pytest.mark.django_db


def test_the_first_signal_opens_an_incident_that_a_team_answers_for() -> None:
    incident = raised()
    assert incident.public_id.startswith("inc_")
    assert (incident.state, incident.version, incident.signals) == (State.OPEN, 1, 1)
    assert (incident.ownership.team.name, incident.ownership.owner) == ("Engineering", None)
    assert OutboxEvent.objects.filter(type="incident.opened").count() == 1
    assert folds()


def test_the_same_cause_counts_once() -> None:
    assert raised().pk == raised().pk
    assert Incident.objects.get().signals == Signal.objects.count() == 1


def test_another_cause_is_one_more_signal_of_the_same_incident() -> None:
    first = raised("evt_1", severity=Severity.SEV3)
    second = operations.raise_incident(report("evt_2", severity=Severity.SEV1), now=LATER)
    assert first.pk == second.pk
    assert (second.signals, second.severity, second.opened_at, second.last_fired_at) == (2, "SEV1", NOW, LATER)
    assert second.version == 1, "people compare versions; a storm of signals must not get in their way"
    assert raised("evt_3", severity=Severity.SEV4).severity == "SEV1"
    assert folds()


@pytest.mark.parametrize("name", ["provider", "method", "operation", "failure_class", "currency"])
def test_every_dimension_and_the_rule_make_the_fingerprint(name) -> None:
    other = Dimensions(**{"provider": "sandbox", "method": "card", name: "X"})
    plain = Dimensions(provider="sandbox", method="card")
    assert fingerprint(rule="a", dimensions=other) != fingerprint(rule="a", dimensions=plain)
    assert fingerprint(rule="a", dimensions=plain) != fingerprint(rule="b", dimensions=plain)


def test_ids_words_times_and_severities_do_not_make_the_fingerprint(payment) -> None:
    one, two = report("evt_1", text="one", title="One"), report("evt_2", severity=Severity.SEV4, text="two")
    assert one.fingerprint == two.fingerprint == report("evt_3", affected=touching(payment)).fingerprint


def test_a_report_without_a_cause_is_refused() -> None:
    for cause in ("", "x" * 151):
        with pytest.raises(InvalidInput):
            raised(cause)
    assert not Incident.objects.exists()


def test_a_resolved_incident_opens_again_when_it_fires_before_it_is_closed(engineer) -> None:
    incident = moved(raised(), engineer, to=State.RESOLVED)
    again = operations.raise_incident(report("evt_2"), now=LATER)
    assert (again.pk, again.state, again.open_since) == (incident.pk, State.OPEN, LATER)
    assert OutboxEvent.objects.filter(type="incident.reopened").count() == 1
    assert folds()


def test_what_fires_after_closing_is_another_incident(engineer) -> None:
    closed = moved(raised(), engineer, to=State.CLOSED)
    assert raised("evt_2").pk != closed.pk
    assert raised("evt_1").pk == closed.pk, "its cause was counted already"
    assert folds()


def test_a_suppressed_incident_counts_on_in_silence(engineer) -> None:
    incident = raised()
    operations.suppress(deed(incident, engineer), until=LATER, now=NOW)
    again = raised("evt_2")
    assert (again.pk, again.state, again.signals) == (incident.pk, State.SUPPRESSED, 2)


def test_a_signal_of_a_merged_incident_goes_where_it_was_merged_into(engineer) -> None:
    first, second, third = (raised(f"evt_{rule}", rule=f"tests.{rule}") for rule in ("a", "b", "c"))
    operations.merge(deed(first, engineer), into=second.pk, now=NOW)
    operations.merge(deed(second, engineer), into=third.pk, now=NOW)
    assert raised("evt_again", rule="tests.a").pk == third.pk
    moved(third, engineer, to=State.CLOSED)
    assert raised("evt_new", rule="tests.a").pk not in (first.pk, second.pk, third.pk)
    assert folds()


def test_a_payment_is_linked_once_with_its_newest_amount(payment, engineer) -> None:
    incident = raised("evt_1", affected=touching(payment, 1250))
    raised("evt_2", affected=touching(payment, 2000))
    link = IncidentPayment.objects.get()
    assert (link.payment, link.amount) == (payment, 2000)
    assert queries.at_risk(incident) == queries.at_risk_of_all() == [queries.Risk(Money(2000, payment.currency), 1)]
    operations.settle_payment(deed(incident, engineer), payment_id=payment.pk, now=NOW)
    assert queries.at_risk(incident) == []
    raised("evt_3", affected=touching(payment, 500))
    assert queries.at_risk_by_incident([incident]) == {incident.pk: queries.at_risk(incident)}
    assert queries.at_risk(incident)[0].amount == Money(500, payment.currency)


def test_the_database_knows_one_unfinished_incident_per_fingerprint() -> None:
    incident = raised()
    twin = Incident(
        id=Signal.objects.get().pk, fingerprint=incident.fingerprint, rule=incident.rule, title="x", severity="SEV1",
        opened_at=NOW, open_since=NOW, last_fired_at=NOW, updated_at=NOW,
    )  # fmt: skip
    with pytest.raises(IntegrityError, match="incident_one_unfinished_per_fingerprint"), transaction.atomic():
        twin.save(force_insert=True)


def test_the_database_keeps_what_an_incident_is_about_and_how_it_moved() -> None:
    incident = raised()
    for change in (
        lambda: Incident.objects.filter(pk=incident.pk).update(rule="tests.other"),
        lambda: IncidentTransition.objects.update(to_state="CLOSED"),
        lambda: Signal.objects.all().delete(),
    ):
        with pytest.raises(IntegrityError, match="refused"), transaction.atomic():
            change()


@pytest.mark.django_db(transaction=True)
def test_two_raisers_at_once_make_one_incident_with_two_signals() -> None:
    count = 6
    start = Barrier(count)

    def fire(number: int) -> Incident:
        try:
            start.wait(timeout=10)
            return raised(f"evt_{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        made = {incident.pk for incident in pool.map(fire, range(count))}
    assert len(made) == 1
    assert Incident.objects.get().signals == Signal.objects.count() == count
    assert OutboxEvent.objects.filter(type="incident.opened").count() == 1
    assert folds()


@pytest.mark.django_db(transaction=True)
def test_one_cause_told_by_several_at_once_counts_once() -> None:
    start = Barrier(4)

    def fire(_: int) -> Incident:
        try:
            start.wait(timeout=10)
            return raised("evt_1")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert len({incident.pk for incident in pool.map(fire, range(4))}) == 1
    assert Incident.objects.get().signals == Signal.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_firing_while_somebody_closes_loses_no_signal() -> None:
    engineer = person("closer")
    for number in range(5):
        resolved = moved(raised(f"evt_{number}_first"), engineer, to=State.RESOLVED)
        start = Barrier(2)

        def close(resolved=resolved, start=start) -> None:
            try:
                start.wait(timeout=10)
                operations.close(deed(resolved, engineer, version=resolved.version), now=LATER)
            except operations.IncidentChanged:
                pass
            finally:
                connection.close()

        def fire(number=number, start=start) -> None:
            try:
                start.wait(timeout=10)
                raised(f"evt_{number}_second")
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            for job in [pool.submit(close), pool.submit(fire)]:
                job.result()
        last = Signal.objects.get(cause=f"evt_{number}_second").incident
        assert last.state == State.OPEN
        moved(last, engineer, to=State.CLOSED)
    assert Signal.objects.count() == 10
    assert folds()
