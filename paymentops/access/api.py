"""The HTTP door of ``access``: which client calls, and whether its key has the scope the call needs."""

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from paymentops.access import operations, queries
from paymentops.access.models import ApiKey, DuplicatePolicy, Scope
from paymentops.core import clock, ids
from paymentops.core.errors import ApplicationError

if TYPE_CHECKING:
    # While rest_framework.views is loaded it loads this module, named in settings.
    from rest_framework.views import APIView

SCHEME: Final = "Api-Key"
SHOW_USE_EVERY: Final = timedelta(minutes=1)

_SECRET: Final = re.compile(r"(po_[0-9a-f]{10})_[A-Za-z0-9_-]{43}")


class KeyRefused(ApplicationError):
    """The API key does not open anything."""

    code = "access.key_refused"
    status = 401
    title = "The API key is not accepted"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": SCHEME})


class ScopeMissing(ApplicationError):
    """The API key is good but was not given the scope that this call needs."""

    code = "access.scope_missing"
    status = 403
    title = "The API key lacks a scope"


@dataclass(frozen=True)
class Caller:
    """Who calls: the client that owns what is made, and the key it used. Stands in ``request.auth``.

    ``duplicate_policy`` and ``duplicate_window_seconds`` are those of the client.
    """

    client_id: UUID
    key_prefix: str
    scopes: frozenset[str] = field(default_factory=frozenset)
    duplicate_policy: str = DuplicatePolicy.OBSERVE
    duplicate_window_seconds: int | None = None

    @cached_property
    def client_public_id(self) -> str:
        """The id that services see, ``cli_…``."""
        return ids.public(ids.Prefix.CLIENT, self.client_id)


class ApiKeyAuthentication(BaseAuthentication):
    """Reads ``Authorization: Api-Key <key>``. ``request.auth`` becomes a ``Caller``, ``request.user`` ``None``."""

    def authenticate(self, request: Request) -> tuple[None, Caller] | None:
        """Return the caller, or ``None`` when the header is missing or speaks of another scheme.

        Raises:
            KeyRefused: the key is malformed, unknown, expired or revoked, or its client is disabled.
        """
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        return None, caller_of(secret=secret.strip(), now=clock.now())

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - the framework's signature
        """Return the challenge of a 401."""
        return SCHEME


def caller_of(*, secret: str, now: datetime) -> Caller:
    """Return who owns an API key's secret, noting its use at most once a minute.

    Raises:
        KeyRefused: the secret opens nothing. Only its owner learns why.
    """
    shape = _SECRET.fullmatch(secret)
    stored = queries.key_by_prefix(prefix=shape[1]) if shape else None
    if shape is None or stored is None or not hmac.compare_digest(stored.digest, ApiKey.digest_of(secret)):
        raise KeyRefused("This API key is unknown. Send it whole, as `Authorization: Api-Key <key>`.")
    _require_usable(stored, now=now)
    if stored.last_used_at is None or now - stored.last_used_at >= SHOW_USE_EVERY:
        operations.note_key_use(key_id=stored.id, now=now)
    return Caller(
        client_id=stored.client_id,
        key_prefix=shape[1],
        scopes=frozenset(stored.scopes),
        duplicate_policy=stored.duplicate_policy,
        duplicate_window_seconds=stored.duplicate_window_seconds,
    )


def _require_usable(stored: queries.StoredKey, *, now: datetime) -> None:
    if stored.revoked_at is not None:
        raise KeyRefused(f"This API key was revoked on {stored.revoked_at:%Y-%m-%d}. Use another key of the client.")
    if stored.expires_at is not None and now >= stored.expires_at:
        raise KeyRefused(f"This API key expired on {stored.expires_at:%Y-%m-%d}. Ask for a new one.")
    if stored.client_disabled_at is not None:
        raise KeyRefused("This API client is disabled. Ask an administrator.")


class HasScope(BasePermission):
    """Requires the scope that the view names for the method, ``required_scopes = {"GET": Scope.PAYMENTS_READ}``.

    ``HEAD`` needs what ``GET`` needs; ``OPTIONS`` needs any key. A method the view does not have passes, so that the
    answer is 405.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Tell whether a caller is known; its scope is checked beside.

        Raises:
            ScopeMissing: the caller's key lacks the scope.
        """
        if not isinstance(request.auth, Caller):
            return False
        scope = required_scope(view=view, method=request.method or "")
        if scope is not None and scope not in request.auth.scopes:
            raise ScopeMissing(f"This needs an API key with the scope {scope}.", extra={"scope": str(scope)})
        return True


def required_scope(*, view: "APIView", method: str) -> Scope | None:
    """Return the scope a method of a view needs; ``None`` where there is nothing to protect.

    Raises:
        ImproperlyConfigured: the view handles the method but names no scope for it.
    """
    method = "GET" if method == "HEAD" else method
    if method == "OPTIONS" or not hasattr(view, method.lower()):
        return None
    scopes: Mapping[str, Scope] = getattr(view, "required_scopes", {})
    if method not in scopes:
        raise ImproperlyConfigured(f"{type(view).__name__} names no scope for {method}.")
    return scopes[method]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How OpenAPI describes the API key."""

    target_class = "paymentops.access.api.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:  # noqa: ARG002 - the library's signature
        """Return the security scheme of OpenAPI."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key <key>`. A key is made with `manage.py api_client create`.",
        }
