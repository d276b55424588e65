"""Facts as values: their one canonical form, its hash, and what changed between two of them.

The canonical form is RFC 8785; whole numbers beyond 2**53 - 1 and amounts are written as text.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import rfc8785

from paymentops.core.errors import InvalidInput

ABSENT: Final = "—"


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that is not what it was; ``field`` is its path, ``accounts.1010:main EUR``; values as people read."""

    field: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.field} was {self.before} and is {self.after}"


def plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts as JSON values that a database keeps exactly.

    Raises:
        InvalidInput: a value has no canonical form, or a text holds what PostgreSQL cannot keep.
    """
    try:
        written = rfc8785.dumps(dict(facts))
    except (rfc8785.CanonicalizationError, UnicodeError) as error:
        raise InvalidInput(f"These values cannot be kept: {error}.") from error
    if b"\\u0000" in written:
        raise InvalidInput("A text holds the character U+0000; remove it.")
    read: dict[str, Any] = json.loads(written)
    return read


def digest(facts: Mapping[str, Any]) -> str:
    """Return the hexadecimal SHA-256 over the canonical form."""
    return sha256(rfc8785.dumps(dict(facts))).hexdigest()


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return every fact that differs, by path."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return tuple(
        Change(path, _shown(old.get(path)), _shown(new.get(path)))
        for path in sorted(old.keys() | new.keys())
        if old.get(path) != new.get(path)
    )


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield each single value as JSON under its path; as JSON, because Python takes ``1`` for ``True``."""
    if isinstance(value, Mapping) and (value or not path):
        for name, part in value.items():
            yield from _leaves(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple) and value:
        for number, part in enumerate(value, start=1):
            yield from _leaves(part, f"{path}.{number}")
    else:
        yield path, json.dumps(value, ensure_ascii=False)


def _shown(written: str | None) -> str:
    if written is None:
        return ABSENT
    value = json.loads(written)
    return value if isinstance(value, str) else written
