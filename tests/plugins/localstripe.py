"""localstripe as a real process: a stand-in for Stripe that ignores idempotency keys and takes over-refunds."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.plugins import processes


@dataclass(frozen=True)
class StripeServer:
    url: str
    api_key: str = "sk_test_12345"
    webhook_secret: str = "whsec_for_tests"

    def post(self, path: str, data: dict[str, Any]) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}{path}", data=data, auth=(self.api_key, ""), trust_env=False, timeout=30)
        answer.raise_for_status()
        return dict(answer.json())

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}{path}", params=params, auth=(self.api_key, ""), trust_env=False, timeout=30)
        answer.raise_for_status()
        return dict(answer.json())

    def card(self, number: str) -> str:
        """Return the id of a new payment method with this card number."""
        card = {"card[number]": number, "card[exp_month]": "12", "card[exp_year]": "2030", "card[cvc]": "123"}
        return str(self.post("/v1/payment_methods", {"type": "card", **card})["id"])


@pytest.fixture(scope="session")
def stripe_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StripeServer]:
    port = processes.free_port()
    process = processes.start(
        [sys.executable, "-m", "localstripe", "--from-scratch", "--port", str(port)],
        port=port,
        environment=os.environ,
        log=tmp_path_factory.mktemp("localstripe") / "log",
    )
    yield StripeServer(url=f"http://127.0.0.1:{port}")
    processes.end(process)
