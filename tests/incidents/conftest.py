from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group

from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.core.money import Money
from paymentops.incidents import operations, verification
from paymentops.incidents.models import Incident
from paymentops.incidents.operations import Affected, Deed, Report
from paymentops.incidents.rules import Dimensions
from paymentops.incidents.states import Severity, State
from paymentops.payments.models import Payment
from tests.payments.conftest import api, stored

__all__ = ["api"]

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
DIMENSIONS = Dimensions(provider="sandbox", method="card", operation="AUTHORIZE", currency="EUR")


def person(name: str, role: str = "Engineer") -> Actor:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return Actor.person(User.objects.get(pk=user.pk))


def report(cause: str = "evt_1", **changed) -> Report:
    values = {"rule": "tests.trouble", "severity": Severity.SEV2, "dimensions": DIMENSIONS, "cause": cause}
    return Report(**{**values, **changed})


def raised(cause: str = "evt_1", **changed) -> Incident:
    return operations.raise_incident(report(cause, **changed), now=NOW)


def deed(incident: Incident, by: Actor, *, reason: str = "Because.", version: int | None = None) -> Deed:
    seen = Incident.objects.get(pk=incident.pk).version if version is None else version
    return Deed(incident_id=incident.pk, version=seen, by=by, reason=reason)


def moved(incident: Incident, by: Actor, *, to: State, now: datetime = NOW) -> Incident:
    """Lead an open incident along the way to a state."""
    steps = [operations.acknowledge, operations.mitigate, operations.monitor, operations.resolve, operations.close]
    for step in steps:
        if (incident := step(deed(incident, by), now=now)).state == to:
            return incident
    raise AssertionError(f"{to} is not on the way.")


def touching(payment: Payment, minor: int = 1250) -> Affected:
    return Affected(payment, Money(minor, payment.currency), reason="It may have been charged twice.")


def folds() -> bool:
    return all(check.ok for check in verification.checks())


@pytest.fixture
def engineer(db) -> Actor:
    return person("engineer")


@pytest.fixture
def colleague(db) -> Actor:
    return person("colleague")


@pytest.fixture
def payment(api) -> Payment:
    return stored(api.pay(key="order-10293-attempt-1")["id"])
