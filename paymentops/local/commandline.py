"""``--data-dir`` for every command: taken from the command line before Django reads its settings."""

from collections.abc import MutableMapping
from pathlib import Path

_OPTION = "--data-dir"


def take_data_dir(arguments: list[str]) -> tuple[list[str], str | None]:
    """Split ``--data-dir D`` or ``--data-dir=D`` off a command line; the last one counts, ``--`` ends the search.

    Raises:
        SystemExit: the option has no value.
    """
    rest: list[str] = []
    found: str | None = None
    words = iter(arguments)
    for word in words:
        if word == "--":
            return [*rest, word, *words], found
        name, equals, value = word.partition("=")
        if name != _OPTION:
            rest.append(word)
            continue
        found = value if equals else next(words, "")
        if not found:
            raise SystemExit("--data-dir needs a folder, for example: --data-dir /var/lib/paymentops")
    return rest, found


def prepare(arguments: list[str], environment: MutableMapping[str, str]) -> list[str]:
    """Put the data directory into the environment, as an absolute path, and return the other arguments."""
    rest, data_dir = take_data_dir(arguments)
    if data_dir is not None:
        environment["PAYMENTOPS_DATA_DIR"] = str(Path(data_dir).expanduser().resolve())
    environment.setdefault("DJANGO_SETTINGS_MODULE", "paymentops.settings")
    return rest
