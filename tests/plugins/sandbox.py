"""The sandbox provider as a real process, for every test that needs one.

A ``conftest.py`` takes the fixtures by importing them: ``from tests.plugins.sandbox import sandbox, sandbox_server``.
``sandbox_server`` is one process per test worker; ``sandbox`` is the same one, forgotten and without faults, per test.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from paymentops.providers.adapters.sandbox.adapter import Config, SandboxProvider
from tests.plugins import processes


class SandboxServer:
    """A running sandbox and what a test wants from it."""

    api_key = "sandbox-key-for-tests"
    webhook_secret = "sandbox-secret-for-tests"

    def __init__(self, folder: Path, *, webhook_url: str = "") -> None:
        self.folder = folder
        self.port = processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._webhook_url = webhook_url
        self._process: subprocess.Popen[bytes] | None = None
        self._providers: list[SandboxProvider] = []
        self._http = httpx.Client(
            base_url=self.url, headers={"Authorization": f"Bearer {self.api_key}"}, trust_env=False, timeout=60
        )

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        module = [sys.executable, "-m", "paymentops.providers.sandbox"]
        command = [*module, "--port", str(self.port), "--data-dir", str(self.folder)]
        environment = {
            **os.environ,
            "PAYMENTOPS_SANDBOX_API_KEY": self.api_key,
            "PAYMENTOPS_SANDBOX_WEBHOOK_URL": self._webhook_url,
            "PAYMENTOPS_SANDBOX_WEBHOOK_SECRET": self.webhook_secret,
        }
        self._process = processes.start(command, port=self.port, environment=environment, log=self.folder / "log")

    def kill(self) -> None:
        """End the process with SIGKILL; ``start`` brings it back on the same port and store."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            processes.end(self._process)
        for provider in self._providers:
            provider.close()
        self._http.close()

    def provider(self, **config: Any) -> SandboxProvider:
        provider = SandboxProvider(
            Config(url=self.url, api_key=self.api_key, webhook_secrets=(self.webhook_secret,), **config)
        )
        self._providers.append(provider)
        return provider

    def truth(self) -> list[dict[str, Any]]:
        """Return every charge that really happened, oldest first, with its operations and effects per key."""
        charges: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self._ask("GET", f"/admin/truth?after={after}")
            charges += page["charges"]
            after = page["next"]
        return charges

    def events(self) -> list[dict[str, Any]]:
        """Return every notification, oldest first, with how often it was delivered."""
        return list(self._ask("GET", "/admin/events")["events"])

    def open_dispute(self, charge: str, **details: Any) -> str:
        """Let a payer's bank dispute a charge; return the dispute's id at the sandbox."""
        return str(self._ask("POST", f"/admin/charges/{charge}/disputes", json=details)["id"])

    def move_dispute(self, dispute: str, **details: Any) -> None:
        """Let a dispute go on, for example ``status="lost"``."""
        self._ask("POST", f"/admin/disputes/{dispute}", json=details)

    def set_faults(self, **profile: Any) -> None:
        """Set the fault profile, for example ``profile="harshest", seed=7`` or ``rates={"timeout_after": 1}``."""
        self._ask("PUT", "/admin/faults", json=profile)

    def take_back(self, operation: str, *, amount: int = 0, code: str = "reversed_by_provider") -> None:
        """Take back what a capture, sale or refund moved; all that is left of it without an amount."""
        self._ask("POST", "/admin/reversals", json={"operation": operation, "amount": amount, "code": code})

    def reset(self) -> None:
        """Forget all charges and faults."""
        self._ask("DELETE", "/admin/truth")

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        answer = self._http.request(method, path, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None


def sandbox_provider(
    server: SandboxServer, *, timeout: timedelta = timedelta(seconds=3), **config: Any
) -> SandboxProvider:
    """Return an adapter that talks to ``server``; the server closes it when it stops."""
    return server.provider(timeout_seconds=timeout.total_seconds(), **config)


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    server = SandboxServer(tmp_path_factory.mktemp("sandbox"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxServer:
    sandbox_server.reset()
    return sandbox_server
