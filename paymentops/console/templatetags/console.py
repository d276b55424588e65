"""What templates ask for: amounts, states and times, always written the same way."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from django import template

from paymentops.console import formats
from paymentops.core.money import Money
from paymentops.payments.timeline import Fact

register = template.Library()
_LONGEST_CODE: Final = 28


@register.inclusion_tag("components/money.html")
def money(minor: int, currency: str) -> dict[str, Any]:
    """Show an amount given in minor units."""
    return {"number": formats.amount(minor, currency), "currency": currency, "negative": minor < 0}


@register.inclusion_tag("components/balance.html")
def balance(minor: int, currency: str) -> dict[str, Any]:
    """Show a balance given debit positive: the amount without its sign, and the side on which it stands."""
    side = "debit" if minor > 0 else "credit" if minor < 0 else ""
    return {"number": formats.amount(abs(minor), currency), "currency": currency, "side": side}


@register.inclusion_tag("components/state.html")
def state(value: str) -> dict[str, str]:
    """Show a state: symbol, colour and its name."""
    tone = formats.state_tone(value)
    return {"label": formats.state_label(value), "tone": tone, "symbol": formats.tone_symbol(tone)}


@register.inclusion_tag("components/time.html")
def moment(at: datetime | None) -> dict[str, Any]:
    """Show a moment in UTC, to the second; the exact one stands in ``datetime`` and on hovering."""
    if at is None:
        return {"at": None}
    utc = at.astimezone(UTC)
    return {"at": utc, "iso": utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


@register.inclusion_tag("components/copy.html")
def copy(text: str, what: str) -> dict[str, str]:
    """Show a button that copies ``text``; ``what`` names it for those who do not see it."""
    return {"text": text, "what": what}


@register.filter
def kind(fact: Fact) -> str:
    """Tell how a fact is to be shown."""
    match fact:
        case Money():
            return "money"
        case datetime():
            return "moment"
        case tuple():
            return "lines"
        case _:
            return "text"


@register.filter
def magnitude(minor: int) -> int:
    """Return an amount without its sign, for a column that says debit or credit."""
    return abs(minor)


@register.filter
def pretty_json(value: Any) -> str:
    """Write JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def state_name(value: str) -> str:
    """Write a state in plain words."""
    return formats.state_label(value)


@register.filter
def iso(day: date) -> str:
    """Write a day the way filters read it."""
    return day.isoformat()


@register.filter
def operation_name(value: str) -> str:
    """Write what an attempt does as a noun."""
    return formats.operation_name(value)


@register.filter
def words(value: str) -> str:
    """Write what an answer came to in words: ``not found``."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in value).strip()


@register.filter
def account_name(value: str) -> str:
    """Write an account's name in words."""
    return formats.account_name(value)


@register.filter
def owner(code: str, clients: Mapping[str, str]) -> str:
    """Name the API client that an account belongs to, where it is one's."""
    return clients.get(code.partition(":")[2], "")


@register.filter
def short(code: str) -> str:
    """Write a long account code by its beginning and end; the whole one stands beside it on hovering."""
    return code if len(code) <= _LONGEST_CODE else f"{code[:14]}…{code[-6:]}"


@register.filter
def item(values: Mapping[str, Any], name: str) -> Any:
    """Look one thing up by its name; nothing where there is none."""
    return values.get(name)


@register.filter
def hex(value: bytes) -> str:  # noqa: A001 - templates say it like this
    """Write bytes, a hash, in hexadecimal digits."""
    return bytes(value).hex()
