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
        digest=sha256(rfc8785.dumps(dict(command))).digest(),
        fields={name: sha256(_written(value)).hexdigest()[:12] for name, value in command.items()},
    )


def _written(value: Any) -> bytes:
    """Write one field so that equal values are equal bytes; faster than the canonical form, and never leaves us."""
    return json.dumps(value, sort_keys=True).encode()
