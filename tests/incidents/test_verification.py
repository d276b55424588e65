"""What was changed behind the rules is named."""

import pytest
from django.db import connection

from paymentops.casework.models import Ownership
from paymentops.incidents import verification
from paymentops.incidents.models import Incident
from paymentops.incidents.states import State
from tests.incidents.conftest import moved, raised, touching

pytestmark = pytest.mark.django_db


def broken() -> set[str]:
    return {check.name for check in verification.checks() if not check.ok}


def test_what_happened_in_the_ordinary_way_holds(engineer) -> None:
    moved(raised(), engineer, to=State.CLOSED)
    assert broken() == set()


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"state": State.MITIGATING}, "incidents.states_fold"),
        ({"version": 9}, "incidents.states_fold"),
        ({"signals": 7}, "incidents.signals_counted"),
        ({"ownership": None}, "incidents.one_team_one_owner"),
    ],
)
def test_a_row_that_was_changed_by_hand_is_named(change, check) -> None:
    incident = raised()
    Incident.objects.filter(pk=incident.pk).update(**change)
    assert broken() == {check}
    assert incident.public_id in str([found.violations for found in verification.checks()])


def test_an_incident_without_a_team_is_named() -> None:
    Ownership.objects.filter(pk=raised().ownership_id).update(team=None)
    assert "incidents.one_team_one_owner" in broken()


def test_a_second_unfinished_incident_of_one_trouble_is_named() -> None:
    first, _ = raised(), raised("evt_2", rule="tests.other")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("DROP INDEX incident_one_unfinished_per_fingerprint")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE incidents_incident SET fingerprint = %s", [first.fingerprint])
        cursor.execute("SET session_replication_role = origin")
    assert broken() == {"incidents.one_unfinished_per_fingerprint"}


def test_a_resolved_incident_with_money_at_risk_is_named(payment) -> None:
    Incident.objects.filter(pk=raised(affected=touching(payment)).pk).update(state=State.RESOLVED)
    assert "incidents.resolved_are_settled" in broken()
