"""The console's look-up pages of access."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import path, reverse

from paymentops.access import pages
from paymentops.access.models import ApiKey, AuditEntry, Team, User

pytestmark = pytest.mark.django_db
urlpatterns = [path("console/", admin.site.urls)]


@pytest.fixture(autouse=True)
def urls(settings) -> None:
    settings.ROOT_URLCONF = __name__


def signed_in(role: str, *, superuser: bool = False) -> Client:
    user = User.objects.create_user(f"someone-{role}", is_staff=True, is_superuser=superuser)
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def boss() -> Client:
    return signed_in("Admin")


@pytest.mark.parametrize("page", ["auditentry", "apiclient", "apikey", "user"])
def test_an_admin_sees_every_page(boss, issue, page) -> None:
    issue()
    response = boss.get(reverse(f"admin:access_{page}_changelist"))
    assert response.status_code == 200


@pytest.mark.parametrize("page", ["auditentry", "apikey", "user"])
def test_a_viewer_does_not_see_the_guarded_pages(page) -> None:
    assert signed_in("Viewer").get(reverse(f"admin:access_{page}_changelist")).status_code == 403


@pytest.mark.parametrize("page", ["auditentry", "apiclient", "apikey"])
def test_not_even_a_superuser_adds_or_deletes_rows_by_hand(issue, page) -> None:
    issue()
    root = signed_in("Admin", superuser=True)
    row = {"auditentry": AuditEntry, "apikey": ApiKey}.get(page, AuditEntry).objects.first()
    assert root.get(reverse(f"admin:access_{page}_add")).status_code == 403
    assert root.post(reverse(f"admin:access_{page}_delete", args=[row.pk])).status_code in (302, 403)
    assert type(row).objects.filter(pk=row.pk).exists()


def test_the_key_page_shows_no_digest(boss, issue) -> None:
    key, secret = issue()
    text = boss.get(reverse("admin:access_apikey_change", args=[key.pk])).content.decode()
    assert key.prefix in text
    assert key.digest not in text
    assert secret not in text


def revoke_url(key: ApiKey) -> str:
    return reverse("admin:access_apikey_revoke", args=[key.pk])


def test_revoking_asks_for_a_reason_and_writes_it_down(boss, issue) -> None:
    key, _ = issue()
    assert "Reason" in boss.get(revoke_url(key)).content.decode()
    boss.post(revoke_url(key), {"_form_submitted": "on", "reason": ""})
    key.refresh_from_db()
    assert key.revoked_at is None
    for header in ({}, {"HX-Request": "true"}):
        response = boss.post(revoke_url(key), {"_form_submitted": "on", "reason": "leaked"}, headers=header)
    assert response.headers["HX-Redirect"] == reverse("admin:access_apikey_change", args=[key.pk])
    key.refresh_from_db()
    assert key.revoked_at is not None
    entry = AuditEntry.objects.get(action="api_key.revoke")
    assert (entry.actor, entry.reason, entry.ip) == ("someone-Admin", "leaked", "127.0.0.1")
    assert len(entry.request_id) == 32


def test_an_engineer_may_look_at_keys_but_not_revoke_them(issue) -> None:
    key, _ = issue()
    engineer = signed_in("Engineer")
    assert engineer.get(reverse("admin:access_apikey_changelist")).status_code == 200
    assert engineer.post(revoke_url(key), {"_form_submitted": "on", "reason": "x"}).status_code == 403


def test_giving_a_role_is_written_down(boss) -> None:
    user = User.objects.create_user("newcomer")
    role = Group.objects.get(name="Finance")
    url = reverse("admin:access_user_change", args=[user.pk])
    response = boss.post(
        url, {"username": "newcomer", "is_active": "on", "is_staff": "on", "groups": [role.pk], "email": "",
              "first_name": "", "last_name": "", "date_joined_0": "2026-11-22", "date_joined_1": "09:30:00"}
    )  # fmt: skip
    assert response.status_code == 302, response.context["adminform"].form.errors
    entry = AuditEntry.objects.get(action="user.change")
    assert entry.after["groups"] == ["Finance"]
    assert (entry.before["groups"], entry.object_id) == ([], "newcomer")


def test_a_new_person_and_a_new_password_are_written_down_without_the_password(boss) -> None:
    secret = "correct horse battery"
    boss.post(
        reverse("admin:access_user_add"),
        {"username": "newcomer", "usable_password": "true", "password1": secret, "password2": secret},
    )
    user = User.objects.get(username="newcomer")
    response = boss.post(
        reverse("admin:auth_user_password_change", args=[user.pk]),
        {"usable_password": "true", "password1": secret + "2", "password2": secret + "2"},
    )
    assert response.status_code == 302
    rows = list(AuditEntry.objects.filter(object_id="newcomer").order_by("id"))
    assert [row.action for row in rows] == ["user.add", "user.change"]
    assert all(secret not in str((row.before, row.after)) for row in rows)
    assert "password" in rows[1].after


def test_a_team_and_who_is_in_it_are_written_down(boss) -> None:
    member = User.objects.create_user("member")
    boss.post(reverse("admin:access_team_add"), {"name": "Treasury", "members": [member.pk], "is_active": "on"})
    team = Team.objects.get()
    assert list(team.members.all()) == [member]
    entry = AuditEntry.objects.get(action="team.add")
    assert (entry.object_type, entry.object_id, entry.after["members"]) == ("team", "Treasury", ["member"])
    assert boss.post(reverse("admin:access_team_delete", args=[team.pk]), {"post": "yes"}).status_code == 403
    assert "member" in boss.get(reverse("admin:access_team_changelist")).text
    assert signed_in("Finance").get(reverse("admin:access_team_add")).status_code == 403


def test_an_admin_cannot_become_or_touch_a_superuser(boss) -> None:
    root = User.objects.create_superuser("root")
    assert boss.post(reverse("admin:access_user_change", args=[root.pk]), {"username": "mine"}).status_code == 403
    me = User.objects.get(username="someone-Admin")
    boss.post(
        reverse("admin:access_user_change", args=[me.pk]),
        {"username": "someone-Admin", "is_active": "on", "is_staff": "on", "is_superuser": "on",
         "date_joined_0": "2026-11-22", "date_joined_1": "09:30:00"},
    )  # fmt: skip
    me.refresh_from_db()
    assert not me.is_superuser


def test_the_roles_of_the_code_are_shown_only() -> None:
    root = signed_in("Admin", superuser=True)
    viewer, own = Group.objects.get(name="Viewer"), Group.objects.create(name="Night shift")
    assert root.post(reverse("admin:auth_group_change", args=[viewer.pk]), {"name": "Mine"}).status_code == 403
    assert root.post(reverse("admin:auth_group_change", args=[own.pk]), {"name": "Day shift"}).status_code == 302


def test_nobody_acts_without_being_signed_in(rf) -> None:
    request = rf.get("/console/")
    request.user = None
    with pytest.raises(TypeError):
        pages.person(request)
    request.user = User(username="ada")
    request.META["REMOTE_ADDR"] = ""
    assert (pages.person(request).name, pages.person(request).ip) == ("ada", None)
