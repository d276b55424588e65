"""The ``Idempotency-Key`` header: reading it, and what is wrong with one (IETF draft, Idempotency-Key HTTP header)."""

import re
from typing import Final

from paymentops.core.errors import ApplicationError, Conflict

_FORM: Final = re.compile(r"[A-Za-z0-9_:.-]{16,255}")
RETRY_AFTER_SECONDS: Final = 1


class KeyMissing(ApplicationError):
    """A money operation came without a key; without one a retry could charge twice."""

    code = "idempotency.key_missing"
    title = "An Idempotency-Key header is required"


class KeyMalformed(ApplicationError):
    """The key is too short, too long or has a character that is not allowed."""

    code = "idempotency.key_malformed"
    title = "The Idempotency-Key header cannot be read"


class KeyReused(ApplicationError):
    """The key was used before for another command; nothing was executed."""

    code = "idempotency.key_reused"
    status = 422
    title = "This key was used for another request"


class KeyInFlight(Conflict):
    """The first request with this key is still being executed."""

    code = "idempotency.in_flight"
    title = "A request with this key is still being executed"


def parse(header: str | None) -> str:
    """Read the header's value; a bare token and a quoted structured-field string mean the same key.

    Raises:
        KeyMissing: there is no header, or it is empty.
        KeyMalformed: the inner value is not 16 to 255 characters of ``A-Z a-z 0-9 _ : . -``.
    """
    if not header or not header.strip():
        raise KeyMissing(
            "Send an Idempotency-Key header: a value of your own, the same for every retry of one request."
        )
    text = header.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not _FORM.fullmatch(text):
        raise KeyMalformed("An Idempotency-Key has 16 to 255 characters out of A-Z, a-z, 0-9 and _ : . -")
    return text


def in_flight() -> KeyInFlight:
    """Build the refusal of a twin that came while the first request is being executed."""
    return KeyInFlight(
        "Wait and send the same request again; it will be answered with the first result.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def reused(*, fields: list[str], resource: str) -> KeyReused:
    """Build the refusal of another command under a used key; ``resource`` is the public id that owns the key."""
    return KeyReused(
        f"This key belongs to {resource}. Differing fields: {', '.join(fields)}. Use a new key for a new request.",
        extra={"fields": fields, "resource": resource},
    )
