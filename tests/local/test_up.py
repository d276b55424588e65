"""The whole system, started by ``manage.py up`` as a person would start it."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from paymentops.local import record, system

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
STARTED_WITHIN = 150.0


class Up:
    """One running ``manage.py up`` or ``demo``, with its output collected."""

    def __init__(self, data_dir: Path, port: int, *options: str, command: str = "up") -> None:
        self.data_dir, self.port = data_dir, port
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            manage(command, "--data-dir", str(data_dir), "--port", str(port), "--workers", "1", *options),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment(),
            cwd="/",
        )
        self._reader = threading.Thread(target=self._collect, daemon=True)
        self._reader.start()

    def _collect(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(line.rstrip("\n") for line in self._each(self.process.stdout))

    @staticmethod
    def _each(stream) -> Iterator[str]:
        with stream:
            yield from stream

    def _collected(self) -> str:
        return "\n".join(self.lines)

    def until(self, text: str) -> None:
        deadline = time.monotonic() + STARTED_WITHIN
        while text not in self._collected():
            ended = self.process.poll() is not None and not self._reader.is_alive()
            assert not ended, f"up ended without {text!r}:\n{self._collected()}"
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self._collected()}"
            time.sleep(0.1)

    def until_ready(self) -> "Up":
        self.until(f"ready http://127.0.0.1:{self.port}")
        return self

    def end(self) -> tuple[int, str]:
        code = self.process.wait(timeout=STARTED_WITHIN)
        self._reader.join(10)
        return code, self._collected()

    def running(self) -> dict[str, int]:
        found = record.read(self.data_dir)
        assert found is not None
        return found.processes


def manage(*arguments: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]


def environment() -> dict[str, str]:
    ours = ("DATABASE_URL", "PAYMENTOPS_DATA_DIR", "DJANGO_SETTINGS_MODULE")
    return {name: value for name, value in os.environ.items() if name not in ours}


def processes_of(data_dir: Path, port: int) -> list[str]:
    """Command lines of every living process that belongs to a system, by its data directory, port or environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            variables = (folder / "environ").read_bytes()
        except OSError:
            continue
        named = f"PAYMENTOPS_DATA_DIR={data_dir}".encode() in variables
        if command and (named or str(data_dir) in command or f"--port {port}" in command):
            found.append(command)
    return found


def eventually_none(data_dir: Path, port: int, *, seconds: float) -> list[str]:
    deadline = time.monotonic() + seconds
    while (left := processes_of(data_dir, port)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.fixture
def port() -> int:
    # Each test process looks in a range of its own, so that two of them never choose the same port.
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    return system.free_port_from(20100 + worker * 100, but=0)


@pytest.fixture
def started() -> Iterator[list[Up]]:
    """Whatever a test starts is ended after it, also when the test fails."""
    systems: list[Up] = []
    yield systems
    for each in systems:
        if each.process.poll() is None:
            each.process.terminate()
            each.process.wait(30)
        each._reader.join(10)


def test_a_system_starts_serves_refuses_a_second_one_and_stops_within_ten_seconds(
    data_dir, other_data_dir, port, started
):
    up = Up(data_dir, port)
    started.append(up)
    up.until_ready()
    assert up.lines.count(f"ready http://127.0.0.1:{port}") == 1
    assert httpx.get(f"http://127.0.0.1:{port}/readyz").json()["status"] == "ready"
    assert httpx.get(f"http://127.0.0.1:{port}/").headers["location"] == "/console/"
    assert (data_dir / "secrets").stat().st_mode & 0o077 == 0

    same_folder = Up(data_dir, system.free_port_from(port + 1, but=port))
    same_port = Up(other_data_dir, port)
    started += [same_folder, same_port]
    code, said = same_folder.end()
    assert code == 1
    assert f"Another `manage.py up` (process {up.process.pid}) runs on the data directory {data_dir}." in said
    code, said = same_port.end()
    assert code == 1
    assert f"Port {port} of 127.0.0.1 is in use by another program; choose another with --port." in said

    second_terminal = subprocess.run(
        manage("migrate", "--check", "--data-dir", str(data_dir)), env=environment(), capture_output=True, check=False
    )
    assert second_terminal.returncode == 0, second_terminal.stderr

    worker = up.running()["worker"]
    os.kill(worker, signal.SIGKILL)
    up.until("ended by SIGKILL; starting it again")

    began = time.monotonic()
    up.process.send_signal(signal.SIGINT)
    code, said = up.end()
    assert code == 0, said
    assert time.monotonic() - began < 10
    assert eventually_none(data_dir, port, seconds=0.5) == []
    assert record.read(data_dir) is None


def test_killing_up_leaves_nothing_behind_and_the_next_one_just_works(data_dir, port, started):
    up = Up(data_dir, port)
    started.append(up)
    up.until_ready()
    up.process.kill()
    up.process.wait()
    again = Up(data_dir, port)  # at once, while the guard of the first may still be ending it
    started.append(again)
    again.until_ready()
    again.process.kill()
    again.process.wait()
    assert eventually_none(data_dir, port, seconds=10) == []


def test_up_and_its_guard_killed_together_do_not_stop_the_next_one(data_dir, port, started):
    up = Up(data_dir, port)
    started.append(up)
    up.until_ready()
    guard = next(pid for pid in children_of(up.process.pid) if "guard.py" in command_of(pid))
    postgres = up.running()["postgres"]
    for pid in (guard, up.process.pid, postgres):
        os.kill(pid, signal.SIGKILL)
    up.process.wait()
    again = Up(data_dir, port)
    started.append(again)
    again.until_ready()


def test_a_system_can_be_stopped_while_it_starts_and_starts_again(data_dir, port, started):
    up = Up(data_dir, port)
    started.append(up)
    up.until("database system is ready")
    up.process.send_signal(signal.SIGTERM)
    code, said = up.end()
    assert code == 0, said
    assert eventually_none(data_dir, port, seconds=0.5) == []
    again = Up(data_dir, port)
    started.append(again)
    again.until_ready()


def test_two_systems_run_side_by_side(data_dir, other_data_dir, port, started):
    other_port = system.free_port_from(port + 1, but=port)
    started.append(Up(data_dir, port).until_ready())
    started.append(Up(other_data_dir, other_port).until_ready())
    first = json.loads((data_dir / "system.json").read_text())
    second = json.loads((other_data_dir / "system.json").read_text())
    assert len({first["port"], first["sandbox_port"], second["port"], second["sandbox_port"]}) == 4
    for each in (port, other_port):
        assert httpx.get(f"http://127.0.0.1:{each}/readyz").status_code == 200


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def command_of(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
