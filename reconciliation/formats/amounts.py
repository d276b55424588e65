"""Amounts as files write them -> whole minor units. An amount that is not plainly one is unreadable, never zero."""

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

from paymentops.core import currencies
from reconciliation.formats.contract import LARGEST_MINOR, Unreadable
from reconciliation.formats.mapping import GROUPINGS

_LONGEST: Final = 40
# Digits that always fit a bigint, and the separator.
_PLAIN: Final = 18
_RATE = re.compile(r"\d{1,12}(\.\d{1,18})?", re.ASCII)


def currency(text: str) -> str:
    """Return an ISO 4217 code in capitals.

    Raises:
        Unreadable: it is not an active currency.
    """
    code = text.strip().upper()
    if not currencies.is_known(code):
        raise Unreadable(f"{text[:20]!r} is not a currency." if text.strip() else "The currency is missing.")
    return code


def major(text: str, code: str, *, decimal: str = ".", grouping: str = "") -> int:
    """Read an amount in major units (``-1,234.50``) of a known currency.

    A sign may stand before or after; decimals beyond the currency's must be zeros; grouping must be by thousands.

    Raises:
        Unreadable: it is empty, no number, has more decimals than the currency, or does not fit.
    """
    return scaled(text, currencies.exponent(code), decimal=decimal, grouping=grouping)


def scaled(text: str, exponent: int, *, decimal: str = ".", grouping: str = "") -> int:
    """Read an amount in major units that has ``exponent`` decimals; else like ``major``."""
    whole, _, fraction = text.partition(decimal)
    # Nearly every amount of a file is as plain as this; the pattern is for the others.
    plain = len(text) <= _PLAIN and text.isascii() and whole.isdigit() and len(fraction) == exponent
    if plain and (not exponent or fraction.isdigit()):
        return int(whole + fraction)
    found = _pattern(decimal, grouping).fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if found is None:
        raise Unreadable(f"{text[:_LONGEST]!r} is not an amount." if text.strip() else "The amount is missing.")
    before, whole, fraction, after = found.groups()
    if before and after:
        raise Unreadable(f"{text[:_LONGEST]!r} has two signs.")
    digits = fraction or ""
    if digits[exponent:].strip("0"):
        raise Unreadable(f"{text[:_LONGEST]!r} has more than {exponent} decimals.")
    digits_only = whole if whole.isdigit() else "".join(character for character in whole if character.isdigit())
    return fitting(int(f"{digits_only}{digits[:exponent]:0<{exponent}}"), negative="-" in (before, after))


def minor(text: str) -> int:
    """Read an amount written in whole minor units, sign before it allowed.

    Raises:
        Unreadable: it is empty, not a whole number, or does not fit.
    """
    stripped = text.strip()
    digits = stripped[1:] if stripped[:1] in {"-", "+"} else stripped
    if not digits:
        raise Unreadable("The amount is missing.")
    if len(digits) > _LONGEST or not (digits.isascii() and digits.isdigit()):
        raise Unreadable(f"{text[:_LONGEST]!r} is not a whole number of minor units.")
    return fitting(int(digits), negative=stripped[0] == "-")


def fitting(value: int, *, negative: bool = False) -> int:
    """Return ``value``, negated if asked, if a bigint holds it."""
    if value > LARGEST_MINOR:
        raise Unreadable(f"{value} minor units is beyond what can be stored.")
    return -value if negative else value


def rescaled(value: int, exponent: int, ours: int) -> int:
    """Return an amount of ``exponent`` decimals in minor units of ``ours`` decimals.

    Raises:
        Unreadable: it would lose decimals, or does not fit.
    """
    if exponent > ours:
        whole, lost = divmod(abs(value), int(10 ** (exponent - ours)))
        if lost:
            raise Unreadable(f"{value} has {exponent} decimals, of which only {ours} can be kept.")
        return -whole if value < 0 else whole
    return fitting(abs(value) * int(10 ** (ours - exponent)), negative=value < 0)


def rate(text: str, *, decimal: str = ".") -> Decimal | None:
    """Read an exchange rate, or ``None`` where the field is empty.

    Raises:
        Unreadable: it is not a positive number.
    """
    plain = text.strip().replace(decimal, ".") if decimal != "." else text.strip()
    if not plain:
        return None
    if not _RATE.fullmatch(plain):
        raise Unreadable(f"{text[:_LONGEST]!r} is not an exchange rate.")
    try:
        return Decimal(plain) or None
    except InvalidOperation as error:
        raise Unreadable(f"{text[:_LONGEST]!r} is not an exchange rate.") from error


@lru_cache(maxsize=32)
def _pattern(decimal: str, grouping: str) -> re.Pattern[str]:
    """Return the pattern of (sign, whole part, decimals, sign)."""
    group = GROUPINGS[grouping]
    whole = rf"\d{{1,3}}(?:{group}\d{{3}})+|\d+" if group else r"\d+"
    return re.compile(rf"([+-]?) ?({whole})(?:{re.escape(decimal)}(\d*))? ?([+-]?)", re.ASCII)
