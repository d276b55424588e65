"""Keep a few processes running: start them again when they die, stop them in order, leave none behind.

A library was looked for first: honcho ends everything when one process dies, supervisord and circus are daemons
with configuration files and sockets of their own. What is needed here is small.

Each process leads its own process group, so a Ctrl-C in the terminal reaches ``up`` alone, and what a dead process
leaves behind (web workers, pool workers) can be ended with it. A stop signal goes to the process, never to its
group: a Celery pool hangs when its members are signalled too.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

_HERE: Final = Path(__file__).resolve().parent
# A bare interpreter: isolated from the environment, without site packages, so that it starts at once.
_BARE_PYTHON: Final = (sys.executable, "-I", "-S")

type Say = Callable[[str, str], None]
"""Shows one line: the name of the process it is from, and the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How long to wait before a dead process is started again, in seconds.

    Args:
        first: the wait after the first death.
        factor: by how much each further wait grows.
        longest: the longest wait.
        healthy_after: a process that ran this long has recovered; its next death counts as the first.
    """

    first: float = 0.5
    factor: float = 2.0
    longest: float = 10.0
    healthy_after: float = 5.0

    def deaths_in_a_row(self, *, before: int, uptime: float) -> int:
        """Count a death after ``uptime`` seconds, with ``before`` deaths in a row so far."""
        return 1 if uptime >= self.healthy_after else before + 1

    def wait(self, *, deaths: int) -> float:
        """Return how many seconds to wait after so many deaths in a row."""
        # The exponent is bounded because a float overflows long before a process gives up dying.
        return min(self.longest, self.first * self.factor ** min(deaths - 1, 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process to keep running.

    Args:
        name: stands before its log lines and in messages.
        command: the program and its arguments.
        environment: the whole environment it gets.
        folder: the working directory.
        user: the account to run as when we are root; empty to stay who we are.
        stop_signal: asks it to end in order; SIGINT marks the database, which the guard ends last and gently.
        last_signal: sent when it has not ended after ``stop_seconds``.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    user: str = ""
    stop_signal: signal.Signals = signal.SIGTERM
    last_signal: signal.Signals = signal.SIGKILL
    stop_seconds: float = 2.0


class Guard:
    """The process that ends all others when ``up`` dies, see ``guard.py``. The main thread calls ``keep``.

    Args:
        lock_file: held by the guard while it lives; the next guard waits for it.
    """

    def __init__(self, lock_file: Path) -> None:
        self._lock_file = lock_file
        self._alive: dict[int, signal.Signals] = {}
        self._mutex = threading.Lock()
        self._process = self._start()

    def keep(self) -> None:
        """Start the guard again if somebody ended it, and tell it about everything that runs."""
        if self._process.poll() is None:
            return
        with self._mutex:
            self._close_pipe()
            self._process = self._start()
            for pid, stop_signal in self._alive.items():
                self._tell(f"+{pid} {int(stop_signal)}\n")

    def spawn(self, process: Process) -> subprocess.Popen[str]:
        """Start a process that is known to the guard from its first moment; its output comes through a pipe."""
        with self._mutex:
            pipe = self._pipe().fileno()
            launch = (*_BARE_PYTHON, str(_HERE / "launch.py"), str(pipe), str(int(process.stop_signal)), process.user)
            started = subprocess.Popen(
                (*launch, *process.command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                bufsize=1,
                env=dict(process.environment),
                cwd=process.folder,
                pass_fds=(pipe,),
                process_group=0,
            )
            self._alive[started.pid] = process.stop_signal
        return started

    def gone(self, pid: int) -> None:
        """End whatever a dead process left in its group, and forget it."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        with self._mutex:
            self._alive.pop(pid, None)
            self._tell(f"-{pid}\n")

    def close(self) -> None:
        """Close the pipe, which ends what is still registered, and wait for the guard to finish."""
        with self._mutex:
            self._close_pipe()
        self._process.wait()

    def _start(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            (*_BARE_PYTHON, str(_HERE / "guard.py"), str(self._lock_file)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd="/",
        )
        assert process.stdout is not None  # noqa: S101 - it was asked for
        process.stdout.readline()  # it holds the lock now; what an earlier guard had to end has ended
        process.stdout.close()
        return process

    def _pipe(self) -> IO[str]:
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        return self._process.stdin

    def _close_pipe(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._pipe().close()

    def _tell(self, line: str) -> None:
        if self._pipe().closed:
            return  # the guard ends everything at this moment
        with contextlib.suppress(BrokenPipeError):  # a dead guard is replaced by keep(), which tells it everything
            self._pipe().write(line)
            self._pipe().flush()


@dataclass(slots=True, eq=False)
class Runner:
    """Runs one process again and again until it is told to stop."""

    process: Process
    guard: Guard
    say: Say
    backoff: Backoff = field(default_factory=Backoff)
    on_start: Callable[[str, int], None] = lambda _name, _pid: None
    _current: subprocess.Popen[str] | None = None
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start the process and the thread that watches it."""
        threading.Thread(target=self._run, name=f"run-{self.process.name}", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """The id of the process while it runs."""
        current = self._current
        return current.pid if current is not None and current.poll() is None else None

    def stop(self) -> None:
        """Ask the process to end; after its time to stop, insist. Returns when it and its group are gone."""
        self._stopping.set()
        self._signal(self.process.stop_signal)
        if self._ended.wait(self.process.stop_seconds):
            return
        self._signal(self.process.last_signal)
        if not self._ended.wait(1.0):
            self.kill()
            self._ended.wait(1.0)

    def kill(self) -> None:
        """End the process at once and do not start it again."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._mutex:
            if self._current is not None:
                self._current.send_signal(number)

    def _run(self) -> None:
        deaths = 0
        while not self._stopping.is_set():
            started = time.monotonic()
            code = self._run_once()
            if self._stopping.is_set():
                break
            deaths = self.backoff.deaths_in_a_row(before=deaths, uptime=time.monotonic() - started)
            wait = self.backoff.wait(deaths=deaths)
            self.say(self.process.name, f"{ending(code)}; starting it again in {wait:g} s")
            self._stopping.wait(wait)
        self._ended.set()

    def _run_once(self) -> int:
        with self._mutex:
            if self._stopping.is_set():
                return 0
            current = self._current = self.guard.spawn(self.process)
        self.on_start(self.process.name, current.pid)
        return attend(current, process=self.process, guard=self.guard, say=self.say)


def attend(current: subprocess.Popen[str], *, process: Process, guard: Guard, say: Say) -> int:
    """Show the output of a started process until it ends; return its exit code (negative: the signal)."""
    reader = threading.Thread(target=_show, args=(current, process.name, say), daemon=True)
    reader.start()
    code = current.wait()
    guard.gone(current.pid)  # closes the last writers of the pipe, on which the reader waits
    reader.join(1.0)
    return code


def run_once(process: Process, *, guard: Guard, say: Say) -> int:
    """Run a process to its end under the guard's protection and return its exit code."""
    return attend(guard.spawn(process), process=process, guard=guard, say=say)


def ending(code: int) -> str:
    """Say in words how a process ended: ``ended by SIGKILL``, ``ended with exit code 3``."""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _show(current: subprocess.Popen[str], name: str, say: Say) -> None:
    assert current.stdout is not None  # noqa: S101 - it was asked for
    with current.stdout as lines:
        for line in lines:
            if line.strip():
                say(name, line.rstrip())
