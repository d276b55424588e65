"""Holding a breaker open and closing it takes two people and a reason, in the console and in the operations."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client

from paymentops.access.actors import Actor
from paymentops.access.models import User
from paymentops.casework.models import Proposal
from paymentops.casework.operations import AlreadyProposed, NotAllowed, OwnProposal, StaleFacts
from paymentops.payments.breaker import Key
from paymentops.payments.models import Attempt, Breaker, BreakerTransition
from paymentops.payments.operations import breaker_decisions, breaking
from paymentops.payments.operations.breaker_decisions import BreakerAsWanted
from paymentops.payments.operations.dispatching import Send
from tests.payments.hands import Hands

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("verified")]
KEY = Key("sandbox", "AUTHORIZE", "card")


def person(name: str, role: str = "Engineer") -> Actor:
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return Actor.person(User.objects.get(pk=user.pk))


def held_open(hands: Hands, one: Actor, other: Actor) -> Breaker:
    proposal = breaker_decisions.propose_opening(KEY, reason="Their maintenance.", by=one, now=hands.now)
    return breaker_decisions.approve(
        proposal_id=proposal.pk, version=proposal.version, by=other, now=hands.now
    ).carried_out()


def test_two_people_hold_it_open_past_any_probe_until_two_people_close_it(hands: Hands) -> None:
    one, other = person("engineer-a"), person("engineer-b")
    found = held_open(hands, one, other)
    assert (found.state, found.by_hand) == ("OPEN", True)
    hands.pay()
    hands.wait(3600)
    breaking.sweep(now=hands.now)
    assert hands.begin() is None
    closing = breaker_decisions.propose_closing(KEY, reason="They are back.", by=one, now=hands.now)
    with pytest.raises(OwnProposal):
        breaker_decisions.approve(proposal_id=closing.pk, version=closing.version, by=one, now=hands.now)
    breaker_decisions.approve(proposal_id=closing.pk, version=closing.version, by=other, now=hands.now).carried_out()
    # What it held back is due at once.
    assert isinstance(hands.begin(), Send)
    moves = BreakerTransition.objects.order_by("sequence").values_list("to_state", "actor", "reason")
    assert list(moves) == [("OPEN", "engineer-b", "Their maintenance."), ("CLOSED", "engineer-b", "They are back.")]


def test_who_may_not_and_what_needs_no_move_is_refused(hands: Hands) -> None:
    one, other, clerk = person("engineer-a"), person("engineer-b"), person("clerk", "Finance")
    with pytest.raises(NotAllowed):
        breaker_decisions.propose_opening(KEY, reason="Because.", by=clerk, now=hands.now)
    with pytest.raises(BreakerAsWanted):
        breaker_decisions.propose_closing(KEY, reason="Because.", by=one, now=hands.now)
    held_open(hands, one, other)
    with pytest.raises(BreakerAsWanted):
        breaker_decisions.propose_opening(KEY, reason="Because.", by=one, now=hands.now)


def test_what_was_proposed_is_stale_once_the_breaker_closed_by_itself(hands: Hands) -> None:
    one, other = person("engineer-a"), person("engineer-b")
    held_open(hands, one, other)
    closing = breaker_decisions.propose_closing(KEY, reason="They are back.", by=one, now=hands.now)
    with pytest.raises(AlreadyProposed):
        breaker_decisions.propose_closing(KEY, reason="They are back.", by=other, now=hands.now)
    breaking.close_by_hand(KEY, cause=breaking.Cause("test", "1"), now=hands.now)
    decision = breaker_decisions.approve(proposal_id=closing.pk, version=closing.version, by=other, now=hands.now)
    with pytest.raises(StaleFacts):
        decision.carried_out()
    assert BreakerTransition.objects.count() == 2


def test_the_console_shows_the_figures_and_takes_both_people_through_it(hands: Hands) -> None:
    hands.pay()
    hands.send(hands.sold())
    one, other = browser("engineer-a"), browser("engineer-b")
    listed = one.get("/console/providers/?minutes=1440").content.decode()
    assert "sandbox" in listed
    assert "100.0 %" in listed
    page = "/console/providers/sandbox/AUTHORIZE/card"
    assert send(one, page, "open", reason="Their maintenance.").status_code == 302
    assert send(one, page, "approve").status_code == 403
    shown = other.get(page).content.decode()
    assert "Their maintenance." in shown
    assert send(other, page, "approve").status_code == 302
    assert Breaker.objects.get().by_hand
    assert "held by people" in other.get(page).content.decode()
    assert other.get("/console/providers/nobody/AUTHORIZE/card").status_code == 404
    assert browser("clerk", "Viewer").post(f"{page}/do/close").status_code == 403


def test_the_command_lists_breakers(hands: Hands, capsys: Any) -> None:
    call_command("breakers")
    assert "No call in the last 15 minutes" in capsys.readouterr().out
    held_open(hands, person("engineer-a"), person("engineer-b"))
    hands.pay(provider="sandbox")
    call_command("breakers")
    assert "sandbox/AUTHORIZE/card  open, held by people  no calls" in capsys.readouterr().out
    call_command("breakers", "--json")
    assert '"state": "OPEN"' in capsys.readouterr().out
    with pytest.raises(CommandError, match="--minutes takes 1 to 1440"):
        call_command("breakers", "--minutes", "0")
    assert Attempt.objects.get().state == "PREPARED"


def browser(name: str, role: str = "Engineer") -> Client:
    client = Client(raise_request_exception=False)
    user = person(name, role).user
    assert user is not None
    client.force_login(user)
    return client


def send(client: Client, page: str, deed: str, **fields: str) -> Any:
    shown = client.get(page).content.decode()
    token = re.search(r'name="form_token" value="([^"]+)"', shown)
    assert token is not None
    version = Proposal.objects.order_by("-id").values_list("version", flat=True).first() or 0
    return client.post(f"{page}/do/{deed}", {"form_token": token[1], "version": str(version), **fields})
