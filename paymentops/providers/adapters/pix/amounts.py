"""Amounts of the API Pix: text with a point and two decimals, always in BRL."""

import re
from typing import Final

from paymentops.core.money import Money

CURRENCY: Final = "BRL"
_VALOR: Final = re.compile(r"(\d{1,10})\.(\d{2})", re.ASCII)
# Ten digits before the point (API Pix, ``Valor``).
LARGEST_MINOR: Final = 10**12 - 1


def from_valor(text: str) -> Money | None:
    """Read an amount; ``None`` for what is not one."""
    found = _VALOR.fullmatch(text)
    return Money(int(found[1] + found[2]), CURRENCY) if found else None
