"""Reads of the room ``access``."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import psycopg
from django.db import connection
from django.db.models import QuerySet

from paymentops.access.models import ApiClient
from paymentops.core.errors import NotFound

# Every API request asks this, so it is one prepared statement on the unique index of the prefix.
_KEY_BY_PREFIX: Final = """
SELECT k.id, k.client_id, k.digest, k.scopes, k.expires_at, k.revoked_at, k.last_used_at, c.disabled_at,
       c.duplicate_policy, c.duplicate_window_seconds
  FROM access_apikey k JOIN access_apiclient c ON c.id = k.client_id
 WHERE k.prefix = %s
"""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """What is stored about one API key, and of its client what every request needs."""

    id: UUID
    client_id: UUID
    digest: str
    scopes: list[str]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    client_disabled_at: datetime | None
    duplicate_policy: str
    duplicate_window_seconds: int | None


def key_by_prefix(*, prefix: str) -> StoredKey | None:
    """Return the key with this prefix, usable or not: one prepared query, no cache, so that revocation is instant."""
    connection.ensure_connection()
    # Django's own cursor binds on the client's side and so never prepares.
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        row = cursor.execute(_KEY_BY_PREFIX, (prefix,), prepare=True).fetchone()
    return StoredKey(*row) if row else None


def client_named(name: str) -> ApiClient:
    """Return the client of a name.

    Raises:
        NotFound: there is none.
    """
    client = ApiClient.objects.filter(name=name.strip()).first()
    if client is None:
        raise NotFound(f"There is no API client {name!r}; `manage.py api_client list` shows all.")
    return client


def clients_with_keys() -> QuerySet[ApiClient]:
    """Return every client with its keys, by name, in two queries."""
    return ApiClient.objects.order_by("name", "id").prefetch_related("keys")
