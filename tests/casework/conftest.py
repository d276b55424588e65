from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Group

from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework import kinds, operations
from paymentops.casework.kinds import Kind
from paymentops.casework.models import Proposal, Subject
from paymentops.casework.operations import Draft

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
# Any permission that a role has will do: these stand for those of a real kind.
KIND = Kind("tests.thing", "Thing", may_propose="access.view_pii", may_approve="access.view_auditentry")
SUBJECT = Subject("thing", "thing-1")
FACTS = {"state": "open", "accounts": {"1010:main EUR": "open"}}


@pytest.fixture(autouse=True)
def kind() -> None:
    kinds.registered.register(KIND)


def person(name: str, role: str = "Finance approver", *, superuser: bool = False) -> Actor:
    user = User.objects.create_user(name, is_staff=True, is_superuser=superuser)
    user.groups.add(Group.objects.get(name=role))
    return Actor.person(User.objects.get(pk=user.pk))


def proposed(by: Actor, *, subject: Subject = SUBJECT, **changed) -> Proposal:
    draft = {"kind": KIND.name, "payload": {"amount": "1250"}, "snapshot": FACTS, "reason": "It was counted twice."}
    return operations.propose(Draft(subject=subject, **{**draft, **changed}), by=by, now=NOW)


def approved(proposal: Proposal, by: Actor, *, look=lambda _: FACTS, carry_out=lambda _: "done", version: int = 1):
    return operations.approve(
        proposal_id=proposal.pk, version=version, by=by, look=look, carry_out=carry_out, now=LATER
    )
