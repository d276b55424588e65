import os
import queue
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paymentops.local.supervisor import Backoff, Guard, Process, Runner, ending, run_once

SOON = Backoff(first=0.01, longest=0.05, healthy_after=3600.0)
# Says its own id and that of a child it leaves behind in its group, then waits.
PARENT = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
print("ids", os.getpid(), child.pid, flush=True)
time.sleep(600)
"""

# Asks for Ctrl-C by itself, because a shell that runs the tests in the background lets its children ignore it.
POLITE = """
import signal, time
signal.signal(signal.SIGINT, signal.default_int_handler)
try:
    print("up", flush=True)
    time.sleep(600)
except KeyboardInterrupt:
    print("tidy", flush=True)
"""


class Lines:
    """Collects what processes say and waits for what is expected."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str] = queue.Queue()

    def say(self, name: str, line: str) -> None:
        self._lines.put(f"{name}: {line}")

    def next_with(self, text: str) -> str:
        while True:
            line = self._lines.get(timeout=20)
            if text in line:
                return line

    def ids(self) -> tuple[int, int]:
        parent, child = self.next_with("ids ").split()[2:]
        return int(parent), int(child)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def python(code: str, **options: object) -> Process:
    defaults: dict[str, object] = {"name": "child", "environment": dict(os.environ), "folder": Path("/")}
    return Process(command=(sys.executable, "-S", "-c", code), **{**defaults, **options})  # type: ignore[arg-type]


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    guard = Guard(tmp_path / "guard.lock")
    yield guard
    guard.close()


def test_a_process_that_dies_is_started_again(guard: Guard, lines: Lines):
    runner = Runner(python("print('hello', flush=True); raise SystemExit(3)"), guard, lines.say, SOON)
    runner.start()
    lines.next_with("child: hello")
    assert "ended with exit code 3; starting it again in 0.01 s" in lines.next_with("ended")
    lines.next_with("child: hello")
    runner.stop()


def test_a_killed_process_takes_what_it_left_behind_with_it_and_comes_back(guard: Guard, lines: Lines):
    runner = Runner(python(PARENT), guard, lines.say, SOON)
    runner.start()
    parent, child = lines.ids()
    os.kill(parent, signal.SIGKILL)
    assert "ended by SIGKILL" in lines.next_with("ended")
    assert eventually(lambda: not alive(child))
    again, _ = lines.ids()
    assert again != parent
    assert runner.pid == again
    runner.stop()
    assert runner.pid is None


def test_a_stopped_process_stays_stopped(guard: Guard, lines: Lines):
    runner = Runner(python(PARENT), guard, lines.say, SOON)
    runner.start()
    parent, child = lines.ids()
    runner.stop()
    assert not alive(parent)
    assert eventually(lambda: not alive(child))
    assert runner.pid is None


def test_a_process_that_ignores_its_stop_signal_is_ended(guard: Guard, lines: Lines):
    stubborn = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {PARENT.strip().replace(chr(10), ';')}"
    runner = Runner(python(stubborn, stop_seconds=0.1), guard, lines.say, SOON)
    runner.start()
    parent, _ = lines.ids()
    runner.stop()
    assert not alive(parent)


def test_a_command_that_does_not_exist_is_reported_and_tried_again(guard: Guard, lines: Lines):
    process = Process(name="child", command=("/nowhere/at-all",), environment=dict(os.environ), folder=Path("/"))
    runner = Runner(process, guard, lines.say, SOON)
    runner.start()
    lines.next_with("FileNotFoundError")
    lines.next_with("starting it again")
    runner.stop()


def test_a_process_run_once_tells_its_exit_code(guard: Guard, lines: Lines):
    assert run_once(python("print('done'); raise SystemExit(7)"), guard=guard, say=lines.say) == 7
    assert lines.next_with("done") == "child: done"


def test_when_the_pipe_to_the_guard_closes_whole_groups_end(tmp_path: Path, lines: Lines):
    guard = Guard(tmp_path / "guard.lock")
    for name in ("first", "second"):
        Runner(python(PARENT, name=name), guard, lines.say, Backoff(first=3600, longest=3600)).start()
    ids = [*lines.ids(), *lines.ids()]
    assert all(alive(pid) for pid in ids)
    guard.close()
    assert eventually(lambda: not any(alive(pid) for pid in ids))


def test_a_process_marked_as_database_is_asked_to_end_before_it_is_forced(tmp_path: Path, lines: Lines):
    guard = Guard(tmp_path / "guard.lock")
    quiet = Backoff(first=3600, longest=3600)
    Runner(python(POLITE, stop_signal=signal.SIGINT), guard, lines.say, quiet).start()
    lines.next_with("up")
    guard.close()
    lines.next_with("tidy")


def test_a_guard_that_was_ended_is_replaced_and_knows_what_runs(tmp_path: Path, lines: Lines):
    guard = Guard(tmp_path / "guard.lock")
    Runner(python(PARENT), guard, lines.say, Backoff(first=3600, longest=3600)).start()
    parent, child = lines.ids()
    guard._process.kill()
    guard._process.wait()
    guard.keep()
    guard.close()
    assert eventually(lambda: not alive(parent) and not alive(child))


@pytest.mark.parametrize(("code", "words"), [(0, "ended with exit code 0"), (-9, "ended by SIGKILL")])
def test_an_ending_is_said_in_words(code: int, words: str):
    assert ending(code) == words
