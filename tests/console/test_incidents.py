"""Incidents in the console: whose they are, what can be done next, and that every form counts once."""

import pytest
from django.test import Client

from paymentops.access.models import AuditEntry, Team, User
from paymentops.casework.models import Comment
from paymentops.incidents import queries
from paymentops.incidents.models import Incident, IncidentPayment, IncidentTransition
from tests.console.conftest import ROLES, person
from tests.incidents.conftest import raised, touching
from tests.payments.conftest import stored

pytestmark = pytest.mark.django_db

LIST = "/console/incidents/"


def page_of(incident: Incident) -> str:
    return f"{LIST}{incident.public_id}"


def send(client: Client, incident: Incident, deed: str, token: str = "", **values):
    now = queries.incident(incident.public_id)
    form = {
        "form_token": token or f"token-{deed}-{now.version}-{now.ownership.version}".ljust(20, "x"),
        "version": now.version,
        "ownership_version": now.ownership.version,
        "reason": "Because.",
    }
    return client.post(f"{page_of(incident)}/{deed}", {**form, **values})


def test_every_role_reads_incidents_and_only_engineers_and_admins_work_on_them() -> None:
    incident = raised()
    for role in ROLES:
        client = person(role)
        assert client.get(LIST).status_code == 200
        shown = client.get(page_of(incident))
        assert shown.status_code == 200
        works = role in ("Engineer", "Admin")
        assert ("Acknowledge</button>" in shown.text) == works
        assert send(client, incident, "claim", token=f"{role.replace(' ', '-')}-token-of-16").status_code in (
            (302, 409) if works else (403,)
        )
    assert "siren" in client.get(LIST).text


def test_an_incident_is_led_from_open_to_closed(engineer, api) -> None:
    payment = stored(api.pay(key="order-10293-attempt-1")["id"])
    incident = raised(affected=touching(payment))
    for deed in ("acknowledge", "mitigate", "monitor"):
        assert send(engineer, incident, deed).status_code == 302
    refused = send(engineer, incident, "resolve")
    assert refused.status_code == 409
    assert payment.public_id in refused.text
    assert send(engineer, incident, "settle", payment=payment.public_id).status_code == 302
    assert IncidentPayment.objects.get().resolved_at is not None
    for deed in ("resolve", "close"):
        assert send(engineer, incident, deed).status_code == 302
    assert queries.incident(incident.public_id).state == "CLOSED"
    assert IncidentTransition.objects.count() == 6
    assert AuditEntry.objects.filter(action="incident.closed").get().reason == "Because."
    assert engineer.get(page_of(incident)).status_code == 200


def test_the_same_form_twice_has_one_effect(engineer) -> None:
    incident = raised()
    form = {"form_token": "the-same-token-of-a-form", "version": 1, "ownership_version": 1}
    for _ in range(2):
        assert engineer.post(f"{page_of(incident)}/acknowledge", form).status_code == 302
    assert IncidentTransition.objects.count() == 2
    late = engineer.post(f"{page_of(incident)}/acknowledge", {**form, "form_token": "another-token-of-a-form"})
    assert late.status_code == 409
    assert "It is acknowledged since" in late.text


def test_a_hand_over_is_offered_and_accepted_in_the_console(engineer) -> None:
    incident, admin = raised(), person("Admin")
    other = User.objects.get(username="somebody-admin")
    assert send(engineer, incident, "claim").status_code == 302
    assert send(engineer, incident, "hand-over", to=other.pk, reason="").status_code == 400
    assert send(engineer, incident, "hand-over", to=other.pk, token="a-second-hand-over-form").status_code == 302
    assert "until it is accepted" in engineer.get(page_of(incident)).text
    assert incident.title in admin.get(f"{LIST}?view=mine").text
    assert send(admin, incident, "decline").status_code == 302
    assert send(engineer, incident, "hand-over", to=other.pk).status_code == 302
    assert send(admin, incident, "accept").status_code == 302
    assert queries.incident(incident.public_id).ownership.owner == other
    team = Team.objects.create(name="Treasury")
    assert send(admin, incident, "assign", team=team.pk).status_code == 302
    assert queries.incident(incident.public_id).ownership.team == team


def test_views_show_what_belongs_to_whom(engineer) -> None:
    mine, theirs = raised(title="Mine"), raised("evt_2", rule="tests.other", title="Theirs")
    send(engineer, mine, "claim")
    Team.objects.get(name="Engineering").members.add(User.objects.get(username="somebody-engineer"))

    def titles(view: str) -> set[str]:
        text = engineer.get(f"{LIST}?view={view}&severity=SEV2").text
        return {row.title for row in (mine, theirs) if row.public_id in text}

    assert titles("mine") == {"Mine"}
    assert titles("unowned") == {"Theirs"}
    assert titles("team") == titles("open") == titles("all") == {"Mine", "Theirs"}
    assert "No incidents in this view" in engineer.get(f"{LIST}?severity=SEV4").text


def test_suppressing_merging_and_commenting(engineer) -> None:
    first, second = raised(), raised("evt_2", rule="tests.other")
    assert send(engineer, first, "comment", reason="I ask the provider.").status_code == 302
    assert Comment.objects.get().text in engineer.get(page_of(first)).text
    assert send(engineer, first, "suppress", hours="5").status_code == 302
    assert send(engineer, first, "merge", into="nonsense").status_code == 400
    assert send(engineer, first, "merge", into=second.public_id, token="a-second-merging-form").status_code == 302
    assert second.public_id in engineer.get(page_of(first)).text


def test_what_is_not_there_is_not_found(engineer) -> None:
    incident = raised()
    assert engineer.get(f"{LIST}inc_12").status_code == 404
    assert engineer.get(f"{LIST}inc_{'0' * 32}").status_code == 404
    assert send(engineer, incident, "explode").status_code == 404
    assert engineer.post(f"{page_of(incident)}/claim", {"form_token": "a-form-without-version"}).status_code == 400
    assert engineer.get(f"{page_of(incident)}/claim").status_code in (404, 405)
