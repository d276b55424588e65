"""Reading the JSON that the sandbox writes."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from paymentops.core.errors import ApplicationError
from paymentops.core.money import LARGEST_MINOR, Money


class Unreadable(ValueError):
    """A document is not what the sandbox documents."""


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        Unreadable: it is none.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON") from error
    if not isinstance(document, dict):
        raise Unreadable("not a JSON object")
    return document


def text(document: Mapping[str, Any], name: str) -> str:
    """Read a member that is text.

    Raises:
        Unreadable: it is none.
    """
    value = document.get(name)
    if not isinstance(value, str) or "\x00" in value or len(value) > 1000:
        raise Unreadable(f"{name} is not text")
    return value


def money(document: Mapping[str, Any], name: str) -> Money:
    """Read a member that is an amount in minor units, in the currency of the document.

    Raises:
        Unreadable: it is none.
    """
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_MINOR:
        raise Unreadable(f"{name} is not an amount")
    try:
        return Money(value, text(document, "currency"))
    except ApplicationError as error:
        raise Unreadable("an unknown currency") from error


def moment(document: Mapping[str, Any], name: str) -> datetime:
    """Read a member that is a time with its offset.

    Raises:
        Unreadable: it is none.
    """
    try:
        moment = datetime.fromisoformat(text(document, name))
    except ValueError as error:
        raise Unreadable(f"{name} is not a time") from error
    if moment.tzinfo is None:
        raise Unreadable(f"{name} has no offset")
    return moment
