"""What is kept and shown of a provider's notification: no secret, and no personal data. No database, no clock."""

import json
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "•••"
_MOST_HEADERS: Final = 40
_LONGEST_HEADER: Final = 200
_SECRET_HEADERS: Final = ("auth", "cookie", "key", "secret", "signature", "token")
# Parts of the names under which providers send what stands for a person, an instrument or a right.
_PRIVATE_FIELDS: Final = (
    "address", "authcode", "birth", "card", "cnpj", "cpf", "cvc", "email", "expiry", "fingerprint", "holder", "iban",
    "infopagador", "name", "nome", "pagador", "phone", "secret", "signature", "summary", "token",
)  # fmt: skip


def headers(given: Mapping[str, str]) -> dict[str, str]:
    """Return the headers worth keeping, shortened, with those that could open something hidden."""
    return {
        name[:80]: HIDDEN if any(word in name.lower() for word in _SECRET_HEADERS) else value[:_LONGEST_HEADER]
        for name, value in sorted(given.items())[:_MOST_HEADERS]
    }


def document(body: bytes) -> str:
    """Return a JSON body for people, indented, with private fields hidden; what is no JSON is only described."""
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        return f"{len(body)} bytes that are no JSON"
    return json.dumps(_masked(read), ensure_ascii=False, indent=2)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: HIDDEN if _is_private(name) and part is not None else _masked(part) for name, part in value.items()
        }
    if isinstance(value, list):
        return [_masked(part) for part in value]
    return value


def _is_private(name: str) -> bool:
    plain = name.lower().replace("_", "")
    return any(word in plain for word in _PRIVATE_FIELDS)
