"""Writes of the room ``access``: API clients and their keys, and the audit row of everything a person does."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from paymentops.access.actors import Actor
from paymentops.access.models import ApiClient, ApiKey, AuditEntry, DuplicatePolicy, Scope
from paymentops.core import ids, tracing
from paymentops.core.errors import Conflict, InvalidInput

LONGEST_WINDOW_SECONDS: Final = 7 * 86_400

# SKIP LOCKED: somebody else who notes the same use at this moment is as good.
_NOTE_USE: Final = """
UPDATE access_apikey SET last_used_at = %(now)s
 WHERE id = (SELECT id FROM access_apikey
              WHERE id = %(id)s AND (last_used_at IS NULL OR last_used_at <= %(before)s)
                FOR NO KEY UPDATE SKIP LOCKED)
"""


class UnknownScope(InvalidInput):
    """A scope is not one of those that exist."""

    code = "access.scope_unknown"
    title = "There is no such scope"


class NotInTransaction(RuntimeError):
    """An audit row was written outside the transaction of what it tells about: a programming mistake."""


def audit(
    *,
    action: str,
    actor: Actor,
    object_type: str,
    object_id: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    now: datetime,
) -> AuditEntry:
    """Write down what somebody did, in the transaction that does it.

    Args:
        action: the room and the verb, ``api_key.revoke``.
        actor: who did it.
        object_type: the kind of thing, ``api_key``.
        object_id: its public id.
        before: the values that changed, as they were; JSON values, no secrets.
        after: the same values as they are now.
        reason: the person's own words.
        now: when.

    Raises:
        NotInTransaction: no transaction is open.
    """
    if not transaction.get_connection().in_atomic_block:
        raise NotInTransaction(f"Open a transaction before writing the audit row of {action}.")
    return AuditEntry.objects.create(
        id=ids.new(now),
        at=now,
        actor_kind=actor.kind,
        actor=actor.name,
        user=actor.user,
        on_behalf_of=actor.on_behalf_of,
        action=action,
        object_type=object_type,
        object_id=object_id,
        before=dict(before or {}),
        after=dict(after or {}),
        reason=reason,
        request_id=actor.request_id,
        ip=actor.ip,
        trace_id=tracing.current_trace_id(),
    )


@transaction.atomic
def create_client(*, name: str, by: Actor, now: datetime) -> ApiClient:
    """Make a client, to which keys can be issued.

    Raises:
        InvalidInput: the name is empty, too long or holds control characters.
        Conflict: there is a client of that name.
    """
    name = name.strip()
    if not 1 <= len(name) <= 100 or not name.isprintable():
        raise InvalidInput("A client's name has 1 to 100 printable characters.")
    client, made = ApiClient.objects.get_or_create(name=name, defaults={"id": ids.new(now), "created_at": now})
    if not made:
        raise Conflict(f"There is a client {name!r} already.")
    audit(
        action="api_client.create",
        actor=by,
        object_type="api_client",
        object_id=client.public_id,
        after={"name": name},
        now=now,
    )
    return client


@transaction.atomic
def issue_key(
    *, client: ApiClient, scopes: Iterable[str], expires_at: datetime | None, by: Actor, now: datetime
) -> tuple[ApiKey, str]:
    """Make a key for a client; return it and its secret, which cannot be had a second time.

    Raises:
        UnknownScope: a scope does not exist, or none is given.
        InvalidInput: the key would be born expired.
        Conflict: the client is disabled.
    """
    wanted = _known_scopes(scopes)
    if expires_at is not None and expires_at <= now:
        raise InvalidInput("A key must expire in the future.")
    if client.disabled_at is not None:
        raise Conflict(f"The client {client.name!r} is disabled.")
    prefix, secret = ApiKey.generate_secret()
    key = ApiKey.objects.create(
        id=ids.new(now),
        client=client,
        prefix=prefix,
        digest=ApiKey.digest_of(secret),
        scopes=wanted,
        created_at=now,
        created_by=by.name,
        expires_at=expires_at,
    )
    audit(
        action="api_key.issue",
        actor=by,
        object_type="api_key",
        object_id=prefix,
        after={
            "client": client.public_id,
            "scopes": wanted,
            "expires_at": expires_at.isoformat() if expires_at else None,
        },
        now=now,
    )
    return key, secret


@transaction.atomic
def issue_key_by_name(
    *, name: str, scopes: Iterable[str], expires_at: datetime | None, by: Actor, now: datetime
) -> tuple[ApiKey, str]:
    """Make a key for the client of that name, making the client where there is none; see ``issue_key``."""
    client = ApiClient.objects.filter(name=name.strip()).first() or create_client(name=name, by=by, now=now)
    return issue_key(client=client, scopes=scopes, expires_at=expires_at, by=by, now=now)


@transaction.atomic
def revoke_key(*, prefix: str, reason: str, by: Actor, now: datetime) -> ApiKey:
    """Close a key at once and for ever; a key that is revoked already stays as it is. Locks the key.

    Raises:
        InvalidInput: there is no such key, or no reason is given.
    """
    if not reason.strip():
        raise InvalidInput("Say why the key is revoked.")
    key = ApiKey.objects.select_for_update().filter(prefix=prefix).first()
    if key is None:
        raise InvalidInput(f"There is no API key with the prefix {prefix!r}.")
    if key.revoked_at is not None:
        return key
    key.revoked_at = now
    key.save(update_fields=["revoked_at"])
    audit(
        action="api_key.revoke",
        actor=by,
        object_type="api_key",
        object_id=prefix,
        before={"revoked_at": None},
        after={"revoked_at": now.isoformat()},
        reason=reason.strip(),
        now=now,
    )
    return key


@transaction.atomic
def disable_client(*, client_id: UUID, reason: str, by: Actor, now: datetime) -> ApiClient:
    """Refuse every key of a client from now on; a disabled client stays as it is. Locks the client.

    Raises:
        InvalidInput: no reason is given.
        ApiClient.DoesNotExist: there is no such client.
    """
    if not reason.strip():
        raise InvalidInput("Say why the client is disabled.")
    client = ApiClient.objects.select_for_update().get(pk=client_id)
    if client.disabled_at is not None:
        return client
    client.disabled_at = now
    client.save(update_fields=["disabled_at"])
    audit(
        action="api_client.disable",
        actor=by,
        object_type="api_client",
        object_id=client.public_id,
        before={"disabled_at": None},
        after={"disabled_at": now.isoformat()},
        reason=reason.strip(),
        now=now,
    )
    return client


@transaction.atomic
def set_duplicate_policy(
    *, client_id: UUID, policy: str, window_seconds: int | None, reason: str, by: Actor, now: datetime
) -> ApiClient:
    """Say what happens to payments of a client that look like duplicates. Locks the client.

    Args:
        client_id: which client.
        policy: one of ``DuplicatePolicy``.
        window_seconds: how long two payments that look alike are suspected, 1 second to 7 days; ``None`` for the
            setting ``PAYMENTOPS_DUPLICATE_WINDOW_SECONDS``.
        reason: why.
        by: who says so.
        now: when.

    Raises:
        InvalidInput: the policy or the window is none, or no reason is given.
        ApiClient.DoesNotExist: there is no such client.
    """
    if policy not in DuplicatePolicy.values:
        raise InvalidInput(f"The policy is one of {', '.join(DuplicatePolicy.values)}.")
    if window_seconds is not None and not 1 <= window_seconds <= LONGEST_WINDOW_SECONDS:
        raise InvalidInput(f"The window has 1 to {LONGEST_WINDOW_SECONDS} seconds.")
    if not reason.strip():
        raise InvalidInput("Say why the policy is changed.")
    client = ApiClient.objects.select_for_update().get(pk=client_id)
    before = {"policy": client.duplicate_policy, "window_seconds": client.duplicate_window_seconds}
    client.duplicate_policy = policy
    client.duplicate_window_seconds = window_seconds
    client.save(update_fields=["duplicate_policy", "duplicate_window_seconds"])
    audit(
        action="api_client.set_duplicate_policy",
        actor=by,
        object_type="api_client",
        object_id=client.public_id,
        before=before,
        after={"policy": policy, "window_seconds": window_seconds},
        reason=reason.strip(),
        now=now,
    )
    return client


def note_key_use(*, key_id: UUID, now: datetime) -> None:
    """Store that a key was used, at most once a minute, without ever waiting for somebody else's lock."""
    with connection.cursor() as cursor:
        cursor.execute(_NOTE_USE, {"id": key_id, "now": now, "before": now - timedelta(minutes=1)})


def _known_scopes(scopes: Iterable[str]) -> list[str]:
    wanted = sorted(set(scopes))
    unknown = sorted(set(wanted) - {scope.value for scope in Scope})
    if unknown or not wanted:
        names = ", ".join(scope.value for scope in Scope)
        what = f"Unknown scope {', '.join(unknown)}" if unknown else "A key needs a scope"
        raise UnknownScope(f"{what}. There are: {names}.")
    return wanted
