"""Which processes make up the local system, and how each is started and stopped."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from paymentops.local import embedded
from paymentops.local.supervisor import Process

# The most that stopping may take, process after process, stays under ten seconds in sum.
_STOP_WEB, _STOP_BEAT, _STOP_WORKER, _STOP_SANDBOX, _STOP_POSTGRES = 2.0, 1.0, 3.0, 1.0, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to run.

    Args:
        data_dir: absolute; everything the system keeps lies under it.
        code_dir: the folder of ``manage.py``, from which our modules are imported.
        port: of the web server; every server listens on 127.0.0.1 only.
        sandbox_port: of the sandbox provider.
        web_workers: processes of the web server.
        web_threads: threads of each of them.
        worker_concurrency: pool processes of the worker.
        worker_queues: the queues it serves.
        sandbox_api_key: by which the sandbox knows us.
        sandbox_webhook_secret: with which the sandbox signs its notifications.
        embedded_database: whether the database is ours to run.
    """

    data_dir: Path
    code_dir: Path
    port: int
    sandbox_port: int
    web_workers: int
    web_threads: int
    worker_concurrency: int
    worker_queues: tuple[str, ...]
    sandbox_api_key: str
    sandbox_webhook_secret: str
    embedded_database: bool

    @property
    def url(self) -> str:
        """Where the system answers, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox_url(self) -> str:
        """Where the sandbox provider answers, without a slash at the end."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    @property
    def webhook_url(self) -> str:
        """Where the sandbox provider sends its notifications."""
        return f"{self.url}/api/v1/webhooks/sandbox"


def environment(plan: Plan, name: str) -> dict[str, str]:
    """Return the environment of a process: ours, the data directory and its own name (shown by PostgreSQL)."""
    # Buffered output would arrive in blocks of 8 kB, long after it was written.
    return {
        **os.environ,
        "PAYMENTOPS_DATA_DIR": str(plan.data_dir),
        "PAYMENTOPS_PROCESS": f"paymentops-{name}",
        "PYTHONUNBUFFERED": "1",
    }


def cluster_preparation(plan: Plan) -> Process:
    """Return the one-off process that creates and configures the database cluster.

    A process of its own, so that no ``initdb`` goes on in the folder after ``up`` was killed.
    """
    return Process(
        name="postgres",
        command=(sys.executable, "-m", "paymentops.local.embedded", str(plan.data_dir)),
        environment=environment(plan, "postgres"),
        folder=plan.code_dir,
    )


def postgres(plan: Plan) -> Process:
    """Return the embedded database server. SIGINT is its fast, SIGQUIT its immediate shutdown."""
    server = embedded.server(plan.data_dir)
    return Process(
        name="postgres",
        command=server.command,
        environment={**_without_postgres_variables(os.environ), "LC_ALL": "C"},
        folder=server.folder,
        user=server.user,
        stop_signal=signal.SIGINT,
        last_signal=signal.SIGQUIT,
        stop_seconds=_STOP_POSTGRES,
    )


def sandbox(plan: Plan) -> Process:
    """Return the sandbox provider."""
    (plan.data_dir / "sandbox").mkdir(exist_ok=True, mode=0o700)
    module = ("-m", "paymentops.providers.sandbox")
    return Process(
        name="sandbox",
        command=(sys.executable, *module, "--port", str(plan.sandbox_port), "--data-dir", str(plan.data_dir)),
        environment={
            **environment(plan, "sandbox"),
            "PAYMENTOPS_SANDBOX_API_KEY": plan.sandbox_api_key,
            "PAYMENTOPS_SANDBOX_WEBHOOK_SECRET": plan.sandbox_webhook_secret,
            "PAYMENTOPS_SANDBOX_WEBHOOK_URL": plan.webhook_url,
        },
        folder=plan.code_dir,
        stop_seconds=_STOP_SANDBOX,
    )


def silent_sandbox(plan: Plan) -> Process:
    """Return the sandbox provider as it runs before there is a web server: it sends no notifications."""
    usual = sandbox(plan)
    return replace(usual, environment={**usual.environment, "PAYMENTOPS_SANDBOX_WEBHOOK_URL": ""})


def web(plan: Plan) -> Process:
    """Return the web server."""
    command = (
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws", "--log-level", "warning"),
        *("--host", "127.0.0.1", "--port", str(plan.port)),
        *("--workers", str(plan.web_workers), "--blocking-threads", str(plan.web_threads)),
        *("--respawn-failed-workers", "--respawn-interval", "0.5", "--workers-kill-timeout", "1"),
        "paymentops.wsgi:application",
    )
    return Process(
        name="web",
        command=command,
        environment=_serving_environment(plan, "web"),
        folder=plan.code_dir,
        stop_seconds=_STOP_WEB,
    )


def worker(plan: Plan) -> Process:
    """Return the worker, which serves every queue."""
    command = (
        *(sys.executable, "-W", "ignore:You're running the worker", "-m", "celery", "--app", "paymentops.celery"),
        *("--quiet", "worker", "--pool", "prefork", "--concurrency", str(plan.worker_concurrency)),
        *("--queues", ",".join(plan.worker_queues), "--hostname", "worker@paymentops"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    )
    return Process(
        name="worker",
        command=command,
        environment=_serving_environment(plan, "worker"),
        folder=plan.code_dir,
        stop_seconds=_STOP_WORKER,
    )


def beat(plan: Plan) -> Process:
    """Return the scheduler. What it schedules stands in ``settings.CELERY_BEAT_SCHEDULE`` only."""
    folder = plan.data_dir / "beat"
    folder.mkdir(exist_ok=True, mode=0o700)
    command = (
        *(sys.executable, "-m", "celery", "--app", "paymentops.celery", "--quiet", "beat"),
        *("--schedule", str(folder / "schedule"), "--pidfile", ""),
    )
    return Process(
        name="beat",
        command=command,
        environment=environment(plan, "beat"),
        folder=plan.code_dir,
        stop_seconds=_STOP_BEAT,
    )


def _serving_environment(plan: Plan, name: str) -> dict[str, str]:
    # What runs for long keeps its connections: at most eight in each process, unless the environment says otherwise.
    return {"PAYMENTOPS_DB_POOL_SIZE": "8", **environment(plan, name)}


def _without_postgres_variables(variables: Mapping[str, str]) -> dict[str, str]:
    # PGDATA, PGPORT and the like of the user's shell are about another server.
    return {name: value for name, value in variables.items() if not name.startswith("PG")}
