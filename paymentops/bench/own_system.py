"""A whole system of the bench's own: ``manage.py up`` on a data directory that is deleted afterwards."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from django.conf import settings

from paymentops.bench import rabbitmq
from paymentops.bench.parallel import BenchFailed
from paymentops.local import places

RABBITMQ: Final = "rabbitmq"
FILESYSTEM: Final = "filesystem"
BROKERS: Final = (RABBITMQ, FILESYSTEM)
_READY_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSystem:
    """Where it answers, how its database is reached, an API key, and its broker (empty when made of files)."""

    url: str
    secret: str
    conninfo: str
    data_dir: Path
    broker_url: str


@contextmanager
def running(*, broker: str) -> Iterator[OwnSystem]:
    """Start the system with RabbitMQ or the broker made of files, and end and delete all of it with the block.

    Raises:
        BenchFailed: a part of it does not start.
    """
    with ExitStack() as stack:
        # Told to end, it still ends what it started, which lives in sessions of its own.
        stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, signal.default_int_handler))
        # Short: PostgreSQL's unix socket lies in it.
        folder = Path(tempfile.mkdtemp(prefix="po-bench-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        data_dir = folder / "data"
        broker_url = stack.enter_context(rabbitmq.running(folder / "rabbitmq")) if broker == RABBITMQ else ""
        environment = _environment(data_dir, broker_url)
        port, sandbox_port = rabbitmq.free_ports(2)
        stack.enter_context(_up(folder / "up.log", environment, port=port, sandbox_port=sandbox_port))
        yield OwnSystem(
            url=f"http://127.0.0.1:{port}",
            secret=_api_key(environment),
            conninfo=places.embedded_database_url(data_dir),
            data_dir=data_dir,
            broker_url=broker_url,
        )


def _environment(data_dir: Path, broker_url: str) -> dict[str, str]:
    """Return an environment with this system's settings and none of those of the one the bench was called from."""
    foreign = ("PAYMENTOPS_", "DATABASE_URL", "CELERY_", "KAFKA_", "OTEL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    broker = {"CELERY_BROKER_URL": broker_url} if broker_url else {}
    return {**kept, "PAYMENTOPS_DATA_DIR": str(data_dir), "PAYMENTOPS_LOG_LEVEL": "WARNING", **broker}


@contextmanager
def _up(log: Path, environment: dict[str, str], *, port: int, sandbox_port: int) -> Iterator[None]:
    command = [sys.executable, "manage.py", "up", "--port", str(port), "--sandbox-port", str(sandbox_port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        _wait(process, f"http://127.0.0.1:{port}/readyz", log)
        yield
    finally:
        # It ends its children in order; they end with it also when it must be killed.
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    with httpx.Client(timeout=15, trust_env=False) as client:
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if client.get(url).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
    raise BenchFailed(f"The bench's system did not become ready: {log.read_text(errors='replace')[-800:]}")


def _api_key(environment: dict[str, str]) -> str:
    command = [sys.executable, "manage.py", "api_client", "create", "bench", "--scopes", "payments:read,payments:write"]
    done = subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode != 0:
        raise BenchFailed(f"No API key could be made: {done.stderr[-500:]}")
    return done.stdout.strip().splitlines()[-1]
