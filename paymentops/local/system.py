"""The local system as one thing: taken into possession, started in order, kept running, stopped in order."""

import contextlib
import fcntl
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from django.core.management import call_command
from django.db import connection, connections
from django.db.utils import OperationalError

from paymentops.core.errors import ApplicationError
from paymentops.local import broker, embedded, processes, record
from paymentops.local.output import Output
from paymentops.local.processes import Plan
from paymentops.local.supervisor import Guard, Process, Runner, ending, run_once

_DATABASE_SECONDS = 300.0  # crash recovery of a large database takes its time
_READY_SECONDS = 120.0


class SystemRefused(ApplicationError):
    """The local system cannot start here and now; the sentence says what to change."""

    code = "local.refused"
    status = 409
    title = "The local system was not started"


def check_port_free(port: int, *, option: str) -> None:
    """Refuse a port that something listens on. The web server would share it silently, so it is bound for a moment.

    Raises:
        SystemRefused: naming the option by which another port is chosen.
    """
    if not _is_free(port):
        raise SystemRefused(f"Port {port} of 127.0.0.1 is in use by another program; choose another with {option}.")


def free_port_from(first: int, *, but: int) -> int:
    """Return the first free port from ``first`` upwards other than ``but``; wraps round below 65536."""
    candidates = (1024 + (first - 1024 + step) % (65536 - 1024) for step in range(200))
    return next(port for port in candidates if port != but and _is_free(port))


@contextmanager
def data_dir_held(data_dir: Path) -> Iterator[None]:
    """Hold a data directory for one system. The lock goes with the process, however that ends.

    Raises:
        SystemRefused: another ``up`` runs there.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    with (data_dir / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise SystemRefused(
                f"Another `manage.py up` (process {owner}) runs on the data directory {data_dir}. "
                "Stop it, or choose another directory with --data-dir and another --port."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


class LocalSystem:
    """The processes of one data directory. Use ``running``; its main thread is the one that started it."""

    def __init__(self, *, plan: Plan, output: Output) -> None:
        self.plan = plan
        self.output = output
        self._guard = Guard(plan.data_dir / "guard.lock")
        self._runners: dict[str, Runner] = {}
        self._record = record.Record(pid=os.getpid(), port=plan.port, sandbox_port=plan.sandbox_port)
        self._record_mutex = threading.Lock()

    def start(self, *, broker_options: dict[str, Any], before_serving: Callable[[], None] | None = None) -> None:
        """Start everything in order and return when ``/readyz`` answers 200.

        Args:
            broker_options: of the broker made of files; empty when another broker is used.
            before_serving: called with the database and a silent sandbox provider running, and nothing else.

        Raises:
            SystemRefused: the database cannot be prepared or reached, or the system does not become ready.
        """
        record.write(self.plan.data_dir, self._record)
        if self.plan.embedded_database:
            self._start_database()
        self._migrate()
        if broker_options:
            broker.empty(broker_options)
        if before_serving is not None:
            self._call_before_serving(before_serving)
        for process in (processes.web, processes.sandbox, processes.worker, processes.beat):
            self._run(process(self.plan))
        self._wait_until_ready()

    def wait(self) -> None:
        """Keep the system running until this thread is interrupted (KeyboardInterrupt)."""
        while True:
            self._guard.keep()
            time.sleep(1.0)

    def stop(self) -> None:
        """Stop the web server first, so that nothing new comes in, and the database last."""
        for name in ("web", "beat", "worker", "sandbox", "postgres"):
            if name in self._runners:
                self._runners[name].stop()
        self._guard.close()

    def kill(self) -> None:
        """End everything at once; the guard still gives the database a moment."""
        for name, runner in self._runners.items():
            if name != "postgres":
                runner.kill()
        self._guard.close()

    def _start_database(self) -> None:
        self.output.notice_opened_folders(embedded.opened_folders(self.plan.data_dir))
        embedded.end_orphan(self.plan.data_dir)
        code = run_once(processes.cluster_preparation(self.plan), guard=self._guard, say=self.output.say)
        if code != 0:
            raise SystemRefused(
                f"The database cluster could not be prepared ({ending(code)}); the lines above say why."
            )
        self._run(processes.postgres(self.plan))
        embedded.wait_until_ready(self.plan.data_dir, seconds=_DATABASE_SECONDS)

    def _migrate(self) -> None:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            raise SystemRefused(f"The database does not answer: {error}") from error
        self.output.say("migrate", "bringing the database up to date")
        call_command("migrate", interactive=False, verbosity=0)
        for each in connections.all(initialized_only=True):
            each.close()
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's wrapper has it, its base class has not

    def _call_before_serving(self, call: Callable[[], None]) -> None:
        self._run(processes.silent_sandbox(self.plan))
        try:
            self._wait_for_sandbox()
            call()
        finally:
            self._runners.pop("sandbox").stop()
            connections.close_all()

    def _wait_for_sandbox(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"{self.plan.sandbox_url}/healthz", timeout=5.0, trust_env=False)
                return
            time.sleep(0.05)
        raise SystemRefused(f"The sandbox provider did not answer within {_READY_SECONDS:g} s.")

    def _run(self, process: Process) -> None:
        runner = Runner(process, self._guard, self.output.say, on_start=self._note)
        self._runners[process.name] = runner
        runner.start()

    def _note(self, name: str, pid: int) -> None:
        with self._record_mutex:
            self._record = replace(self._record, processes={**self._record.processes, name: pid})
            record.write(self.plan.data_dir, self._record)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        answer = "no answer yet"
        with httpx.Client(timeout=15.0, trust_env=False) as client:
            while time.monotonic() < deadline:
                try:
                    response = client.get(f"{self.plan.url}/readyz")
                except httpx.TransportError as error:
                    answer = str(error)
                else:
                    if response.status_code == 200:
                        return
                    answer = response.text
                self._guard.keep()
                time.sleep(0.1)
        raise SystemRefused(f"The system was not ready after {_READY_SECONDS:g} s. Last answer of /readyz: {answer}")


@contextmanager
def running(
    *,
    plan: Plan,
    output: Output,
    broker_options: dict[str, Any],
    before_serving: Callable[[], None] | None = None,
) -> Iterator[LocalSystem]:
    """Run the local system for the duration of a ``with`` block, from the main thread.

    Ctrl-C, SIGTERM and SIGHUP raise KeyboardInterrupt in the block; leaving it, in whatever way, stops everything
    within ten seconds. A second Ctrl-C while stopping ends everything at once.

    Raises:
        SystemRefused: the data directory or a port is taken, or the system does not become ready.
        DatabaseNotStarted: the embedded database does not start.
    """
    if plan.embedded_database:
        embedded.check_socket_path(plan.data_dir)
    with data_dir_held(plan.data_dir), _signals_interrupt():
        check_port_free(plan.port, option="--port")
        check_port_free(plan.sandbox_port, option="--sandbox-port")
        system = LocalSystem(plan=plan, output=output)
        try:
            system.start(broker_options=broker_options, before_serving=before_serving)
            yield system
        finally:
            _stop(system)


def _stop(system: LocalSystem) -> None:
    started = time.monotonic()
    system.output.say("up", "stopping (Ctrl-C again ends everything at once)")
    try:
        system.stop()
    except KeyboardInterrupt:
        system.kill()
    record.remove(system.plan.data_dir)
    system.output.say("up", f"stopped in {time.monotonic() - started:.1f} s")


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Turn the signals that end a program into KeyboardInterrupt, also where the shell had SIGINT ignored."""
    before: dict[signal.Signals, Callable[..., Any] | int | None] = {}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        before[number] = signal.getsignal(number)
        if number != signal.SIGHUP or before[number] != signal.SIG_IGN:  # nohup means it
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Without it, connections of a server that has just ended would make the port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
