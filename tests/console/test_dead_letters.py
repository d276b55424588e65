"""Dead letters in the console: grouped, previewed, handled again once, and discarded by two people only."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from paymentops.access.models import AuditEntry
from paymentops.core import clock
from paymentops.events.models import DeadLetter
from paymentops.payments.models import Payment
from paymentops.providers.adapters.sandbox.adapter import SandboxProvider
from tests.console.conftest import ROLES, person
from tests.payments.hands import Hands, fresh, make_requester
from tests.payments.test_webhook_faults import WAITS, deliver, look_again, secrets, told

__all__ = ["secrets"]
pytestmark = pytest.mark.django_db

LIST = "/console/dead-letters/"


def unreadable(_self: Any, _body: bytes, *, now: Any) -> Any:
    raise KeyError(f"status at {now}")


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> list[Payment]:
    """Two payments whose notifications died in a release that could not read them; the next one can."""
    hands = Hands(requester=make_requester("poisoned"), now=clock.now() - timedelta(hours=3))
    payments = []
    with monkeypatch.context() as patched:
        patched.setattr(SandboxProvider, "read_webhook", unreadable)
        for number in range(2):
            payment = hands.pay(reference=f"order-{number}")
            hands.sending()
            deliver(told(payment.attempts.get(), event=f"evt_{number}"), now=hands.now)
            payments.append(payment)
        for wait in WAITS:
            hands.wait(wait.total_seconds() + 1)
            look_again(hands.now)
    return payments


def send(client: Client, letter: DeadLetter, deed: str, **values: Any) -> Any:
    form = {"form_token": f"token-of-{deed}-{values.get('version', 0)}-and-more", "reason": "Because.", **values}
    return client.post(f"{LIST}{letter.public_id}/{deed}", form)


def test_letters_with_one_trouble_are_one_group_and_every_role_reads_them(dead) -> None:
    assert DeadLetter.objects.order_by().values("fingerprint").distinct().count() == 1
    letter = DeadLetter.objects.order_by("id").first()
    for role in ROLES:
        client = person(role)
        shown = client.get(LIST, {"group": letter.fingerprint, "source": letter.source})
        assert shown.status_code == 200
        assert letter.public_id in shown.text
        assert ("Handle this group again" in shown.text) == (role in ("Engineer", "Admin"))
        assert client.get(f"{LIST}{letter.public_id}").status_code == 200
    assert Client().get(LIST).status_code == 302


def test_a_dry_run_shows_what_would_happen_and_stores_nothing(dead, engineer) -> None:
    letter = DeadLetter.objects.order_by("id").first()
    shown = engineer.get(f"{LIST}{letter.public_id}", {"dry_run": "1"})
    assert "it would work and tell payment.captured" in shown.text
    assert "&quot;charge&quot;: &quot;ch_1&quot;" in shown.text
    assert {fresh(payment).state for payment in dead} == {"PROCESSING"}
    assert DeadLetter.objects.filter(resolved_at=None).count() == 2


def test_a_group_is_handled_again_and_leaves_the_list(dead, engineer) -> None:
    letter = DeadLetter.objects.first()
    form = {"form_token": "token-of-the-whole-group", "group": letter.fingerprint, "source": letter.source}
    assert engineer.post(f"{LIST}replay", {**form, "reason": ""}).status_code == 302
    assert DeadLetter.objects.filter(resolved_at=None).count() == 2
    for _ in range(2):
        assert engineer.post(f"{LIST}replay", {**form, "reason": "fixed"}).status_code == 302
    assert {fresh(payment).state for payment in dead} == {"CAPTURED"}
    assert AuditEntry.objects.filter(action="dead_letter.replay").count() == 2
    assert "No dead letters" in engineer.get(LIST).text


def test_one_that_fails_again_stays_with_the_newest_reason(dead, engineer, monkeypatch) -> None:
    letter = DeadLetter.objects.first()
    with monkeypatch.context() as patched:
        patched.setattr(SandboxProvider, "read_webhook", unreadable)
        assert "it would fail again" in engineer.get(f"{LIST}{letter.public_id}", {"dry_run": "1"}).text
        assert send(engineer, letter, "replay").status_code == 409
    letter.refresh_from_db()
    assert (letter.resolved_at, letter.attempts) == (None, 7)
    assert send(engineer, letter, "replay").status_code == 302
    letter.refresh_from_db()
    assert letter.resolution == "REPLAYED"


def test_discarding_takes_a_reason_and_a_second_person(dead, engineer) -> None:
    letter = DeadLetter.objects.first()
    assert send(engineer, letter, "discard", reason=" ").status_code == 400
    assert send(engineer, letter, "discard").status_code == 302
    assert send(engineer, letter, "approve", version=1).status_code == 403
    admin = person("Admin")
    assert "Agree to discard" in admin.get(f"{LIST}{letter.public_id}").text
    assert send(admin, letter, "approve", version=1).status_code == 302
    letter.refresh_from_db()
    assert letter.resolution == "DISCARDED"
    assert AuditEntry.objects.get(action="dead_letter.discard").actor == "somebody-admin"
    own = DeadLetter.objects.get(resolved_at=None)
    assert send(admin, own, "discard", form_token="another-token-of-a-form").status_code == 302
    assert send(admin, own, "approve", version=1, form_token="a-third-token-of-a-form").status_code == 403


def test_the_command_lists_previews_and_handles_again(dead) -> None:
    def run(*arguments: str) -> str:
        out = StringIO()
        call_command("deadletters", *arguments, stdout=out)
        return out.getvalue()

    letter = DeadLetter.objects.order_by("id").first()
    assert letter.public_id in run("list")
    assert "would work and tell payment.captured" in run("show", letter.public_id)
    with pytest.raises(CommandError, match="--reason"):
        run("replay", "--group", letter.fingerprint)
    assert run("replay", "--group", letter.fingerprint, "--dry-run").count("would work") == 2
    assert run("replay", "--source", "webhook:sandbox", "--reason", "fixed").count("handled") == 2
    assert {fresh(payment).state for payment in dead} == {"CAPTURED"}
    assert "handled again" in run("show", letter.public_id)
