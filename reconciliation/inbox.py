"""The watched folder: one folder per source, into which others put files.

A file is complete when its name does not say otherwise and nobody has written to it for a while. It is received, stays
until it is read, and is then moved to ``done`` or ``refused`` beside it; what was refused has its reason in a text file
of the same name. A process that dies anywhere in between leaves the file where it is: receiving it again changes
nothing.
"""

import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from django.conf import settings

from paymentops.access.actors import Actor
from paymentops.core.errors import ApplicationError
from reconciliation import operations
from reconciliation.operations import FileInTransit
from reconciliation.states import RunState
from reconciliation.uploads import pieces_of, spooled

DONE: Final = "done"
REFUSED: Final = "refused"
_UNFINISHED: Final = (".part", ".partial", ".tmp", ".filepart", ".crdownload", ".lock")
_BY: Final = Actor.system("reconciliation.inbox")

_log = logging.getLogger(__name__)


def look(folder: Path, *, settled_seconds: float, now: datetime) -> int:
    """Receive every complete file and move away those that are read; return how many files were looked at.

    Args:
        folder: has a folder for each source, of its name.
        settled_seconds: how long a file must have been left alone.
        now: the present moment.
    """
    seen = 0
    for path in complete_files(folder, settled_seconds=settled_seconds, now=now):
        seen += 1
        try:
            _take(path, now=now)
        except FileInTransit:
            continue
        except FileNotFoundError:
            continue
        except ApplicationError as refusal:
            _move(path, REFUSED, reason=refusal.detail)
        except OSError as error:
            _log.warning("%s stays in the inbox: %s", path, error)
    return seen


def complete_files(folder: Path, *, settled_seconds: float, now: datetime) -> Iterator[Path]:
    """Return the files of all sources that nobody writes to any more, by name."""
    for source in sorted(place for place in folder.iterdir() if place.is_dir() and not place.is_symlink()):
        for path in sorted(source.iterdir()):
            if path.name.startswith(".") or path.suffix.lower() in _UNFINISHED:
                continue
            if path.is_file() and not path.is_symlink() and now.timestamp() - path.stat().st_mtime >= settled_seconds:
                yield path


def _take(path: Path, *, now: datetime) -> None:
    with path.open("rb") as file, spooled(pieces_of(file), largest=settings.STATEMENT_MAX_BYTES) as upload:
        received = operations.receive(upload, source_name=path.parent.name, name=path.name, by=_BY, now=now)
    run = received.run
    if run.state == RunState.PARSED:
        _move(path, DONE, reason="")
    elif run.state == RunState.REFUSED:
        where = f"Line {run.reason_line}: " if run.reason_line else ""
        _move(path, REFUSED, reason=where + run.reason)


def _move(path: Path, folder: str, *, reason: str) -> None:
    """Move a file into a folder beside it, under a name that is free; the reason is there before the file is."""
    place = path.parent / folder
    place.mkdir(exist_ok=True)
    target = _free(place, path.name)
    if reason:
        (place / f"{target.name}.reason.txt").write_text(f"{reason}\n")
    path.rename(target)


def _free(place: Path, name: str) -> Path:
    target, number = place / name, 1
    while target.exists():
        number += 1
        target = place / f"{name}.{number}"
    return target
