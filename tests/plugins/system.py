"""The whole system as real processes over a database of its own, for tests that race, kill and restart.

``system`` gives a migrated database, an API client, the web server and the sandbox; workers are started when asked.
Everything that was started is ended with the fixture, in whatever way the test ends.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.plugins import processes
from tests.plugins.sandbox import SandboxServer

_QUEUES = "dispatch,inquiry,events,maintenance"


class System:
    """One system: its processes, its database and the API as one client sees it."""

    def __init__(self, folder: Path, *, name: str, settings: dict[str, str]) -> None:
        self.folder = folder
        self.port = processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.sandbox = SandboxServer(folder / "sandbox", webhook_url=f"{self.url}/api/v1/webhooks/sandbox")
        self._database = name
        self._server_url = os.environ["DATABASE_URL"]
        self.database_url = f"{self._server_url.rpartition('/')[0]}/{name}"
        self.environment = {
            **os.environ,
            "DATABASE_URL": self.database_url,
            "PAYMENTOPS_DATA_DIR": str(folder / "data"),
            "PAYMENTOPS_SANDBOX_URL": self.sandbox.url,
            "PAYMENTOPS_SANDBOX_API_KEY": self.sandbox.api_key,
            "PAYMENTOPS_SANDBOX_WEBHOOK_SECRETS": self.sandbox.webhook_secret,
            "PAYMENTOPS_LOG_LEVEL": "WARNING",
            **settings,
        }
        self._started: list[subprocess.Popen[bytes]] = []
        self.http = httpx.Client(base_url=f"{self.url}/api/v1/", trust_env=False, timeout=60)

    # --- processes -----------------------------------------------------------------------------------------------

    def start(self, *, web_workers: int, web_threads: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with psycopg.connect(self._server_url, autocommit=True) as server:
            server.execute(f'CREATE DATABASE "{self._database}"')
        self.manage("migrate", "--verbosity", "0")
        scopes = "payments:read,payments:write,refunds:write"
        key = self.manage("api_client", "create", "shop", "--scopes", scopes).strip().splitlines()[-1]
        self.http.headers["Authorization"] = f"Api-Key {key}"
        self.sandbox.start()
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--log-level", "warning"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", str(web_workers), "--blocking-threads", str(web_threads)]
        environment = self.environment | {"PAYMENTOPS_DB_POOL_SIZE": "8"}
        web = processes.start(
            [*command, "paymentops.wsgi:application"],
            port=self.port,
            environment=environment,
            log=self.folder / "web.log",
        )
        self._started.append(web)

    def start_worker(self, *, name: str, concurrency: int) -> "subprocess.Popen[bytes]":
        """Start a worker as the leader of a process group of its own, so that it can be killed whole.

        ``name`` is also that of its connections to the database, by which ``works`` knows it.
        """
        command = [sys.executable, "-W", "ignore", "-m", "celery", "--app", "paymentops.celery", "--quiet", "worker"]
        command += ["--pool", "prefork", "--concurrency", str(concurrency), "--queues", _QUEUES]
        command += ["--hostname", f"{name}@test", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        return self._spawn(command, log="worker.log", process=name)

    def works(self, name: str) -> bool:
        """Tell whether a worker of this name has taken up work: a task has connected to the database."""
        found = self.rows("SELECT 1 FROM pg_stat_activity WHERE application_name = %s LIMIT 1", name)
        return bool(found)

    def start_beat(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-W", "ignore", "-m", "celery", "--app", "paymentops.celery", "--quiet", "beat"]
        return self._spawn(
            [*command, "--schedule", str(self.folder / "beat-schedule"), "--pidfile", ""],
            log="beat.log",
            process="beat",
        )

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """End a process and all its children with SIGKILL, at once."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._started.remove(process)

    def stop(self) -> None:
        for process in list(self._started):
            if process.poll() is None and os.getpgid(process.pid) == process.pid:
                self.kill(process)
            else:
                processes.end(process)
        self.sandbox.stop()
        self.http.close()
        with psycopg.connect(self._server_url, autocommit=True) as server:
            server.execute(f'DROP DATABASE IF EXISTS "{self._database}" WITH (FORCE)')

    def _spawn(self, command: list[str], *, log: str, process: str) -> "subprocess.Popen[bytes]":
        with (self.folder / log).open("ab") as output:
            started = subprocess.Popen(
                command,
                cwd=processes.ROOT,
                env=self.environment | {"PAYMENTOPS_PROCESS": process},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._started.append(started)
        return started

    # --- looking and asking ----------------------------------------------------------------------------------------

    def manage(self, *arguments: str) -> str:
        """Run a management command and return what it prints; its failure is the test's failure."""
        done = self._manage(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def violations(self) -> dict[str, list[str]]:
        """Return what ``manage.py verify`` finds, by the name of the check."""
        answer = json.loads(self._manage("verify", "--json").stdout)
        return {check["name"]: check["violations"] for check in answer["checks"] if not check["ok"]}

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(statement, values or None).fetchall()

    def post(self, path: str, body: Any, *, key: str = "") -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.http.post(path, json=body, headers=headers)

    def logs(self) -> str:
        """Return the ends of all logs, for the message of a failure."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-2000:]}" for path in sorted(self.folder.glob("*.log")))

    def _manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=processes.ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )


@pytest.fixture
def system_settings() -> dict[str, str]:
    """What the environment of all processes adds; a test module overrides it."""
    return {}


@pytest.fixture
def system(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, system_settings: dict[str, str]
) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("system")
    system = System(folder, name=f"system_{worker_id}_{os.getpid()}", settings=system_settings)
    try:
        system.start(web_workers=2, web_threads=4)
        yield system
    finally:
        system.stop()
