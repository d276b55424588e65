"""Duplicates in the console: by cause, side by side, and marked as none with a reason."""

import pytest

from paymentops.access.models import AuditEntry
from paymentops.payments.models import DuplicateGroup
from tests.console.conftest import ROLES, payment_body, person
from tests.payments.test_duplicates import groups, policy

pytestmark = pytest.mark.django_db

LIST = "/console/duplicates/"


@pytest.fixture
def alike(api) -> DuplicateGroup:
    """Two accepted payments that look alike, and a third request that was refused."""
    api.pay(key="order-10293-first-key", customer_reference="cust-77001")
    api.pay(key="order-10293-second-key", customer_reference="cust-77001", metadata={"basket": "B-2"})
    groups()
    policy(api.client_id, "refuse")
    third = payment_body(customer_reference="cust-77001")
    assert api.post("payments", third, key="order-10293-third-key").status_code == 409
    [group] = groups()
    return group


def test_each_cause_is_a_tab_and_the_money_at_risk_stands_above(alike, api) -> None:
    api.pay(key="order-10293-first-key", customer_reference="cust-77001")
    groups()
    for role in ROLES:
        client = person(role)
        shown = client.get(LIST).text
        assert "129.90" in shown
        assert alike.public_id in shown
        assert "order-10293-first-key" in client.get(LIST, {"cause": "KEY_REPLAYED"}).text
        assert "No groups of this cause" in client.get(LIST, {"cause": "PROVIDER"}).text
        may_dismiss = "These are no duplicates" in client.get(f"{LIST}{alike.public_id}").text
        assert may_dismiss == (role in ("Finance", "Finance approver", "Engineer"))


def test_members_stand_side_by_side_with_what_differs_marked(alike, viewer) -> None:
    shown = viewer.get(f"{LIST}{alike.public_id}").text
    assert shown.count('<th scope="col">') == 4
    assert "basket: B-2" in shown
    assert "no payment" in shown
    assert "cust-77001" not in shown
    assert "cust-77001" in person("Engineer").get(f"{LIST}{alike.public_id}").text
    assert "tok_approved" not in shown


def test_marking_as_no_duplicate_takes_a_reason_and_counts_once(alike) -> None:
    finance = person("Finance")
    page = f"{LIST}{alike.public_id}"
    assert finance.post(f"{page}/dismiss", {"form_token": "token-of-the-form-1", "reason": ""}).status_code == 400
    for _ in range(2):
        sent = finance.post(f"{page}/dismiss", {"form_token": "token-of-the-form-1", "reason": "two tickets"})
        assert sent.status_code == 302
    assert AuditEntry.objects.get(action="duplicates.dismiss").reason == "two tickets"
    assert "two tickets" in finance.get(page).text
    assert "Nothing is at risk" in finance.get(LIST).text
    assert person("Viewer").post(f"{page}/dismiss", {"form_token": "token-of-the-form-2"}).status_code == 403
