"""What a source declares about its files beside the format's name, as plain data that can be kept as JSON."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from paymentops.core import currencies
from reconciliation.formats.mapping import CsvMapping, Problems

# Encodings that a source may declare; ``auto`` decides by the rule of ``text``.
ENCODINGS: Final = ("auto", "utf-8", "cp1252", "iso-8859-1", "iso-8859-15", "cp850", "cp437", "ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to read the files of one source.

    Args:
        zone: the zone of local times that carry no offset.
        encoding: one of ``ENCODINGS``; XML files say their own.
        currency: for files that name none (BAI2 without a currency: USD unless said here; CNAB is in BRL).
        account: for files that name none.
        reference_column: the column that holds our reference, where the format has no fixed one (Stripe metadata).
        layout: the CNAB layout, by name; empty chooses by the bank's code.
        exponents: decimals of currencies in which a provider differs from ISO 4217 (PayPal).
        mapping: how to read the columns; the mapped CSV format needs it, no other takes it.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    encoding: str = "auto"
    currency: str = ""
    account: str = ""
    reference_column: str = ""
    layout: str = ""
    exponents: Mapping[str, int] = field(default_factory=dict)
    mapping: CsvMapping | None = None

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Read options from plain data (``{"zone": "Europe/Berlin", "mapping": {…}}``).

        Raises:
            InvalidInput: something in it cannot be used; ``extra["errors"]`` says what, by its path.
        """
        problems = Problems()
        unknown = sorted(set(values) - {name for name in cls.__dataclass_fields__ if name != "mapping"} - {"mapping"})
        for name in unknown:
            problems.add(name, "There is no such option.")
        mapping = values.get("mapping")
        parsed = cls(
            zone=_zone(values.get("zone", "UTC"), problems),
            encoding=problems.one_of("encoding", _encoding(values.get("encoding", "auto")), ENCODINGS),
            currency=_currency(values.get("currency", ""), problems),
            account=problems.text("account", values.get("account", "")),
            reference_column=problems.text("reference_column", values.get("reference_column", "")),
            layout=problems.text("layout", values.get("layout", "")),
            exponents=problems.exponents("exponents", values.get("exponents", {})),
            mapping=None if mapping is None else CsvMapping.collect(mapping, problems),
        )
        problems.raise_if_any()
        return parsed


def _encoding(name: object) -> object:
    """Return the name as Python's codecs call it, so that ``latin1`` and ``windows-1252`` are known too."""
    if not isinstance(name, str) or name == "auto":
        return name
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return name
    return {"iso8859-1": "iso-8859-1", "iso8859-15": "iso-8859-15", "utf-8-sig": "utf-8"}.get(found, found)


def _zone(name: object, problems: Problems) -> ZoneInfo:
    text = problems.text("zone", name)
    try:
        return ZoneInfo(text or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        problems.add("zone", f"{text[:60]!r} is not a time zone.")
        return ZoneInfo("UTC")


def _currency(code: object, problems: Problems) -> str:
    text = problems.text("currency", code)
    if text and not currencies.is_known(text):
        problems.add("currency", f"{text[:20]!r} is not an active ISO 4217 currency code.")
    return text
