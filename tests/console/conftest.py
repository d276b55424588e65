"""People of every role, and payments made through the real door, worker and provider."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from paymentops.access.models import User
from tests.payments.conftest import Api, api, payment_body, provider, sandbox, sandbox_server, work

__all__ = ["api", "provider", "sandbox", "sandbox_server", "work"]

ROLES = ["Viewer", "Finance", "Finance approver", "Engineer", "Admin"]


def person(role: str) -> Client:
    """A browser in which somebody with this role is signed in."""
    user = User.objects.create_user(f"somebody-{role.replace(' ', '-').lower()}", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def viewer(db) -> Client:
    return person("Viewer")


@pytest.fixture
def engineer(db) -> Client:
    return person("Engineer")


@pytest.fixture
def eventful(api: Api, provider, work: Callable[[], int]) -> str:
    """A hold captured in part and refunded in part, with a replay and a refused reuse; returns the public id."""
    created = api.pay(key="order-10293-attempt-1", capture="manual", customer_reference="cust-77001")
    api.pay(key="order-10293-attempt-1", capture="manual", customer_reference="cust-77001")
    api.post("payments", payment_body(amount=1), key="order-10293-attempt-1")
    work()
    assert api.post(f"payments/{created['id']}/captures", {"amount": 5000}, key="capture-one-10293").status_code == 201
    work()
    body = {"amount": 1500, "reason": "damaged"}
    assert api.post(f"payments/{created['id']}/refunds", body, key="refund-one-10293").status_code == 201
    work()
    return str(created["id"])
