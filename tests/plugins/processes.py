"""Start a server as a process of its own for tests and wait until it listens."""

import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(command: Sequence[str], *, port: int, environment: Mapping[str, str], log: Path) -> "subprocess.Popen[bytes]":
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    give_up = time.monotonic() + 90
    while not _listens(port):
        if process.poll() is not None or time.monotonic() > give_up:
            end(process)
            raise RuntimeError(f"{command[2]} did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process kindly, then not."""
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
