"""The roles stand in the code and migrations set them exactly."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from paymentops.access import roles
from paymentops.access.models import User

pytestmark = pytest.mark.django_db


def person(role: str) -> User:
    user = User.objects.create_user(role.replace(" ", "-"))
    user.groups.add(Group.objects.get(name=role))
    return user


def test_migrations_have_made_the_roles() -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= {role.name for role in roles.ROLES}


@pytest.mark.parametrize("role", [role.name for role in roles.ROLES])
def test_every_role_looks_up_and_none_edits_rows(role) -> None:
    user = person(role)
    assert user.has_perm("events.view_outboxevent")
    assert user.has_perm("idempotency.view_idempotencykey")
    assert not user.has_perm("events.change_outboxevent")
    assert not user.has_perm("access.change_auditentry")
    assert not user.has_perm("access.delete_user")


@pytest.mark.parametrize(
    ("permission", "holders"),
    [
        ("access.view_pii", {"Finance", "Finance approver", "Engineer", "Admin"}),
        ("access.view_auditentry", {"Finance approver", "Admin"}),
        ("access.view_apikey", {"Engineer", "Admin"}),
        ("access.view_user", {"Admin"}),
        ("access.change_user", {"Admin"}),
        ("access.revoke_apikey", {"Admin"}),
        ("events.replay_deadletter", {"Engineer", "Admin"}),
    ],
)
def test_a_guarded_right_is_with_its_roles_only(permission, holders) -> None:
    assert {role.name for role in roles.ROLES if person(role.name).has_perm(permission)} == holders


def sync() -> None:
    for config in apps.get_app_configs():
        roles.grant(app_config=config, using="default", apps=apps)


def test_migrating_again_puts_a_role_right_and_leaves_other_groups_alone() -> None:
    viewer = Group.objects.get(name="Viewer")
    own = Group.objects.create(name="Night shift")
    extra = Permission.objects.get(codename="change_user", content_type__app_label="access")
    viewer.permissions.add(extra)
    own.permissions.add(extra)
    viewer.permissions.remove(Permission.objects.get(codename="view_outboxevent"))
    before = viewer.permissions.count()
    sync()
    sync()
    assert extra not in viewer.permissions.all()
    assert viewer.permissions.filter(codename="view_outboxevent").exists()
    assert viewer.permissions.count() == before
    assert own.permissions.get() == extra


def test_every_permission_named_for_a_role_exists() -> None:
    known = {f"{p.content_type.app_label}.{p.codename}" for p in Permission.objects.select_related("content_type")}
    installed = {config.label for config in apps.get_app_configs()}
    named = {name for role in roles.ROLES for name in role.may}
    assert {name for name in named if name.partition(".")[0] in installed} <= known
