"""The journal as beancount text, from values to values: posted entries, opening balances, and assertions to check.

Source of the syntax: beancount's language reference. A text stands for one period:

- every account is opened, with the code it has here; one account holds all its currencies;
- what stood on the accounts before the period is one transaction dated the day before;
- every entry that counts as posted is a transaction with the flag ``*``, dated by its posting's effective day. An entry
  that was pending first stands at its posting's day; PENDING and VOIDED ones are left out, because beancount would add
  them up; a reversed entry and its reversal both stand;
- at the end the balance of every account in every currency is asserted, without any tolerance, the next morning;
- an account that was closed in all its currencies is closed, at the earliest the day after its last entry.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from itertools import groupby
from types import MappingProxyType
from typing import Final

from ledger import chart
from ledger.chart import Kind
from ledger.exports.reading import AccountSpan, JournalLine
from paymentops.core.money import Money

CONTENT_TYPE: Final = "text/plain; charset=utf-8"

# What is in clearing is neither owned nor owed yet; in beancount, as in other books, such a position is equity.
_ROOTS: Final = MappingProxyType(
    {
        Kind.ASSET: "Assets",
        Kind.LIABILITY: "Liabilities",
        Kind.INCOME: "Income",
        Kind.EXPENSE: "Expenses",
        Kind.CLEARING: "Equity",
    }
)
_KEPT: Final = re.compile(r"[A-Za-z0-9]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Preamble:
    """What the text says of itself: comments for people, and the day before which nothing of it happened."""

    comments: Sequence[str]
    since: date | None = None
    until: date | None = None


def text(
    *, preamble: Preamble, spans: Sequence[AccountSpan], lines: Iterable[JournalLine], zone: tzinfo = UTC
) -> Iterator[str]:
    """Write the text piece by piece; lines come by effective moment, the lines of an entry one after the other.

    Args:
        preamble: see the class.
        spans: every account with its balances around the period.
        lines: the posted lines of the period; read once.
        zone: the time zone that decides on which day a moment falls.
    """
    days = _Days.of(preamble, spans, zone)
    yield from (f"; {_plain(comment)}\n" for comment in preamble.comments)
    yield from _options(spans)
    for code, of_code in _by_code(spans).items():
        yield _opened(code, of_code, days.opening)
    yield from _opening_balances(spans, days.opening)
    for _, entry in groupby(lines, key=lambda line: line.entry_id):
        yield _transaction(list(entry), zone)
    for span in spans:
        yield f"{days.closing} balance {account_name(span.code)}  {_exact(span)}\n"
    for code, of_code in _by_code(spans).items():
        if closed := days.closed(of_code):
            yield f"{closed} close {account_name(code)}\n"


def account_name(code: str) -> str:
    """Return the name an account has in beancount: ``Assets:1110-ProviderReceivable:Sandbox``.

    Raises:
        UnknownAccount: the code does not follow the chart.
    """
    line = chart.find(code)
    words = "".join(word.capitalize() for word in line.name.split("_"))
    name = f"{_ROOTS[line.kind]}:{line.number}-{words}"
    return f"{name}:{component(code.partition(':')[2])}" if line.part else name


def component(part: str) -> str:
    """Write any text as a component of an account's name; two texts never become the same.

    A component has letters, digits and dashes and begins with a capital letter or a digit. ASCII letters and digits
    stay; ``_`` before one of them becomes ``-``; anything else becomes ``--<hexadecimal code point>-``. A small first
    letter becomes a capital; where the text begins otherwise than by a small letter or a digit, ``X---`` stands before
    it. ``cli_shop`` becomes ``Cli-shop`` and ``Shop.eu`` becomes ``X---Shop--2e-eu``.
    """
    written = "".join(_character(part, place) for place in range(len(part)))
    if part[:1].isascii() and part[:1].islower():
        return written[0].upper() + written[1:]
    return written if part[:1].isascii() and part[:1].isdigit() else f"X---{written}"


def _character(part: str, place: int) -> str:
    character = part[place]
    if _KEPT.match(character):
        return character
    if character == "_" and _KEPT.match(part[place + 1 : place + 2]):
        return "-"
    return f"--{ord(character):x}-"


@dataclass(frozen=True, slots=True)
class _Days:
    """The day on which accounts are opened, and the morning after the last entry."""

    opening: date
    closing: date
    zone: tzinfo

    @classmethod
    def of(cls, preamble: Preamble, spans: Sequence[AccountSpan], zone: tzinfo) -> "_Days":
        def day(moment: datetime) -> date:
            return moment.astimezone(zone).date()

        firsts = [day(span.first_at) for span in spans if span.first_at]
        lasts = [day(span.last_at) for span in spans if span.last_at]
        created = [day(span.created_at) for span in spans]
        began = preamble.since or min([*firsts, *created], default=date(1970, 1, 1))
        ended = max([*lasts, began, preamble.until or began])
        return cls(opening=began - timedelta(days=1), closing=ended + timedelta(days=1), zone=zone)

    def closed(self, spans: Sequence[AccountSpan]) -> date | None:
        """Return when an account was closed in all its currencies, never before its last entry; None while it is open.

        An entry can become effective after its account was closed, where its posting was late.
        """
        if not all(span.closed_at is not None and self._day(span.closed_at) < self.closing for span in spans):
            return None
        closings = [self._day(span.closed_at) for span in spans if span.closed_at]
        lasts = [self._day(span.last_at) + timedelta(days=1) for span in spans if span.last_at]
        return max([*closings, *lasts, self.opening + timedelta(days=1)])

    def _day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()


def _options(spans: Sequence[AccountSpan]) -> Iterator[str]:
    yield 'option "title" "PaymentOps ledger"\n'
    for currency in sorted({span.currency for span in spans}):
        yield f'option "operating_currency" "{currency}"\n'
    yield "\n"


def _by_code(spans: Sequence[AccountSpan]) -> Mapping[str, list[AccountSpan]]:
    grouped: dict[str, list[AccountSpan]] = {}
    for span in spans:
        grouped.setdefault(span.code, []).append(span)
    return grouped


def _opened(code: str, spans: Sequence[AccountSpan], day: date) -> str:
    currencies = ",".join(sorted(span.currency for span in spans))
    return f"{day} open {account_name(code)} {currencies}\n  code: {_quoted(code)}\n"


def _opening_balances(spans: Sequence[AccountSpan], day: date) -> Iterator[str]:
    standing = [span for span in spans if span.opening]
    yield f'\n{day} * "Opening balances"\n' if standing else "\n"
    yield from (f"  {account_name(span.code)}  {Money(span.opening, span.currency)}\n" for span in standing)
    yield "\n" if standing else ""


def _transaction(lines: Sequence[JournalLine], zone: tzinfo) -> str:
    entry = lines[0]
    metadata = {
        "id": entry.entry,
        "source": entry.source,
        "cause": entry.cause,
        "effective": entry.effective_at.astimezone(zone).isoformat(),
        "recorded": entry.recorded_at.astimezone(zone).isoformat(),
        "reverses": entry.reverses,
    }
    head = f"{entry.effective_at.astimezone(zone).date()} * {_quoted(entry.description or entry.source)}\n"
    rows = [f"  {key}: {_quoted(value)}\n" for key, value in metadata.items() if value]
    return "".join([head, *rows, *(_posting(line) for line in lines), "\n"])


def _posting(line: JournalLine) -> str:
    method = f"    method: {_quoted(line.method)}\n" if line.method else ""
    return f"  {account_name(line.code)}  {Money(line.amount, line.currency)}\n{method}"


def _exact(span: AccountSpan) -> str:
    return f"{Money(span.closing, span.currency).decimal()} ~ 0 {span.currency}"


def _quoted(value: str) -> str:
    escaped = _plain(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _plain(value: str) -> str:
    return _CONTROL.sub(" ", value)
