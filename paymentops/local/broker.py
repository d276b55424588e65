"""The broker made of files: nothing to install, good for one machine.

kombu's filesystem transport, made fit for steady use in three points. A message appears under its name only when it
is complete (kombu's reader can take a file between its creation and its first byte, and then fails on the empty
text). The folder is listed once per batch of messages instead of once per message, so a backlog of n costs n steps,
not n squared. And a taken message is renamed inside the broker's own folder, so it is taken by one reader only, also
where the temporary folder lies on another disk.

Losing a message here loses no work: the database is the queue, the sweep finds everything that is due.
"""

import os
import shutil
import uuid
from pathlib import Path
from queue import Empty
from time import time_ns
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import filesystem, virtual
from kombu.utils.json import dumps, loads

_WAITING = ".msg"


class Channel(filesystem.Channel):
    """One connection's view of the folder of messages; file names sort by the time of sending."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self._listed: dict[str, list[str]] = {}

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        name = f"{time_ns():020d}_{uuid.uuid4().hex}.{queue}"
        try:
            (folder / f"{name}.new").write_text(dumps(payload))  # type: ignore[no-untyped-call]
            (folder / f"{name}.new").rename(folder / f"{name}{_WAITING}")
        except OSError as error:
            raise ChannelError(f"Cannot write a message to {folder}: {error}") from error

    def _get(self, queue: str, timeout: Any = None) -> Any:  # noqa: ARG002 - kombu's signature
        waiting = self._listed.get(queue) or self._list(queue)
        while waiting:
            path = Path(self.data_folder_in) / waiting.pop()
            taken = path.with_suffix(".taken")
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue  # another reader was faster
            text = taken.read_text()
            taken.unlink()
            return loads(text)  # type: ignore[no-untyped-call]
        raise Empty

    def _list(self, queue: str) -> list[str]:
        ending = f".{queue}{_WAITING}"
        names = (name for name in os.listdir(self.data_folder_in) if name.endswith(ending))  # noqa: PTH208 - names only, many
        waiting = self._listed[queue] = sorted(names, reverse=True)
        return waiting


class Transport(filesystem.Transport):
    """kombu's filesystem transport over the channel above; its folders are created when it is first used."""

    Channel = Channel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        create_folders(client.transport_options)
        super().__init__(client, **kwargs)  # type: ignore[no-untyped-call]
        # kombu remembers bindings for the whole process, also of a folder that has been emptied since.
        self.state = virtual.BrokerState()  # type: ignore[no-untyped-call]


def create_folders(options: dict[str, Any]) -> None:
    """Create the folders that the transport options name, readable by their owner only."""
    for name in ("data_folder_in", "data_folder_out", "control_folder"):
        Path(options[name]).mkdir(parents=True, exist_ok=True, mode=0o700)


def empty(options: dict[str, Any]) -> None:
    """Drop every waiting message and all queue tables: doorbells of a system that no longer runs.

    An unclean end can leave a half-written table behind, on which every later start would fail.
    """
    for name in ("data_folder_in", "data_folder_out", "control_folder"):
        shutil.rmtree(options[name], ignore_errors=True)
    create_folders(options)
