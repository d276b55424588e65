"""A small story in the test database, told through the real sandbox."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from paymentops.demo import people, traffic
from paymentops.demo.counterpart import Counterpart
from paymentops.demo.seeding import Telling, story_settings
from paymentops.demo.traffic import Story
from tests.payments.conftest import provider
from tests.plugins.sandbox import SandboxServer, sandbox, sandbox_server

__all__ = ["provider", "sandbox", "sandbox_server"]

RUN = "0badcafe"
UNTIL = datetime(2025, 11, 21, 15, 30, tzinfo=UTC)  # a Friday


class Teller:
    """Tells stories as often as a test likes, each time anew, as after a restart."""

    def __init__(self, server: SandboxServer, folder: Path) -> None:
        self._server = server
        self._service = people.open_shop(data_dir=folder, now=UNTIL - timedelta(days=15))

    @property
    def requester(self) -> Any:
        return self._service.requester

    def tell(self, story: Story, told: Callable[[int], None] = lambda _: None) -> None:
        server = self._server
        with (
            Counterpart(url=server.url, api_key=server.api_key, webhook_secret=server.webhook_secret) as counterpart,
            story_settings(sandbox_url=server.url, call_seconds=0.6) as pace,
        ):
            try:
                Telling(story=story, requester=self.requester, run=RUN, provider=counterpart, pace=pace).tell(told=told)
            finally:
                counterpart.behave_as_usual()


@pytest.fixture(autouse=True)
def _quick_hashing(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def teller(transactional_db: None, provider: SandboxServer, tmp_path: Path) -> Iterator[Teller]:
    return Teller(provider, tmp_path)


def story(payments: int) -> Story:
    return traffic.make(seed=traffic.SEED, payments=payments, until=UNTIL)
