"""The declared mapping of a CSV source: which column is which field, and how the file writes its values.

A mapping is plain data; ``CsvMapping.parse`` checks all of it and names every problem by its path, so that a mistake
shows when the mapping is saved and not when the first file arrives.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

from paymentops.core import currencies
from paymentops.core.errors import InvalidInput
from reconciliation.formats.line_types import LineType

type Column = str | int

# How a file may group thousands: what is declared, and what is then accepted.
GROUPINGS: Final[Mapping[str, str]] = {"": "", ".": r"\.", ",": ",", " ": "[ \u00a0\u202f]", "'": "['\u2019]"}
DECIMALS: Final = (".", ",")
DELIMITERS: Final = (",", ";", "\t", "|")
ISO: Final = "iso"
FIELDS: Final = frozenset(
    {
        "account", "batch_id", "booking_date", "credit", "currency", "debit", "description", "exchange_rate", "fee",
        "gross", "method", "moved_at", "net", "original_amount", "original_currency", "our_reference",
        "provider_reference", "related_reference", "sign", "type", "value_date",
    }
)  # fmt: skip
_REFERENCES: Final = ("provider_reference", "our_reference", "related_reference")
_DAYS: Final = ("moved_at", "booking_date", "value_date")
_LONGEST_TEXT: Final = 200
_MOST_DECIMALS: Final = 4
_MOST_SKIPPED: Final = 100


class Unit(StrEnum):
    """Whether amounts are written in major units (``12.90``) or in minor units (``1290``)."""

    MAJOR = "major"
    MINOR = "minor"


class Sign(StrEnum):
    """Where the direction of an amount comes from."""

    SIGNED = "signed"  # the amount carries it, as our balance sees it
    NEGATED = "negated"  # the amount carries it, as the other side sees it
    COLUMN = "column"  # the column ``sign`` holds a word for credit or debit
    DEBIT_CREDIT = "debit_credit"  # two columns, ``debit`` and ``credit``, of which one is filled
    TYPE = "type"  # the type says it: refunds, chargebacks, fees, payouts and debits leave us


class Problems:
    """What is wrong with declared data, by path; ``raise_if_any`` says it all at once."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, path: str, sentence: str) -> None:
        """Note one problem."""
        self._found.setdefault(path, []).append(sentence)

    def raise_if_any(self) -> None:
        """Raise ``InvalidInput`` with every noted problem in ``extra["errors"]``."""
        if self._found:
            said = " ".join(f"{path}: {' '.join(sentences)}" for path, sentences in sorted(self._found.items()))
            raise InvalidInput(f"The declaration cannot be used. {said}"[:2000], extra={"errors": self._found})

    def text(self, path: str, value: object) -> str:
        """Return a text of at most 200 characters."""
        if isinstance(value, str) and len(value) <= _LONGEST_TEXT and "\0" not in value:
            return value
        self.add(path, f"Give a text of at most {_LONGEST_TEXT} characters.")
        return ""

    def one_of(self, path: str, value: object, known: Iterable[str]) -> str:
        """Return one of the known texts."""
        choices = list(known)
        if isinstance(value, str) and value in choices:
            return value
        self.add(path, f"Give one of {', '.join(repr(choice) for choice in choices)}.")
        return choices[0]

    def whole(self, path: str, value: object, *, most: int) -> int:
        """Return a whole number from 0 to ``most``."""
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
            return value
        self.add(path, f"Give a whole number from 0 to {most}.")
        return 0

    def truth(self, path: str, value: object) -> bool:
        """Return true or false."""
        if isinstance(value, bool):
            return value
        self.add(path, "Give true or false.")
        return False

    def table(self, path: str, value: object) -> Mapping[str, Any]:
        """Return an object with texts as keys."""
        if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
            return value
        self.add(path, "Give an object.")
        return {}

    def words(self, path: str, value: object) -> tuple[str, ...]:
        """Return a list of texts."""
        if isinstance(value, list | tuple):
            return tuple(self.text(path, word) for word in value)
        self.add(path, "Give a list of texts.")
        return ()

    def exponents(self, path: str, value: object) -> dict[str, int]:
        """Return decimals by currency."""
        found = {}
        for code, decimals in self.table(path, value).items():
            if not currencies.is_known(code):
                self.add(path, f"{code[:20]!r} is not an active ISO 4217 currency code.")
            found[code] = self.whole(f"{path}.{code[:20]}", decimals, most=_MOST_DECIMALS)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """A last row that states totals: it begins with ``word``; ``count`` and ``net`` are column positions from 1."""

    word: str
    count: int = 0
    net: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvMapping:
    """How to read one CSV layout.

    Args:
        columns: field -> column, by its heading or, in a file without headings, by its position from 1.
        references: further columns kept with each line, by heading or position.
        unit, exponents: what an amount's digits mean; ``exponents`` overrides ISO 4217 per currency.
        types: the file's word -> our line type; a word that is not listed is ``other``, or ``default_type``.
        pending: words in the column ``type`` that announce a movement and do not book it.
        day_pattern, moment_pattern: ``iso`` or a ``strptime`` pattern.
        fee_negative: the file writes what we pay as a negative fee.
        skip: lines before the headings (or the first row) that are no data.
    """

    columns: Mapping[str, Column]
    references: tuple[Column, ...] = ()
    delimiter: str = ","
    headings: bool = True
    skip: int = 0
    decimal: str = "."
    grouping: str = ""
    unit: Unit = Unit.MAJOR
    exponents: Mapping[str, int] = field(default_factory=dict)
    currency: str = ""
    sign: Sign = Sign.SIGNED
    credit_words: tuple[str, ...] = ("cr", "c", "credit", "+")
    debit_words: tuple[str, ...] = ("dr", "d", "debit", "-")
    fee_negative: bool = False
    types: Mapping[str, LineType] = field(default_factory=dict)
    default_type: LineType = LineType.OTHER
    pending: tuple[str, ...] = ()
    day_pattern: str = ISO
    moment_pattern: str = ISO
    footer: Footer | None = None

    @classmethod
    def parse(cls, values: object) -> Self:
        """Read a mapping from plain data.

        Raises:
            InvalidInput: something in it cannot be used; ``extra["errors"]`` says what, by its path.
        """
        problems = Problems()
        mapping = cls.collect(values, problems)
        problems.raise_if_any()
        return mapping

    @classmethod
    def collect(cls, declared: object, problems: Problems) -> Self:
        """Read a mapping from plain data, noting what is wrong with it."""
        values = problems.table("mapping", declared)
        for name in sorted(set(values) - set(cls.__dataclass_fields__)):
            problems.add(f"mapping.{name[:40]}", "There is no such setting.")
        headings = problems.truth("mapping.headings", values.get("headings", True))
        mapping = cls(
            columns=_columns(values.get("columns", {}), headings=headings, problems=problems),
            references=_further(values.get("references", ()), headings=headings, problems=problems),
            delimiter=problems.one_of("mapping.delimiter", values.get("delimiter", ","), DELIMITERS),
            headings=headings,
            skip=problems.whole("mapping.skip", values.get("skip", 0), most=_MOST_SKIPPED),
            decimal=problems.one_of("mapping.decimal", values.get("decimal", "."), DECIMALS),
            grouping=problems.one_of("mapping.grouping", values.get("grouping", ""), GROUPINGS),
            unit=Unit(problems.one_of("mapping.unit", values.get("unit", Unit.MAJOR), list(Unit))),
            exponents=problems.exponents("mapping.exponents", values.get("exponents", {})),
            currency=problems.text("mapping.currency", values.get("currency", "")),
            sign=Sign(problems.one_of("mapping.sign", values.get("sign", Sign.SIGNED), list(Sign))),
            credit_words=_folded("credit_words", values, ("cr", "c", "credit", "+"), problems),
            debit_words=_folded("debit_words", values, ("dr", "d", "debit", "-"), problems),
            fee_negative=problems.truth("mapping.fee_negative", values.get("fee_negative", False)),
            types=_types(values.get("types", {}), problems),
            default_type=LineType(
                problems.one_of("mapping.default_type", values.get("default_type", LineType.OTHER), list(LineType))
            ),
            pending=_folded("pending", values, (), problems),
            day_pattern=_pattern("day_pattern", values.get("day_pattern", ISO), problems),
            moment_pattern=_pattern("moment_pattern", values.get("moment_pattern", ISO), problems),
            footer=_footer(values.get("footer"), problems),
        )
        mapping._check_together(problems)
        return mapping

    def _check_together(self, problems: Problems) -> None:
        """Note settings that make no sense beside each other."""
        columns, path = self.columns, "mapping.columns"
        if not any(name in columns for name in _REFERENCES):
            problems.add(path, f"Name at least one of {', '.join(_REFERENCES)}.")
        if not any(name in columns for name in _DAYS):
            problems.add(path, f"Name at least one of {', '.join(_DAYS)}.")
        if "currency" not in columns and not self.currency:
            problems.add(path, "Name the column currency, or give the currency of the whole file.")
        if self.currency and not currencies.is_known(self.currency):
            problems.add("mapping.currency", f"{self.currency[:20]!r} is not an active ISO 4217 currency code.")
        if self.decimal == self.grouping:
            problems.add("mapping.grouping", "Decimals and thousands cannot have the same separator.")
        if set(self.credit_words) & set(self.debit_words):
            problems.add("mapping.credit_words", "A word cannot mean both credit and debit.")
        self._check_sign(problems)

    def _check_sign(self, problems: Problems) -> None:
        """Note a sign rule without its columns, and columns without their sign rule."""
        columns = set(self.columns)
        if (self.sign is Sign.DEBIT_CREDIT) != ({"debit", "credit"} <= columns):
            problems.add("mapping.sign", "The sign rule debit_credit goes with the columns debit and credit, both.")
        if (self.sign is Sign.COLUMN) != ("sign" in columns):
            problems.add("mapping.sign", "The sign rule column goes with the column sign.")
        if self.sign is Sign.TYPE and "type" not in columns:
            problems.add("mapping.sign", "The sign rule type needs the column type.")
        if self.sign is not Sign.DEBIT_CREDIT and not {"gross", "net"} & columns:
            problems.add("mapping.columns", "Name the column gross or the column net.")


def _columns(value: object, *, headings: bool, problems: Problems) -> dict[str, Column]:
    found: dict[str, Column] = {}
    for name, column in problems.table("mapping.columns", value).items():
        if name not in FIELDS:
            problems.add(
                f"mapping.columns.{name[:40]}", f"There is no such field; known are {', '.join(sorted(FIELDS))}."
            )
        found[name] = _column(f"mapping.columns.{name[:40]}", column, headings=headings, problems=problems)
    return found


def _further(value: object, *, headings: bool, problems: Problems) -> tuple[Column, ...]:
    if not isinstance(value, list | tuple):
        problems.add("mapping.references", "Give a list of columns.")
        return ()
    return tuple(_column("mapping.references", column, headings=headings, problems=problems) for column in value)


def _column(path: str, column: object, *, headings: bool, problems: Problems) -> Column:
    if headings and isinstance(column, str) and 0 < len(column.strip()) <= _LONGEST_TEXT:
        return column.strip()
    if not headings and isinstance(column, int) and not isinstance(column, bool) and 0 < column <= _LONGEST_TEXT:
        return column
    problems.add(path, "Give the column's heading." if headings else "Give the column's position, from 1.")
    return "" if headings else 1


def _folded(name: str, values: Mapping[str, Any], default: tuple[str, ...], problems: Problems) -> tuple[str, ...]:
    if name not in values:
        return default
    return tuple(word.strip().casefold() for word in problems.words(f"mapping.{name}", values[name]))


def _types(value: object, problems: Problems) -> dict[str, LineType]:
    table = problems.table("mapping.types", value)
    return {
        word.strip().casefold(): LineType(problems.one_of(f"mapping.types.{word[:40]}", kind, list(LineType)))
        for word, kind in table.items()
    }


def _pattern(name: str, value: object, problems: Problems) -> str:
    pattern = problems.text(f"mapping.{name}", value) or ISO
    if pattern == ISO:
        return ISO
    sample = datetime(2026, 12, 31, 23, 58, 59, tzinfo=UTC)
    read = None
    # Python warns of a day without a year, and calls a part named twice an error of its own patterns.
    with suppress(ValueError, re.error):
        if "%y" in pattern.lower():
            read = datetime.strptime(sample.strftime(pattern), pattern).date()  # noqa: DTZ007 - only whether it reads
    if read != sample.date():
        problems.add(
            f"mapping.{name}", f"{pattern[:40]!r} does not name year, month and day in a way that can be read."
        )
    return pattern


def _footer(value: object, problems: Problems) -> Footer | None:
    if value is None:
        return None
    table = problems.table("mapping.footer", value)
    word = problems.text("mapping.footer.word", table.get("word", ""))
    count = problems.whole("mapping.footer.count", table.get("count", 0), most=_LONGEST_TEXT)
    net = problems.whole("mapping.footer.net", table.get("net", 0), most=_LONGEST_TEXT)
    if not word.strip() or not (count or net):
        problems.add("mapping.footer", "Give the word the row begins with, and the position of count or net.")
    return Footer(word=word.strip(), count=count, net=net)
