"""What time does: acknowledgements and suppressions end, and what nobody owns is told upwards."""

from datetime import timedelta

import pytest

from paymentops.access.models import Team
from paymentops.casework.operations import NotAllowed, OwnerChanged
from paymentops.core.errors import InvalidInput
from paymentops.events.models import OutboxEvent
from paymentops.incidents import operations, queries
from paymentops.incidents.models import Escalation, Incident
from paymentops.incidents.states import State
from tests.incidents.conftest import LATER, NOW, deed, folds, moved, person, raised

pytestmark = pytest.mark.django_db


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def watch(after: timedelta) -> int:
    return operations.watch(now=NOW + after, limit=10)


def test_an_acknowledgement_that_nothing_follows_expires(engineer) -> None:
    incident = operations.acknowledge(deed(raised(), engineer), now=NOW)
    assert watch(minutes(59)) == 0
    assert watch(minutes(60)) == 1
    incident.refresh_from_db()
    assert (incident.state, incident.expires_at, incident.open_since) == (State.OPEN, None, NOW + minutes(60))
    assert incident.ownership.owner == engineer.user
    assert OutboxEvent.objects.filter(type="incident.acknowledgement_expired").count() == 1
    assert watch(minutes(61)) == 0
    operations.acknowledge(deed(incident, engineer), now=LATER)
    assert watch(minutes(121)) == 1
    assert folds()


def test_what_is_worked_on_does_not_expire(engineer) -> None:
    moved(raised(), engineer, to=State.MITIGATING)
    assert watch(timedelta(days=3)) == 0


def test_a_suppression_ends_and_the_incident_is_open_again(engineer) -> None:
    incident = raised()
    operations.suppress(deed(incident, engineer), until=NOW + minutes(20), now=NOW)
    assert watch(minutes(19)) == 0
    assert watch(minutes(20)) == 1
    assert Incident.objects.get().state == State.OPEN
    assert folds()


def test_what_nobody_owns_escalates_step_by_step() -> None:
    raised()
    assert watch(minutes(29)) == 0
    assert [watch(minutes(number)) for number in (30, 31, 59, 60, 90, 120)] == [1, 0, 0, 1, 1, 1]
    levels = list(Escalation.objects.order_by("number").values_list("level", flat=True))
    assert levels == ["on call", "second on call", "manager", "manager"]
    told = OutboxEvent.objects.filter(type="incident.escalated")
    assert [event.data["level"] for event in told.order_by("id")] == levels
    assert Incident.objects.get().version == 1


def test_an_owner_or_an_end_stops_the_escalation(engineer) -> None:
    operations.claim(incident_id=raised().pk, version=1, by=engineer, now=NOW)
    operations.suppress(deed(raised("evt_2", rule="tests.other"), engineer), until=NOW + timedelta(days=2), now=NOW)
    assert watch(timedelta(days=1)) == 0


def test_the_time_without_an_owner_counts_from_the_release(engineer) -> None:
    incident = raised()
    operations.claim(incident_id=incident.pk, version=1, by=engineer, now=NOW)
    later = NOW + minutes(100)
    operations.release(incident_id=incident.pk, version=2, by=engineer, note="My shift ends.", now=later)
    assert watch(minutes(129)) == 0
    assert watch(minutes(130)) == 1


def test_a_hand_over_counts_once_it_is_accepted(engineer, colleague) -> None:
    incident = raised()
    operations.claim(incident_id=incident.pk, version=1, by=engineer, now=NOW)
    with pytest.raises(InvalidInput):
        operations.hand_over(incident_id=incident.pk, version=2, to=colleague.user, by=engineer, note=" ", now=NOW)
    offered = operations.hand_over(
        incident_id=incident.pk, version=2, to=colleague.user, by=engineer, note="Tried a restart.", now=NOW
    )
    assert (offered.owner, offered.offered_to) == (engineer.user, colleague.user)
    declined = operations.decline(incident_id=incident.pk, version=3, by=colleague, note="On leave.", now=NOW)
    assert (declined.owner, declined.offered_to) == (engineer.user, None)
    operations.hand_over(incident_id=incident.pk, version=4, to=colleague.user, by=engineer, note="Please do.", now=NOW)
    with pytest.raises(OwnerChanged):
        operations.accept(incident_id=incident.pk, version=4, by=colleague, now=NOW)
    assert operations.accept(incident_id=incident.pk, version=5, by=colleague, now=NOW).owner == colleague.user
    told = [moment.what for moment in queries.timeline(incident) if moment.kind == "people"]
    assert told == ["assign", "claim", "hand-over", "decline", "hand-over", "accept"]
    assert folds()


def test_an_incident_is_handed_only_to_those_who_may_work_on_it(engineer) -> None:
    incident = raised()
    operations.claim(incident_id=incident.pk, version=1, by=engineer, now=NOW)
    with pytest.raises(NotAllowed, match="may not work on incidents"):
        operations.hand_over(
            incident_id=incident.pk, version=2, to=person("treasurer", "Finance").user, by=engineer, note="x", now=NOW
        )


def test_another_team_takes_it_with_a_note_and_without_an_owner(engineer) -> None:
    incident, team = raised(), Team.objects.create(name="Treasury")
    operations.claim(incident_id=incident.pk, version=1, by=engineer, now=NOW)
    with pytest.raises(InvalidInput):
        operations.assign(incident_id=incident.pk, version=2, team=team, by=engineer, note="", now=NOW)
    given = operations.assign(incident_id=incident.pk, version=2, team=team, by=engineer, note="Theirs.", now=NOW)
    assert (given.team, given.owner) == (team, None)
    assert list(queries.incidents().unowned()) == [incident]


def test_nobody_answers_for_what_is_closed(engineer) -> None:
    closed = moved(raised(), engineer, to=State.CLOSED)
    with pytest.raises(operations.IncidentChanged):
        operations.claim(incident_id=closed.pk, version=2, by=engineer, now=NOW)
