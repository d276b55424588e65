"""What ``up`` shows: log lines with the name of their process in front, and what runs where."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

_STYLES: Final = {
    "up": "bold",
    "postgres": "blue",
    "migrate": "yellow",
    "sandbox": "yellow",
    "web": "green",
    "worker": "cyan",
    "beat": "magenta",
}
_WIDTH: Final = max(len(name) for name in _STYLES)


class SteadyConsole(Console):
    """A console that goes quiet when whoever read it is gone; rich's own would end the program."""

    def on_broken_pipe(self) -> None:
        """Show nothing any more."""
        self.quiet = True
        # What is still buffered must not fail again when the program ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.file.fileno())
        os.close(nowhere)


class Output:
    """Writes whole lines, from any thread. Colours appear in a terminal only; a closed pipe silences it."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or SteadyConsole(highlight=False)
        self._mutex = threading.Lock()

    def say(self, name: str, line: str) -> None:
        """Show one log line of a process."""
        self._print(Text.assemble((f"{name:<{_WIDTH}}", _STYLES.get(name, "")), (" │ ", "dim"), line))

    def line(self, text: str) -> None:
        """Show one line as it is, for programs that read it."""
        self._print(Text(text))

    def table(self, rows: Sequence[tuple[str, str]]) -> None:
        """Show what runs where, one line per thing, between two empty lines."""
        width = max(len(name) for name, _ in rows)
        self._print(Text())
        for name, place in rows:
            self._print(Text.assemble("  ", (f"{name:<{width}}", "bold"), "  ", place))
        self._print(Text())

    def notice_opened_folders(self, folders: Sequence[Path]) -> None:
        """Say which folders root's PostgreSQL makes readable for everybody."""
        if folders:
            names = ", ".join(str(folder) for folder in folders)
            self.say(
                "up",
                f"Running as root: PostgreSQL runs as the user pgserver, so these become readable by all: {names}.",
            )

    def _print(self, what: Text) -> None:
        with self._mutex:
            self.console.print(what, soft_wrap=True)
