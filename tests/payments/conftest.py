"""A client with a key, the HTTP door, a real sandbox provider and a worker that runs when told."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.core import clock, ids
from paymentops.management.commands.verify import VERIFICATIONS
from paymentops.payments.models import Payment
from paymentops.payments.operations import working
from paymentops.providers.adapters.sandbox import adapter
from tests.payments.hands import Hands, make_requester
from tests.plugins.sandbox import SandboxServer, sandbox, sandbox_server

__all__ = ["sandbox", "sandbox_server"]

ALL_SCOPES = ["payments:read", "payments:write", "refunds:write"]


@dataclass
class Api:
    """The API as one client sees it."""

    secret: str
    client_id: Any
    http: Client

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> HttpResponse:
        content = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            named["Idempotency-Key"] = key
        return self.http.post(
            f"/api/v1/{path}",
            data=content,
            content_type=named.pop("Content-Type", "application/json"),
            headers={"Authorization": f"Api-Key {self.secret}", **named},
        )

    def get(self, path: str, **query: Any) -> HttpResponse:
        return self.http.get(f"/api/v1/{path}", query, headers={"Authorization": f"Api-Key {self.secret}"})

    def pay(self, *, key: str, **changes: Any) -> dict[str, Any]:
        response = self.post("payments", payment_body(**changes), key=key)
        assert response.status_code == 201, response.content
        return response.json()

    def payment(self, public_id: str) -> dict[str, Any]:
        response = self.get(f"payments/{public_id}")
        assert response.status_code == 200, response.content
        return response.json()


def payment_body(**changes: Any) -> dict[str, Any]:
    body = {
        "amount": 12990,
        "currency": "EUR",
        "method": "card",
        "payment_token": "tok_approved",
        "reference": "order-10293",
        "capture": "automatic",
        "provider": "sandbox",
    }
    return body | changes


def make_api(name: str, scopes: list[str] | None = None) -> Api:
    by = Actor.command("test")
    client = access.create_client(name=name, by=by, now=clock.now())
    _, secret = access.issue_key(client=client, scopes=scopes or ALL_SCOPES, expires_at=None, by=by, now=clock.now())
    return Api(secret=secret, client_id=client.pk, http=Client(raise_request_exception=False))


@pytest.fixture
def api(db: None) -> Api:
    return make_api("shop")


@pytest.fixture
def provider(sandbox: SandboxServer, settings: Any) -> Iterator[SandboxServer]:
    """The sandbox, reached through the registry as in production."""
    settings.SANDBOX_URL = sandbox.url
    settings.SANDBOX_API_KEY = sandbox.api_key
    settings.SANDBOX_WEBHOOK_SECRETS = [sandbox.webhook_secret]
    first = adapter.from_settings()
    yield sandbox
    # A test that changes the settings has used an adapter of its own.
    for used in (first, adapter.from_settings()):
        used.close()


@pytest.fixture
def work() -> Callable[[], int]:
    """Run the worker's loop until nothing is due."""
    return lambda: working.work_off(limit=100, clock=clock.now)


def stored(public_id: str) -> Payment:
    return Payment.objects.get(pk=ids.parse(ids.Prefix.PAYMENT, public_id))


@pytest.fixture
def hands(db: None) -> Hands:
    """A worker whose every step the test takes; no provider is called."""
    return Hands(requester=make_requester())


def violations() -> dict[str, list[str]]:
    """Return what all verifications find now, by the name of the check."""
    return {check.name: check.violations for module in VERIFICATIONS for check in module.checks() if not check.ok}


@pytest.fixture
def verified(db: None) -> Iterator[None]:
    """Verify everything at the end of the test."""
    yield
    assert violations() == {}
