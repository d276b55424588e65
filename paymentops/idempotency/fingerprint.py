"""What makes two commands the same: the RFC 8785 canonical form of their business fields, hashed.

Key order, white space, headers and trace ids never count; text is NFC-normalised before it gets here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import rfc8785

VERSION: Final = 1
# Made once: the standard library's function makes a new encoder for every call with options.
_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_FIELD: Final = json.JSONEncoder(sort_keys=True)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The identity of a command.

    Args:
        digest: SHA-256 (32 bytes) over the canonical form of all business fields.
        fields: one short digest per field, so that a refusal can name what differs without any stored value.
    """

    digest: bytes
    fields: Mapping[str, str]

    def differing_fields(self, stored: Mapping[str, str]) -> list[str]:
        """Return the names of the fields that differ from the stored digests, sorted."""
        names = self.fields.keys() | stored.keys()
        return sorted(name for name in names if self.fields.get(name) != stored.get(name))


def of(command: Mapping[str, Any]) -> Fingerprint:
    """Fingerprint validated, normalised business fields: JSON values with whole numbers."""
    return Fingerprint(
        digest=sha256(canonical(command)).digest(),
        fields={name: sha256(_written(value)).hexdigest()[:12] for name, value in command.items()},
    )


def canonical(command: Mapping[str, Any]) -> bytes:
    """Return the RFC 8785 form of text, whole numbers and objects of them.

    For these the standard library's encoder writes the same bytes several times faster, as long as names are ASCII:
    RFC 8785 orders names by UTF-16 units, the standard library by code points.
    """
    if _has_ascii_names(command):
        return _CANONICAL.encode(command).encode()
    return rfc8785.dumps(dict(command))


def _has_ascii_names(value: Mapping[str, Any]) -> bool:
    return all(
        name.isascii() and (not isinstance(part, Mapping) or _has_ascii_names(part)) for name, part in value.items()
    )


def _written(value: Any) -> bytes:
    """Write one field so that equal values are equal bytes; faster than the canonical form, and never leaves us."""
    return _FIELD.encode(value).encode()
