"""What people do to an incident: only what its state allows, as they saw it, with their name and their words."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection

from paymentops.access.models import AuditEntry
from paymentops.casework.operations import NotAllowed
from paymentops.core import ids
from paymentops.core.errors import InvalidInput
from paymentops.events.models import OutboxEvent
from paymentops.incidents import operations, queries
from paymentops.incidents.models import Incident, IncidentPayment, IncidentTransition
from paymentops.incidents.operations import Deed, IncidentChanged, IncidentNotFound
from paymentops.incidents.states import MOVES, State
from tests.incidents.conftest import LATER, NOW, deed, folds, moved, person, raised, touching

pytestmark = pytest.mark.django_db


def test_an_incident_goes_its_way_and_every_step_is_told_three_times(engineer) -> None:
    incident = moved(raised(), engineer, to=State.CLOSED)
    assert incident.version == 6
    path = ["OPEN", "ACKNOWLEDGED", "MITIGATING", "MONITORING", "RESOLVED", "CLOSED"]
    assert list(IncidentTransition.objects.order_by("sequence").values_list("to_state", flat=True)) == path
    told = OutboxEvent.objects.filter(aggregate_id=incident.pk).order_by("sequence").values_list("type", flat=True)
    assert list(told) == ["incident.opened", *(f"incident.{state.lower()}" for state in path[1:])]
    entries = AuditEntry.objects.filter(object_id=incident.public_id, action__startswith="incident.")
    assert [entry.actor for entry in entries] == ["engineer"] * 5
    assert folds()


def test_the_model_moves_as_the_table_of_moves_says() -> None:
    field = Incident._meta.get_field("state")
    declared = {(move.source, str(move.target)) for move in field.get_all_transitions(Incident)}
    assert declared == {(str(source), str(target)) for source, target in MOVES if source}


def test_whoever_acknowledges_an_unowned_incident_owns_it(engineer, colleague) -> None:
    incident = operations.acknowledge(deed(raised(), engineer), now=NOW)
    assert incident.ownership.owner == engineer.user
    assert incident.expires_at == NOW + timedelta(minutes=60)
    other = raised(rule="tests.other")
    operations.claim(incident_id=other.pk, version=1, by=colleague, now=NOW)
    assert operations.acknowledge(deed(other, engineer), now=NOW).ownership.owner == colleague.user


def test_a_late_acknowledgement_reports_the_state_and_never_opens_again(engineer, colleague) -> None:
    incident = raised()
    seen = deed(incident, colleague)
    resolved = moved(incident, engineer, to=State.RESOLVED)
    for late in (seen, deed(incident, colleague)):
        with pytest.raises(IncidentChanged, match="It is resolved since engineer moved it") as refused:
            operations.acknowledge(late, now=LATER)
        assert refused.value.extra == {"version": resolved.version, "state": "RESOLVED"}
    assert Incident.objects.get().state == State.RESOLVED


def test_a_deed_on_another_version_changes_nothing(engineer) -> None:
    incident = operations.acknowledge(deed(raised(), engineer), now=NOW)
    with pytest.raises(IncidentChanged):
        operations.mitigate(deed(incident, engineer, version=1), now=NOW)
    assert Incident.objects.get().version == 2


def test_what_is_watched_can_come_back(engineer) -> None:
    incident = moved(raised(), engineer, to=State.MONITORING)
    assert operations.mitigate(deed(incident, engineer), now=NOW).state == State.MITIGATING
    assert operations.monitor(deed(incident, engineer), now=NOW).state == State.MONITORING
    assert folds()


def test_no_step_is_skipped(engineer) -> None:
    incident = raised()
    for step in (operations.mitigate, operations.monitor, operations.resolve, operations.close):
        with pytest.raises(IncidentChanged):
            step(deed(incident, engineer), now=NOW)
    assert IncidentTransition.objects.count() == 1


def test_resolving_is_refused_while_payments_are_at_risk_and_names_them(engineer, payment) -> None:
    incident = moved(raised(affected=touching(payment)), engineer, to=State.MONITORING)
    with pytest.raises(operations.PaymentsUnresolved, match=payment.public_id):
        operations.resolve(deed(incident, engineer), now=NOW)
    link = operations.settle_payment(deed(incident, engineer, reason="Refunded."), payment_id=payment.pk, now=NOW)
    assert (link.resolved_at, link.resolution) == (NOW, "Refunded.")
    operations.settle_payment(deed(incident, engineer, reason="Again."), payment_id=payment.pk, now=LATER)
    assert IncidentPayment.objects.get().resolution == "Refunded."
    assert operations.resolve(deed(incident, engineer), now=NOW).state == State.RESOLVED
    assert AuditEntry.objects.filter(action="incident.settle_payment").count() == 1
    assert folds()


def test_a_payment_of_another_incident_cannot_be_settled(engineer, payment) -> None:
    with pytest.raises(operations.PaymentNotLinked):
        operations.settle_payment(deed(raised(), engineer), payment_id=payment.pk, now=NOW)


def test_reasons_are_asked_for_where_something_ends(engineer) -> None:
    incident = moved(raised(), engineer, to=State.MONITORING)
    without = deed(incident, engineer, reason="  ")
    for step in (
        lambda: operations.resolve(without, now=NOW),
        lambda: operations.close(without, now=NOW),
        lambda: operations.suppress(without, until=LATER, now=NOW),
        lambda: operations.merge(without, into=ids.new(NOW), now=NOW),
        lambda: operations.settle_payment(without, payment_id=ids.new(NOW), now=NOW),
    ):
        with pytest.raises(InvalidInput):
            step()


def test_only_those_who_may_work_on_incidents_do(engineer) -> None:
    incident = raised()
    for role in ("Viewer", "Finance", "Finance approver"):
        by = person(f"a-{role.lower().replace(' ', '-')}", role)
        for step in (operations.acknowledge, operations.mitigate, operations.monitor, operations.resolve):
            with pytest.raises(NotAllowed):
                step(deed(incident, by), now=NOW)
        with pytest.raises(NotAllowed):
            operations.claim(incident_id=incident.pk, version=1, by=by, now=NOW)
    assert Incident.objects.get().version == 1


def test_an_incident_that_is_not_there_is_said_so(engineer) -> None:
    with pytest.raises(IncidentNotFound):
        operations.acknowledge(Deed(incident_id=ids.new(NOW), version=1, by=engineer), now=NOW)


def test_suppression_ends_within_the_limit(engineer, settings) -> None:
    incident = raised()
    for until in (NOW, NOW + timedelta(days=settings.INCIDENT_SUPPRESSED_DAYS, seconds=1)):
        with pytest.raises(InvalidInput):
            operations.suppress(deed(incident, engineer), until=until, now=NOW)
    assert operations.suppress(deed(incident, engineer), until=LATER, now=NOW).expires_at == LATER


def test_merging_hands_the_unresolved_payments_over(engineer, payment) -> None:
    first, second = raised(affected=touching(payment)), raised("evt_2", rule="tests.other")
    merged = operations.merge(deed(first, engineer), into=second.pk, now=NOW)
    assert (merged.state, merged.merged_into) == (State.MERGED, second)
    assert (queries.at_risk(first), len(queries.at_risk(second))) == ([], 1)
    assert IncidentPayment.objects.get(incident=first).resolution == f"Taken over by {second}."
    assert folds()


def test_an_incident_is_merged_only_into_another_that_is_worked_on(engineer) -> None:
    first, second = raised(), raised("evt_2", rule="tests.other")
    with pytest.raises(InvalidInput):
        operations.merge(deed(first, engineer), into=first.pk, now=NOW)
    with pytest.raises(IncidentNotFound):
        operations.merge(deed(first, engineer), into=ids.new(NOW), now=NOW)
    moved(second, engineer, to=State.CLOSED)
    with pytest.raises(IncidentChanged, match="closed"):
        operations.merge(deed(first, engineer), into=second.pk, now=NOW)
    assert Incident.objects.get(pk=first.pk).state == State.OPEN


@pytest.mark.django_db(transaction=True)
def test_of_those_who_acknowledge_at_once_one_does_and_owns_it() -> None:
    incident, people = raised(), [person(f"person-{number}") for number in range(4)]
    start = Barrier(len(people))

    def acknowledge(by) -> object:
        try:
            start.wait(timeout=10)
            return operations.acknowledge(deed(incident, by, version=1), now=NOW)
        except IncidentChanged as late:
            return late
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        outcomes = list(pool.map(acknowledge, people))
    winners = [outcome for outcome in outcomes if isinstance(outcome, Incident)]
    assert len(winners) == 1
    owner = queries.incident(incident.public_id).ownership.owner
    assert IncidentTransition.objects.get(sequence=2).actor == owner.get_username()
    assert folds()


@pytest.mark.django_db(transaction=True)
def test_two_who_merge_crosswise_end_with_one_incident() -> None:
    engineer, incidents = person("merger"), [raised(), raised("evt_2", rule="tests.other")]
    start = Barrier(2)

    def merge(number: int) -> object:
        try:
            start.wait(timeout=10)
            return operations.merge(
                deed(incidents[number], engineer, version=1), into=incidents[1 - number].pk, now=NOW
            )
        except IncidentChanged as late:
            return late
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(merge, range(2)))
    assert sum(isinstance(outcome, Incident) for outcome in outcomes) == 1
    assert sorted(Incident.objects.values_list("state", flat=True)) == ["MERGED", "OPEN"]
