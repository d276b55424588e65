"""What each role of the console may do, and giving exactly that after every migration.

The roles are Django groups. They belong to the code: ``manage.py migrate`` makes them and sets their permissions, so
that a right taken away here is gone everywhere. Whoever needs another mix makes a group of their own, which stays as
it is. Permissions of a room that comes later exist only after its migration, so each room's are given when Django
says that this room is migrated (``post_migrate``), never by a data migration that would run too early.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from django.apps import AppConfig
from django.apps import apps as present_apps
from django.apps.registry import Apps

# Whose rows every role may look up.
ROOMS: Final = frozenset(
    {
        "access",
        "events",
        "idempotency",
        "providers",
        "rollout",
        "casework",
        "payments",
        "ledger",
        "reconciliation",
        "reliability",
        "incidents",
    }
)
# Looking these up is a right of its own.
GUARDED: Final = frozenset(
    {"access.view_user", "access.view_apiclient", "access.view_apikey", "access.view_auditentry"},
)


@dataclass(frozen=True, slots=True)
class Role:
    """A group of the console: it looks up everything unguarded, and may do what is named, ``app.codename``."""

    name: str
    may: frozenset[str] = field(default_factory=frozenset)

    def allows(self, permission: str) -> bool:
        """Tell whether the role has a permission."""
        app, _, codename = permission.partition(".")
        looks_up = app in ROOMS and codename.startswith("view_") and codename != "view_pii"
        return permission in self.may or (looks_up and permission not in GUARDED)


# Whoever works on something comments on it, attaches files and answers for it.
_WORKS: Final = frozenset({"casework.add_comment", "casework.add_attachment", "casework.change_ownership"})

VIEWER: Final = Role("Viewer")
# Whoever looks after payments asks providers, and proposes what became of what no provider can tell.
_RESOLVES: Final = frozenset({"payments.ask_provider", "payments.propose_outcome"})

FINANCE: Final = Role(
    "Finance",
    _WORKS
    | _RESOLVES
    | {
        "access.view_pii",
        "ledger.propose_journal",
        "ledger.propose_reopening",
        "payments.dismiss_duplicates",
    },
)
FINANCE_APPROVER: Final = Role(
    "Finance approver",
    _WORKS
    | _RESOLVES
    | {
        "payments.approve_outcome",
        "access.view_pii",
        "access.view_auditentry",
        "ledger.propose_journal",
        "payments.propose_refund",
        "payments.approve_refund",
        "ledger.approve_journal",
        "ledger.close_account",
        "ledger.close_period",
        "ledger.propose_reopening",
        "ledger.approve_reopening",
        "payments.dismiss_duplicates",
    },
)
ENGINEER: Final = Role(
    "Engineer",
    _WORKS
    | _RESOLVES
    | frozenset(
        {
            "access.view_pii",
            "access.view_apiclient",
            "access.view_apikey",
            "console.read_raw",
            "events.replay_deadletter",
            "incidents.work_incident",
            "payments.dismiss_duplicates",
            "payments.propose_breaker",
            "payments.approve_breaker",
        }
    ),
)
ADMIN: Final = Role(
    "Admin",
    GUARDED
    | _WORKS
    | {
        "access.view_pii",
        "access.add_user",
        "access.change_user",
        "access.add_team",
        "access.change_team",
        "access.revoke_apikey",
        "access.set_duplicate_policy",
        "auth.view_group",
        "console.read_raw",
        "events.replay_deadletter",
        "events.discard_deadletter",
        "incidents.work_incident",
        "ledger.close_period",
    },
)
ROLES: Final = (VIEWER, FINANCE, FINANCE_APPROVER, ENGINEER, ADMIN)


def grant(*, app_config: AppConfig, using: str, apps: Apps = present_apps, **_: Any) -> None:
    """Make the roles and give them their permissions of one app; receives ``post_migrate``, safe to run again."""
    try:
        group_model = apps.get_model("auth", "Group")
        permission_model = apps.get_model("auth", "Permission")
    except LookupError:  # migrating backwards past the tables
        return
    permissions = {
        permission.pk: f"{app_config.label}.{permission.codename}"
        for permission in permission_model.objects.using(using).filter(content_type__app_label=app_config.label)
    }
    if not permissions:
        return
    groups = group_model.objects.using(using)
    groups.bulk_create([group_model(name=role.name) for role in ROLES], ignore_conflicts=True)
    ids = dict(groups.filter(name__in=[role.name for role in ROLES]).values_list("name", "id"))
    wanted = {(ids[role.name], pk) for role in ROLES for pk, name in permissions.items() if role.allows(name)}
    grants = group_model.permissions.through.objects.using(using)
    present = grants.filter(group_id__in=ids.values(), permission_id__in=permissions)
    superfluous = [row.pk for row in present if (row.group_id, row.permission_id) not in wanted]
    grants.filter(pk__in=superfluous).delete()
    grants.bulk_create(
        [group_model.permissions.through(group_id=group, permission_id=pk) for group, pk in wanted],
        ignore_conflicts=True,
    )
