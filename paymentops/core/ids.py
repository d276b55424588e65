"""Identifiers: UUID version 7 inside, a prefixed form of the same number outside.

The public form is ``<prefix>_<32 hexadecimal digits>``, for example ``pay_0199f0c2d5e47c3a9b1f...``.
Source of the layout: RFC 9562, section 5.7, with the sub-millisecond fraction of section 6.2, method 3.
"""

import os
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from paymentops.core.errors import ApplicationError


class Prefix(StrEnum):
    """What a public id names."""

    PAYMENT = "pay"
    ATTEMPT = "att"
    CAPTURE = "cap"
    CANCELLATION = "can"
    RESUMPTION = "res"
    REFUND = "ref"
    DISPUTE = "dsp"
    DISPUTE_RESPONSE = "dre"
    ENTRY = "ent"
    EVENT = "evt"
    CLIENT = "cli"
    API_KEY = "key"
    PROPOSAL = "prp"
    COMMENT = "com"
    ATTACHMENT = "fil"
    INCIDENT = "inc"
    STATEMENT_FILE = "stf"
    INGEST_RUN = "ing"
    WEBHOOK = "whk"
    DEAD_LETTER = "dlt"
    DUPLICATES = "dup"


class UnreadableId(ApplicationError):
    """A public id does not have the form its kind requires."""

    code = "id.unreadable"
    status = 404
    title = "There is nothing under this id"


def new(now: datetime) -> UUID:
    """Make a UUIDv7 whose time part is ``now``, so that ids sort by the moment they stand for."""
    microseconds = int(now.timestamp() * 1_000_000)
    milliseconds, rest = divmod(microseconds, 1000)
    fraction = rest * 4096 // 1000
    value = (milliseconds & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76 | fraction << 64 | 0b10 << 62 | int.from_bytes(os.urandom(8)) >> 2
    return UUID(int=value)


def first_at(moment: datetime) -> UUID:
    """Return the smallest UUIDv7 of a moment's millisecond: ids made earlier sort before it, later ones behind."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def public(prefix: Prefix, value: UUID) -> str:
    """Write ``value`` the way people and services see it."""
    return f"{prefix}_{value.hex}"


def parse(prefix: Prefix, text: str) -> UUID:
    """Read a public id back.

    Raises:
        UnreadableId: the text has another prefix or is not 32 hexadecimal digits.
    """
    head, _, digits = text.partition("_")
    if head != prefix or len(digits) != 32 or not digits.isascii() or not digits.isalnum():
        raise UnreadableId(f"{text[:80]!r} is not the id of a {prefix.name.lower()}.")
    try:
        return UUID(hex=digits)
    except ValueError as error:
        raise UnreadableId(f"{text[:80]!r} is not the id of a {prefix.name.lower()}.") from error
