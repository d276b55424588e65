"""Who works in the demo: people with the roles of the console, and the service whose payments they see."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import Group
from django.db import transaction

from paymentops.access import operations as access
from paymentops.access import roles
from paymentops.access.actors import Actor
from paymentops.access.models import ApiClient, ApiKey, Scope, User
from paymentops.access.roles import Role
from paymentops.local import places
from paymentops.payments.operations.accepting import Requester

CLIENT: Final = "demo-shop"
ACTOR: Final = Actor.command("demo")
PEOPLE: Final[tuple[tuple[str, Role], ...]] = (
    ("finance-1", roles.FINANCE),
    ("finance-2", roles.FINANCE),
    ("approver-1", roles.FINANCE_APPROVER),
    ("engineer-1", roles.ENGINEER),
    ("engineer-2", roles.ENGINEER),
    ("viewer-1", roles.VIEWER),
    ("admin-1", roles.ADMIN),
)
_PASSWORD_FILE: Final = "demo_password"  # noqa: S105 - a file's name
_KEY_FILE: Final = "demo_api_key"


@dataclass(frozen=True, slots=True)
class Login:
    """One person of the demo and whether the password of this data directory is still theirs."""

    name: str
    role: str
    password_known: bool


@dataclass(frozen=True, slots=True)
class Service:
    """The service of the demo and the secret of its API key."""

    client: ApiClient
    secret: str

    @property
    def requester(self) -> Requester:
        """Return the service as payment operations know it."""
        return Requester(client_id=self.client.pk, api_key_prefix=_prefix(self.secret))


def password(data_dir: Path) -> str:
    """Return the password of all people of the demo in this data directory; it is made on first use."""
    found = places.kept_secret(data_dir, _PASSWORD_FILE)
    return found or places.keep_secret(data_dir, _PASSWORD_FILE, secrets.token_urlsafe(12))


def hire(*, password: str, now: datetime) -> list[Login]:
    """Make the people who are not there yet, with this password, and return them all.

    Whoever is there already stays as they are, with their own password.
    """
    missing = [(name, role) for name, role in PEOPLE if not User.objects.filter(username=name).exists()]
    hashed = make_password(password) if missing else ""
    for name, role in missing:
        _hire(name, role, hashed=hashed, now=now)
    stored = dict(User.objects.filter(username__in=dict(PEOPLE)).values_list("username", "password"))
    # Hashing is slow on purpose, and whoever was hired in one go shares a hash.
    fits = {each: each == hashed or check_password(password, each) for each in set(stored.values())}
    return [Login(name, role.name, password_known=fits[stored[name]]) for name, role in PEOPLE]


def open_shop(*, data_dir: Path, now: datetime) -> Service:
    """Return the service with a key that works: the one kept in the data directory, or a new one that is kept there."""
    secret = places.kept_secret(data_dir, _KEY_FILE)
    client = ApiClient.objects.filter(name=CLIENT).first()
    if client is None or not secret or not _opens(client, secret, now):
        key, secret = access.issue_key_by_name(
            name=CLIENT, scopes=[scope.value for scope in Scope], expires_at=None, by=ACTOR, now=now
        )
        client = key.client
        places.keep_secret(data_dir, _KEY_FILE, secret)
    return Service(client, secret)


@transaction.atomic
def _hire(name: str, role: Role, *, hashed: str, now: datetime) -> None:
    user = User.objects.create(username=name, password=hashed, is_staff=True, date_joined=now)
    user.groups.add(Group.objects.get(name=role.name))
    access.audit(
        action="user.add",
        actor=ACTOR,
        object_type="user",
        object_id=name,
        after={"is_staff": True, "groups": [role.name]},
        now=now,
    )


def _opens(client: ApiClient, secret: str, now: datetime) -> bool:
    key = ApiKey.objects.filter(client=client, digest=ApiKey.digest_of(secret)).first()
    return key is not None and key.state(now) == "usable" and client.disabled_at is None


def _prefix(secret: str) -> str:
    return "_".join(secret.split("_", 2)[:2])
