"""Services read incidents with a scope of their own, page by page, without learning who the people are."""

from urllib.parse import parse_qs, urlsplit

import pytest

from paymentops.core import ids
from paymentops.incidents import operations
from paymentops.incidents.states import Severity
from tests.incidents.conftest import NOW, deed, raised, touching
from tests.payments.conftest import Api, make_api

pytestmark = pytest.mark.django_db


@pytest.fixture
def service(db) -> Api:
    return make_api("watcher", ["incidents:read"])


def test_an_incident_is_read_with_its_payments_and_its_story(service, payment, engineer) -> None:
    incident = raised(affected=touching(payment, 1250))
    operations.acknowledge(deed(incident, engineer), now=NOW)
    body = service.get(f"incidents/{incident.public_id}").json()
    assert (body["id"], body["state"], body["severity"], body["signals"]) == (
        incident.public_id,
        "ACKNOWLEDGED",
        "SEV2",
        1,
    )
    assert (body["team"], body["is_owned"]) == ("Engineering", True)
    assert body["at_risk"] == [{"amount": 1250, "currency": payment.currency, "payments": 1}]
    assert [link["payment"] for link in body["payments"]] == [payment.public_id]
    assert {step["kind"] for step in body["timeline"]} == {"transition", "signal", "people"}
    assert {step["actor"] for step in body["timeline"]} == {None, "incidents", "operator"}
    assert "engineer" not in str(body)


def test_lists_are_filtered_and_come_in_pages(service, payment) -> None:
    first = raised(affected=touching(payment))
    second = raised("evt_2", rule="tests.other", severity=Severity.SEV1)
    page = service.get("incidents", limit=1).json()
    cursor = parse_qs(urlsplit(page["next"]).query)["cursor"][0]
    other = service.get("incidents", limit=1, cursor=cursor).json()
    assert {page["results"][0]["id"], other["results"][0]["id"]} == {first.public_id, second.public_id}
    for query, found in (
        ({"severity": "SEV1"}, [second]),
        ({"rule": "tests.trouble"}, [first]),
        ({"payment": payment.public_id}, [first]),
        ({"state": "CLOSED"}, []),
        ({"unfinished": "false"}, []),
        ({"unowned": "true", "provider": "sandbox", "currency": "EUR", "rule": "tests.other"}, [second]),
    ):
        results = service.get("incidents", **query).json()["results"]
        assert [row["id"] for row in results] == [row.public_id for row in found], query


def test_what_is_refused_is_said(service) -> None:
    assert service.get("incidents", colour="red").status_code == 400
    assert service.get("incidents", severity="SEV9").status_code == 400
    assert service.get("incidents/inc_12").status_code == 404
    assert service.get(f"incidents/{ids.public(ids.Prefix.INCIDENT, ids.new(NOW))}").status_code == 404
    assert make_api("other", ["payments:read"]).get("incidents").json()["code"] == "access.scope_missing"
