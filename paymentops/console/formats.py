"""How amounts and states are written for people. Decimals come from our own table of currencies, never from CLDR."""

import re
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from babel import Locale
from babel.numbers import NumberFormatError, NumberPattern, parse_decimal, parse_pattern
from django.utils.translation import get_language, to_locale

from ledger.models import PeriodState
from ledger.models import State as EntryState
from ledger.queries import CheckState
from paymentops.casework.models import ProposalState
from paymentops.core import currencies
from paymentops.core.errors import InvalidInput
from paymentops.core.money import LARGEST_MINOR
from paymentops.incidents.states import Severity
from paymentops.incidents.states import State as IncidentState
from paymentops.payments.states import AttemptState, DisputeState, EvidenceState, PaymentState, RefundState

_DIGITS: Final = re.compile(r"[+\-\u2212]?[\d.,' \u00a0\u202f\u2019]*\d[\d.,' \u00a0\u202f\u2019]*")
_LABELS: Final[dict[str, str]] = {
    **{state.value: str(state.label) for state in AttemptState},
    **{state.value: str(state.label) for state in RefundState},
    **{state.value: str(state.label) for state in PaymentState},
    **{state.value: str(state.label).lower() for state in EntryState},
    **{state.value: str(state.label) for state in ProposalState},
    **{state.value: str(state.label).lower() for state in PeriodState},
    **{state.value: str(state.label) for state in IncidentState},
    **{state.value: str(state.label) for state in (*DisputeState, *EvidenceState)},
    **{severity.value: severity.value for severity in Severity},
    CheckState.PASSED.value: "passed",
    CheckState.DRIFTED.value: "drifted",
    CheckState.UNCHECKED.value: "not checked yet",
    CheckState.UNSEALED.value: "not yet sealed",
}
# Never colour alone: each tone has a symbol, and the state's name always stands beside it.
_TONES: Final[dict[str, str]] = {
    **dict.fromkeys(("CAPTURED", "SUCCEEDED", "POSTED", "CARRIED_OUT", "PASSED", "CLOSED", "RESOLVED"), "good"),
    **dict.fromkeys(
        ("AUTHORIZED", "PARTIALLY_CAPTURED", "APPROVED", "PROPOSED", "ACKNOWLEDGED", "MITIGATING", "MONITORING"), "held"
    ),
    **dict.fromkeys(("UNKNOWN_OUTCOME", "UNKNOWN", "STALE", "CLOSING", "SEV2"), "doubt"),
    **dict.fromkeys(("REQUIRES_ACTION", "ACTION_REQUIRED"), "held"),
    **dict.fromkeys(("FAILED", "DECLINED", "REJECTED", "REVERSED", "REFUSED", "DRIFTED", "SEV1"), "bad"),
    **dict.fromkeys(("VOIDED", "EXPIRED", "CANCELED", "WITHDRAWN", "SUPPRESSED", "MERGED"), "over"),
    **dict.fromkeys(("WON", "SUBMITTED"), "good"),
    **dict.fromkeys(("INQUIRY", "WON_PROVISIONAL", "PRE_ARBITRATION", "ARBITRATION"), "held"),
    **dict.fromkeys(("LOST", "MISSED"), "bad"),
    **dict.fromkeys(("INQUIRY_CLOSED", "ACCEPTED"), "over"),
}
_SYMBOLS: Final = {"good": "✓", "held": "◐", "doubt": "?", "bad": "✕", "over": "■", "wait": "…"}


class AmountNotUsable(InvalidInput):
    """A text is no amount of its currency in the present language, or could mean two."""

    title = "This is not an amount"


def money(minor: int, currency: str) -> str:
    """Write an amount for people in the present language: ``12,345.60 EUR``, ``12 345,60 EUR``, ``500 JPY``."""
    return f"{amount(minor, currency)}\N{NO-BREAK SPACE}{currency}"


def amount(minor: int, currency: str) -> str:
    """Write an amount in minor units with the decimals of its currency, grouped in the way of the present language."""
    locale = to_locale(get_language() or "en")
    exponent = currencies.exponent(currency)
    pattern = _pattern(locale, exponent)
    return str(pattern.apply(Decimal(minor).scaleb(-exponent), Locale.parse(locale)))


def minor_units(text: str, currency: str) -> int:
    """Read an amount as people of the present language write it, in minor units of a known currency.

    Raises:
        AmountNotUsable: it is no number, its groups are not where the language has them, or it has more decimals than
            the currency.
    """
    written = text.strip()
    example = amount(12345678, currency)
    if not _DIGITS.fullmatch(written):
        raise AmountNotUsable(f"Write the amount like {example}.")
    try:
        number = parse_decimal(written, locale=to_locale(get_language() or "en"), strict=True)
    except NumberFormatError as error:
        raise AmountNotUsable(f"“{written[:40]}” could mean several amounts; write it like {example}.") from error
    minor = number.scaleb(currencies.exponent(currency))
    if minor != int(minor):
        raise AmountNotUsable(f"{currency} has {currencies.exponent(currency)} decimals; write it like {example}.")
    if abs(minor) > LARGEST_MINOR:
        raise AmountNotUsable("The amount is larger than can be posted.")
    return int(minor)


@lru_cache(maxsize=256)
def _pattern(locale: str, exponent: int) -> NumberPattern:
    whole, _, _ = str(Locale.parse(locale).decimal_formats[None].pattern).partition(".")
    return parse_pattern(f"{whole}.{'0' * exponent}" if exponent else whole)


def masked(text: str) -> str:
    """Hide personal data but for the last two characters: ``••••77``."""
    return f"••••{text[-2:]}" if len(text) > 4 else "••••"


def state_label(state: str) -> str:
    """Return a state's name in plain words; an unknown one is shown as it is."""
    return _LABELS.get(state, state.replace("_", " ").lower())


def operation_name(operation: str) -> str:
    """Return what an attempt does as a noun: ``authorisation``, ``capture``, ``void``, ``refund``."""
    return {"AUTHORIZE": "authorisation"}.get(operation, operation.lower())


def account_name(name: str) -> str:
    """Write an account's name in words, without the part that its code shows too: ``merchant payable``."""
    return name.partition(":")[0].replace("_", " ")


def state_tone(state: str) -> str:
    """Return what a state means at a glance: ``good``, ``held``, ``doubt``, ``bad``, ``over`` or ``wait``."""
    return _TONES.get(state, "wait")


def tone_symbol(tone: str) -> str:
    """Return the sign that stands for a tone beside its colour."""
    return _SYMBOLS[tone]


def duration(passed: timedelta) -> str:
    """Write how long something took in its two largest units: ``2 d 3 h``, ``5 min 12 s``."""
    seconds = int(passed.total_seconds())
    sizes = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))
    parts = [
        f"{seconds // size % limit} {unit}" for (unit, size), limit in zip(sizes, (10**9, 24, 60, 60), strict=True)
    ]
    first = next((number for number, (_, size) in enumerate(sizes) if seconds >= size), len(sizes) - 1)
    return " ".join(part for part in parts[first : first + 2] if not part.startswith("0 ")) or "0 s"
