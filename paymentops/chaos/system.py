"""The system under chaos: ``manage.py up`` on a data directory of its own, and everything that can be seen of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import httpx
import psycopg

from paymentops.local import places, record, system

SERVICES: Final = ("chaos-shop", "chaos-kiosk")
_SCOPES: Final = "payments:read,payments:write,refunds:write"
_READY_SECONDS: Final = 240.0
LEASE_SECONDS: Final = 3.0
# Production's settings with every wait made short; the order between them is kept.
_SHORT_WAITS: Final = {
    "PAYMENTOPS_SANDBOX_TIMEOUT_SECONDS": "1",
    "PAYMENTOPS_LEASE_SECONDS": str(LEASE_SECONDS),
    "PAYMENTOPS_SANDBOX_INQUIRY_SECONDS": "0.3,0.5,1,1,2",
    "PAYMENTOPS_SANDBOX_VISIBILITY_SECONDS": "4",
    "PAYMENTOPS_SANDBOX_NOT_FOUND_GAP_SECONDS": "0.5",
    "PAYMENTOPS_SWEEP_INTERVAL_SECONDS": "0.5",
    "PAYMENTOPS_RELAY_INTERVAL_SECONDS": "0.5",
    "PAYMENTOPS_SEAL_INTERVAL_SECONDS": "0.5",
    "PAYMENTOPS_WORKER_CONCURRENCY": "6",
    "PAYMENTOPS_WEB_WORKERS": "2",
    "PAYMENTOPS_WEB_THREADS": "4",
    "PAYMENTOPS_LOG_LEVEL": "ERROR",
}
# What the surroundings say about another system must not reach this one, least of all its database.
_OWN: Final = {
    "DATABASE_URL": "",
    "CELERY_BROKER_URL": "filesystem://localhost/",
    "KAFKA_BOOTSTRAP_SERVERS": "",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "",
    "PAYMENTOPS_ENVIRONMENT": "local",
    "PAYMENTOPS_SECRET_KEY": "",
    "PAYMENTOPS_SANDBOX_API_KEY": "",
    "PAYMENTOPS_SANDBOX_WEBHOOK_SECRETS": "",
    "PAYMENTOPS_DEFAULT_PROVIDER": "sandbox",
}


class ChaosRefused(Exception):
    """The run cannot begin or go on; the sentence says why."""


class System:
    """One system under chaos. Its processes are those that ``up`` keeps running."""

    def __init__(self, *, data_dir: Path, code_dir: Path) -> None:
        self.data_dir = data_dir
        self.failpoints = data_dir / "failpoints"
        self._code_dir = code_dir
        self.port = system.free_port_from(20_000 + os.getpid() % 20_000, but=0)
        self.sandbox_port = system.free_port_from(self.port + 1, but=self.port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.sandbox_url = f"http://127.0.0.1:{self.sandbox_port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PAYMENTOPS_")},
            **_OWN,
            **_SHORT_WAITS,
            "PAYMENTOPS_SANDBOX_URL": self.sandbox_url,
            "PAYMENTOPS_DATA_DIR": str(data_dir),
            "PAYMENTOPS_FAILPOINTS": str(self.failpoints),
            "PAYMENTOPS_FAILPOINTS_ALLOWED": "true",
            # Local calls to our own servers never go through a proxy.
            "NO_PROXY": "127.0.0.1",
        }
        self._up: subprocess.Popen[bytes] | None = None
        # Kept open: a new client for every look would cost more than what it looks at.
        self._web = httpx.Client(base_url=self.url, trust_env=False, timeout=5)
        self._sandbox = httpx.Client(base_url=self.sandbox_url, trust_env=False, timeout=10)

    def start(self, *, strikes: dict[str, Any]) -> None:
        """Start everything with a plan of failpoints; return when it answers.

        Raises:
            ChaosRefused: it does not become ready; the sentence ends with the last lines of its log.
        """
        self.failpoints.mkdir(parents=True)
        (self.failpoints / "plan.json").write_text(json.dumps(strikes))
        command = [sys.executable, "manage.py", "up", "--port", str(self.port), "--sandbox-port"]
        with (self.data_dir / "up.log").open("ab") as log:
            self._up = subprocess.Popen(
                [*command, str(self.sandbox_port)],
                cwd=self._code_dir,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _READY_SECONDS
        while not self.is_ready():
            if self._up.poll() is not None or time.monotonic() > deadline:
                raise ChaosRefused(f"The system did not start. Its log ends with:\n{self.log_end()}")
            time.sleep(0.3)
        self._sandbox.headers["Authorization"] = f"Bearer {places.kept_secret(self.data_dir, 'sandbox_api_key')}"

    def stop(self) -> None:
        """Stop everything in order."""
        self._web.close()
        self._sandbox.close()
        if self._up is not None and self._up.poll() is None:
            self._up.send_signal(signal.SIGTERM)
            try:
                self._up.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self._up.kill()
                self._up.wait()

    def is_ready(self) -> bool:
        """Tell whether the web server says that all it needs is there."""
        try:
            return self._web.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def log_end(self) -> str:
        """Return the last lines that the processes wrote."""
        path = self.data_dir / "up.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    # --- looking inside --------------------------------------------------------------------------------------------

    def pid(self, name: str) -> int:
        """Return the process id of one of the supervised processes.

        Raises:
            ProcessLookupError: it does not run now.
        """
        running = record.read(self.data_dir)
        if running is None or name not in running.processes:
            raise ProcessLookupError(f"No process named {name} runs.")
        return running.processes[name]

    def children(self, name: str) -> list[int]:
        """Return the process ids of the workers that one of the supervised processes has."""
        pid = self.pid(name)
        path = Path(f"/proc/{pid}/task/{pid}/children")
        children = [int(child) for child in path.read_text().split()] if path.exists() else []
        return [child for child in children if not _only_tracks_resources(child)]

    @contextmanager
    def database(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """Connect to its database, every statement a transaction of its own."""
        host = quote(str(places.cluster_dir(self.data_dir)), safe="")
        with psycopg.connect(f"postgresql://postgres@{host}/{places.EMBEDDED_DATABASE}", autocommit=True) as connection:
            yield connection

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one query."""
        with self.database() as connection:
            return connection.execute(statement.encode(), values or None).fetchall()

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a management command on this system; its failpoints are off."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=self._code_dir,
            env={**self.environment, "PAYMENTOPS_FAILPOINTS": ""},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def secrets(self) -> tuple[str, ...]:
        """Make an API key for each service and return them.

        Raises:
            ChaosRefused: that failed.
        """
        with ThreadPoolExecutor() as beside:
            made = list(
                beside.map(lambda name: self.manage("api_client", "create", name, "--scopes", _SCOPES), SERVICES)
            )
        for done in made:
            if done.returncode != 0:
                raise ChaosRefused(f"No API key could be made: {done.stderr[-1000:]}")
        return tuple(done.stdout.strip().splitlines()[-1] for done in made)

    def violations(self) -> dict[str, list[str]]:
        """Return what ``manage.py verify`` finds, by the name of the check.

        Raises:
            ChaosRefused: it could not be run.
        """
        done = self.manage("verify", "--json")
        try:
            answer = json.loads(done.stdout)
        except ValueError as error:
            raise ChaosRefused(f"manage.py verify failed: {done.stderr[-2000:]}") from error
        return {check["name"]: check["violations"] for check in answer["checks"] if not check["ok"]}

    # --- the provider ----------------------------------------------------------------------------------------------

    def set_provider(self, profile: dict[str, Any]) -> None:
        """Give the sandbox its faults, waiting for it where it is just being started again.

        Raises:
            ChaosRefused: it does not answer.
        """
        deadline = time.monotonic() + 60
        while True:
            try:
                self._sandbox.put("/admin/faults", json=profile).raise_for_status()
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise ChaosRefused(f"The sandbox provider does not answer: {error}") from error
                time.sleep(0.1)
            else:
                return

    def ask_provider(self, path: str) -> Any:
        """Ask the sandbox's administrator for something."""
        answer = self._sandbox.get(path)
        answer.raise_for_status()
        return answer.json()

    def truth(self) -> list[dict[str, Any]]:
        """Return every charge that really happened, oldest first, with its operations and effects per key."""
        charges: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self.ask_provider(f"/admin/truth?after={after}")
            charges += page["charges"]
            after = page["next"]
        return charges

    @property
    def webhook_secret(self) -> str:
        """The secret with which the sandbox signs its notifications."""
        return places.kept_secret(self.data_dir, "sandbox_webhook_secret")


def prepare(*, data_dir: Path, code_dir: Path) -> None:
    """Make a data directory with a migrated database, from which systems can be copied; nothing runs in it then.

    Raises:
        ChaosRefused: the system does not start.
    """
    system = System(data_dir=data_dir, code_dir=code_dir)
    try:
        system.start(strikes={"strikes": {}})
    finally:
        system.stop()


def copy(template: Path, data_dir: Path) -> None:
    """Copy what a prepared system keeps, owners and rights included, and nothing of its run."""
    for name in ("pg", "secrets"):
        subprocess.run(["cp", "-a", str(template / name), str(data_dir)], check=True)  # noqa: S607 - of every Unix


def _only_tracks_resources(pid: int) -> bool:
    path = Path(f"/proc/{pid}/cmdline")
    return b"resource_tracker" in path.read_bytes() if path.exists() else True
