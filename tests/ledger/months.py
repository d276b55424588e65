"""Shared words of the tests about months: people, the months around the tests' beginning, and closing them."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from django.contrib.auth.models import Group

from ledger import postings
from ledger.models import Entry, Period
from ledger.operations import periods
from ledger.periods import Month
from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework.models import Proposal
from tests.ledger.books import PARTIES, eur, post

DECEMBER, JANUARY, FEBRUARY, MARCH = (Month.parse(text) for text in ("2025-12", "2026-01", "2026-02", "2026-03"))
OPERATOR = Actor.command("ledger", on_behalf_of="tests")
# Day 0 of the tests is 5 January 2026.
IN_JANUARY, IN_FEBRUARY, IN_MARCH = 10, 40, 60


def person(name: str, role: str) -> Actor:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return Actor.person(User.objects.get(pk=user.pk))


def after(month: Month) -> datetime:
    return month.ends_at + timedelta(hours=9)


def close(month: Month, *, by: Actor = OPERATOR, now: datetime | None = None) -> Period:
    return periods.close(month, by=by, now=now or after(month))


def sell(minor: int = 100, *, on: int = IN_JANUARY) -> Entry:
    return post(postings.sold(payment_id=uuid4(), parties=PARTIES, amount=eur(minor)), on=on)


def hold(minor: int = 100, *, on: int = IN_JANUARY) -> Entry:
    return post(postings.held(payment_id=uuid4(), sequence=0, parties=PARTIES, amount=eur(minor)), on=on)


def propose(month: Month, *, by: Actor, reason: str = "An invoice was forgotten.") -> Proposal:
    return periods.propose_reopening(month, reason=reason, by=by, now=datetime(2026, 6, 1, tzinfo=UTC))


def reopen(month: Month, *, maker: Actor, checker: Actor) -> Period:
    proposal = propose(month, by=maker)
    decision = periods.approve_reopening(
        proposal_id=proposal.pk, version=proposal.version, by=checker, now=datetime(2026, 6, 2, tzinfo=UTC)
    )
    return decision.carried_out()
