from datetime import UTC, datetime

import pytest

from paymentops.access import operations
from paymentops.access.actors import Actor
from paymentops.access.models import ApiClient

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
BY = Actor.command("test")


@pytest.fixture
def shop(db) -> ApiClient:
    return operations.create_client(name="shop", by=BY, now=NOW)


@pytest.fixture
def issue(shop):
    def make(*scopes: str, **options):
        return operations.issue_key(
            client=options.pop("client", shop),
            scopes=scopes or ["payments:read"],
            expires_at=options.pop("expires_at", None),
            by=BY,
            now=NOW,
        )

    return make
