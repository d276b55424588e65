"""The guard outlives ``up`` by a moment and takes every process of the system with it.

It reads process ids from a pipe whose only other holder is ``up``. However ``up`` ends, also by SIGKILL, the pipe
closes; the guard then ends what is still registered, whole process groups, application first and PostgreSQL last.
While it works it holds a lock file, on which the next ``up`` waits.

Run as a file by a bare interpreter (``python -I -S guard.py LOCK_FILE``), so it imports nothing of ours.
"""

import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

# PostgreSQL: "fast shutdown", then "immediate shutdown"; after that nothing but SIGKILL is left.
_GENTLE_STEPS: Final = ((signal.SIGINT, 5.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 1.0))


def _registered(lines: list[str]) -> dict[int, int]:
    """Fold ``+PID SIGNAL`` and ``-PID`` lines into the processes that still run, by id, with their signal."""
    alive: dict[int, int] = {}
    for line in lines:
        if line.startswith("+"):
            pid, _, number = line[1:].partition(" ")
            alive[int(pid)] = int(number)
        elif line.startswith("-"):
            alive.pop(int(line[1:]), None)
    return alive


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    # A dead process that nobody has waited for counts as gone.
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _stop_gently(pid: int) -> None:
    for number, seconds in _GENTLE_STEPS:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while _running(pid):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return


def end_all(alive: dict[int, int]) -> None:
    """End every registered process: groups marked SIGTERM at once, the database (SIGINT) by its own shutdown."""
    for pid, number in alive.items():
        if number != signal.SIGINT:
            _kill_group(pid)
    for pid, number in alive.items():
        if number == signal.SIGINT:
            _stop_gently(pid)


def main(lock_file: str) -> None:
    """Hold the lock, read until the pipe closes, then end what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    lock = os.open(lock_file, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    end_all(_registered(sys.stdin.read().splitlines()))


if __name__ == "__main__":
    main(sys.argv[1])
