"""A RabbitMQ of the bench's own: on free loopback ports, with a node name and folders of its own, gone afterwards."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from kombu.connection import Connection

from paymentops.bench.parallel import BenchFailed

# Debian's wrapper in the path changes the user and clears the environment; the server's own script does neither.
_SCRIPTS: Final = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server")
_READY_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a broker in a folder and give its address; it ends with the block.

    Raises:
        BenchFailed: it is not installed, or does not answer in time.
    """
    script = next((found for name in _SCRIPTS if (found := shutil.which(name))), None)
    if script is None:
        raise BenchFailed("RabbitMQ is not installed here; install rabbitmq-server, or use --broker filesystem.")
    folder.mkdir(parents=True)
    port, node_port, names_port = free_ports(3)
    environment = {
        **os.environ,
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"bench{secrets.token_hex(3)}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(node_port),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "ERL_EPMD_PORT": str(names_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    (folder / "enabled_plugins").write_text("[].\n")
    url = f"amqp://guest:guest@127.0.0.1:{port}//"
    with (folder / "output").open("wb") as output:
        server = subprocess.Popen(
            [script], env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait(server, url, folder)
        yield url
    finally:
        _end(server)
        # The name server outlives its nodes, and ends only when told.
        subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, check=False)  # noqa: S607


def purge(url: str, queue: str) -> int:
    """Drop every message that waits in a queue; return how many there were."""
    with _connection(url) as connection, connection.channel() as channel:
        return int(channel.queue_purge(queue) or 0)


def free_ports(number: int) -> list[int]:
    """Return so many free loopback ports; all are held until the last one is found, so that they differ."""
    with_held: list[socket.socket] = []
    try:
        for _ in range(number):
            one = socket.socket()
            with_held.append(one)
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in with_held]
    finally:
        for one in with_held:
            one.close()


def _wait(server: "subprocess.Popen[bytes]", url: str, folder: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    answer: Any = "no answer"
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with _connection(url) as connection:
                connection.connect()
                return
        except (OSError, *_connection(url).connection_errors) as error:
            answer = error
            time.sleep(0.2)
    said = (folder / "output").read_text(errors="replace")[-500:]
    raise BenchFailed(f"RabbitMQ did not start ({answer}): {said}")


def _connection(url: str) -> Any:
    return Connection(url, connect_timeout=2)  # type: ignore[no-untyped-call]


def _end(server: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
