"""The console's pages of the outbox and the dead letters."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import path, reverse

from paymentops.access.models import AuditEntry, User
from paymentops.core import ids
from paymentops.events import operations
from tests.events.conftest import NOW

pytestmark = pytest.mark.django_db
urlpatterns = [path("console/", admin.site.urls)]


@pytest.fixture(autouse=True)
def urls(settings) -> None:
    settings.ROOT_URLCONF = __name__


def signed_in(role: str) -> Client:
    user = User.objects.create_user("someone", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("term", ["", "evt", "aggregate", "nonsense", "evt_" + "0" * 32, "' OR 1=1"])
def test_the_outbox_is_searched_by_exact_ids_only(tell, term) -> None:
    event, other = tell("payment.created")[0], tell("payment.created")[0]
    wanted = {"evt": event.public_id, "aggregate": ids.public(ids.Prefix.PAYMENT, event.aggregate_id)}.get(term, term)
    response = signed_in("Viewer").get(reverse("admin:events_outboxevent_changelist"), {"q": wanted})
    assert response.status_code == 200
    text = response.content.decode()
    assert (event.public_id in text) == (term in ("", "evt", "aggregate"))
    assert (other.public_id in text) == (term == "")


def test_nobody_edits_the_outbox(tell) -> None:
    (event,) = tell("payment.created")
    client = signed_in("Admin")
    assert client.get(reverse("admin:events_outboxevent_change", args=[event.pk])).status_code == 200
    assert client.post(reverse("admin:events_outboxevent_change", args=[event.pk]), {}).status_code == 403
    assert client.get(reverse("admin:events_outboxevent_add")).status_code == 403


@pytest.fixture
def letter(db):
    return operations.bury(
        source="subscriber:gone", reference="evt_1", reason="no row", owner="engineering", attempts=6, now=NOW
    )


def test_a_viewer_sees_dead_letters_but_handles_none(letter) -> None:
    client = signed_in("Viewer")
    assert "no row" in client.get(reverse("admin:events_deadletter_changelist")).content.decode()
    url = reverse("admin:events_deadletter_replay", args=[letter.pk])
    assert client.post(url, {"_form_submitted": "on", "reason": "x"}).status_code == 403


def test_an_engineer_has_one_handled_again_and_learns_what_came_of_it(letter, monkeypatch) -> None:
    client = signed_in("Engineer")
    url = reverse("admin:events_deadletter_replay", args=[letter.pk])
    page = client.post(url, {"_form_submitted": "on", "reason": "fixed"}, follow=True)
    assert "Nothing registered handles dead letters of subscriber:gone" in page.content.decode()
    type(letter).objects.update(source="letter:box")
    monkeypatch.setitem(operations.dead_letters.registered._replays, "letter", lambda **_: None)
    page = client.post(url, {"_form_submitted": "on", "reason": "fixed"}, follow=True)
    assert "It was handled; the dead letter is closed." in page.content.decode()
    assert AuditEntry.objects.get().actor == "someone"
