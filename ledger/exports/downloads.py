"""Exports as files: who takes what is written to the audit trail, then the file is made while it is read."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from django.db import transaction

from ledger import queries
from ledger.exports import beancount, reading, sheets
from ledger.exports.reading import Period
from paymentops.access import operations as access
from paymentops.access.actors import Actor
from paymentops.core import csv_export
from paymentops.core.csv_export import Download, Table

_CHUNK_CHARACTERS: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Taking:
    """Who takes an export, when, and how it is written.

    Args:
        by: whose name stands in the audit trail and in the file.
        now: when; also in the file's name.
        zone: the time zone of all moments and days in the file.
        byte_order_mark: begin a CSV file with U+FEFF, for older spreadsheets.
    """

    by: Actor
    now: datetime
    zone: tzinfo = UTC
    byte_order_mark: bool = False


def trial_balance(
    *, taking: Taking, effective_at: datetime | None = None, known_at: datetime | None = None
) -> Download:
    """Return the balances of all accounts as CSV; the axes are those of ``queries.trial_balance``."""
    asked = Period(until=effective_at, known_at=known_at)

    def table(facts: Mapping[str, str]) -> Table:
        found = queries.trial_balance(effective_at=effective_at, known_at=known_at)
        return sheets.trial_balance(facts=facts, found=found, zone=taking.zone)

    return _sheet("trial-balance", asked, taking, table)


def statement(*, taking: Taking, code: str, currency: str, period: Period) -> Download:
    """Return the posted lines of one account over a period, with running balance, as CSV.

    Raises:
        AccountNotFound: there is no such account.
    """
    account = reading.account_id(code=code, currency=currency)

    def table(facts: Mapping[str, str]) -> Table:
        (span,) = reading.spans(period, account_id=account)
        lines = reading.journal(period, account_id=account)
        return sheets.statement(facts=facts, span=span, lines=lines, zone=taking.zone)

    return _sheet("statement", period, taking, table, filtered=f"{code} {currency}")


def journal(*, taking: Taking, period: Period) -> Download:
    """Return every line of every entry posted in a period as CSV."""

    def table(facts: Mapping[str, str]) -> Table:
        return sheets.journal(facts=facts, lines=reading.journal(period), zone=taking.zone)

    return _sheet("journal", period, taking, table)


def beancount_journal(*, taking: Taking, period: Period) -> Download:
    """Return the entries posted in a period as beancount text; see ``ledger.exports.beancount``."""
    facts = _facts("journal for beancount", period, taking, filtered="")
    _record("beancount", facts, taking)
    return Download(_file_name("journal", taking, "beancount"), beancount.CONTENT_TYPE, _text(facts, period, taking))


def _text(facts: Mapping[str, str], period: Period, taking: Taking) -> Iterator[bytes]:
    preamble = beancount.Preamble(
        comments=[f"{label}: {value}" for label, value in facts.items()],
        since=period.since and period.since.astimezone(taking.zone).date(),
        until=period.until and period.until.astimezone(taking.zone).date(),
    )
    with reading.one_moment():
        pieces = beancount.text(
            preamble=preamble, spans=reading.spans(period), lines=reading.journal(period), zone=taking.zone
        )
        yield from _encoded(pieces)


def _encoded(pieces: Iterator[str]) -> Iterator[bytes]:
    waiting: list[str] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= _CHUNK_CHARACTERS:
            yield "".join(waiting).encode()
            waiting, length = [], 0
    yield "".join(waiting).encode()


def _sheet(
    what: str, period: Period, taking: Taking, table: Callable[[Mapping[str, str]], Table], *, filtered: str = ""
) -> Download:
    facts = _facts(what, period, taking, filtered=filtered)
    _record(what, facts, taking)
    return Download(_file_name(what, taking, "csv"), csv_export.CONTENT_TYPE, _rows(facts, taking, table))


def _rows(facts: Mapping[str, str], taking: Taking, table: Callable[[Mapping[str, str]], Table]) -> Iterator[bytes]:
    with reading.one_moment():
        yield from csv_export.stream(table(facts), byte_order_mark=taking.byte_order_mark)


def _record(what: str, facts: Mapping[str, str], taking: Taking) -> None:
    """Write the audit row before the first byte leaves, so that a download that breaks off is told of as well."""
    with transaction.atomic():
        access.audit(
            action="ledger.export",
            actor=taking.by,
            object_type="ledger_export",
            object_id=what,
            after=dict(facts),
            now=taking.now,
        )


def _facts(what: str, period: Period, taking: Taking, *, filtered: str) -> dict[str, str]:
    def moment(value: datetime | None, otherwise: str) -> str:
        return value.astimezone(taking.zone).isoformat() if value else otherwise

    return {
        "Export": f"Ledger, {what.replace('-', ' ')}",
        "Account": filtered or "all",
        "Effective from": moment(period.since, "the beginning"),
        "Effective until": moment(period.until, "no end"),
        "Known at": moment(period.known_at, "when it was made"),
        "Made at": moment(taking.now, ""),
        "Made by": taking.by.name,
        "Time zone": str(taking.zone),
        "Amounts": "debit positive; decimal, ISO 4217 currency, minor units",
    }


def _file_name(what: str, taking: Taking, extension: str) -> str:
    return f"ledger-{what}-{taking.now.astimezone(UTC):%Y%m%dT%H%M%SZ}.{extension}"
