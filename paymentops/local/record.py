"""What a running ``up`` notes down in its data directory, so that a second terminal finds the same system."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

_FILE: Final = "system.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One running system.

    Args:
        pid: the process id of ``up``.
        port: of the web server, on 127.0.0.1.
        sandbox_port: of the sandbox provider, on 127.0.0.1.
        processes: the process id of each supervised process, by its name.
    """

    pid: int
    port: int
    sandbox_port: int
    processes: dict[str, int] = field(default_factory=dict)


def write(data_dir: Path, record: Record) -> None:
    """Write the record so that a reader sees the old one or the new one, never half of it."""
    new = data_dir / f"{_FILE}.new"
    new.write_text(json.dumps(asdict(record), indent=2) + "\n")
    new.replace(data_dir / _FILE)


def remove(data_dir: Path) -> None:
    """Remove the record of a system that has stopped."""
    (data_dir / _FILE).unlink(missing_ok=True)


def read(data_dir: Path) -> Record | None:
    """Return the record of the system that runs on this data directory, or ``None`` when none does."""
    try:
        record = Record(**json.loads((data_dir / _FILE).read_text()))
    except (OSError, ValueError, TypeError):
        return None  # absent, or not readable for us, or written by another version: then nothing is known
    return record if _is_alive(record.pid) else None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
