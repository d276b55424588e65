"""Which formats there are, and the one way to read a file. Adding one is a module and a line here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from paymentops.core.errors import ApplicationError
from reconciliation.formats import adyen, bai2, camt, cnab240, mapped_csv, mt940, paypal, stripe
from reconciliation.formats.contract import (
    EndOfFile,
    Event,
    Reader,
    Reject,
    Source,
    StatementHeader,
    StatementLine,
    StatementRefused,
)
from reconciliation.formats.options import Options


class UnknownFormat(ApplicationError):
    """There is no statement format of this name; ``extra["known"]`` lists those there are."""

    code = "statement.unknown_format"
    status = 422
    title = "This statement format is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format: its title for people and its reader."""

    title: str
    read: Reader


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "adyen": Format(title="Adyen settlement detail report", read=adyen.read),
        "bai2": Format(title="BAI2 balance report", read=bai2.read),
        "camt.052": Format(title="ISO 20022 account report (camt.052)", read=camt.read_report),
        "camt.053": Format(title="ISO 20022 account statement (camt.053)", read=camt.read_statement),
        "camt.054": Format(title="ISO 20022 debit and credit notification (camt.054)", read=camt.read_notification),
        "cnab240": Format(title="CNAB 240 return file", read=cnab240.read),
        "csv": Format(title="CSV with a declared mapping", read=mapped_csv.read),
        "mt940": Format(title="SWIFT MT940 or MT942", read=mt940.read),
        "paypal": Format(title="PayPal settlement report (STL)", read=paypal.read),
        "stripe": Format(title="Stripe balance transactions or payout reconciliation", read=stripe.read),
    }
)


def get(name: str) -> Format:
    """Return a format by its name.

    Raises:
        UnknownFormat: there is none.
    """
    found = FORMATS.get(name)
    if found is None:
        raise UnknownFormat(f"There is no statement format {name[:80]!r}.", extra={"known": sorted(FORMATS)})
    return found


def read(stream: Source, *, format_name: str, options: Options) -> Iterator[Event]:
    """Read a file as a stream of events that ends with ``EndOfFile``.

    It proves on the way that no row was lost: rows are numbered without a gap over lines and rejects.

    Args:
        stream: the bytes; only ``read(size)`` is called on it.
        format_name: a key of ``FORMATS``.
        options: what the source declares.

    Raises:
        UnknownFormat: at once: there is no such format.
        StatementRefused: while iterating: the file as a whole cannot be trusted; nothing of it may be kept.
    """
    return _proven(get(format_name).read(stream, options))


def _proven(events: Iterator[Event]) -> Iterator[Event]:
    lines = rejects = statements = 0
    for event in events:
        if isinstance(event, StatementLine):
            lines += 1
        elif isinstance(event, Reject):
            rejects += 1
        elif isinstance(event, StatementHeader):
            statements += 1
        if isinstance(event, StatementLine | Reject) and event.row != lines + rejects:
            raise StatementRefused(
                line_number=event.line_number, reason=f"Row {event.row} was read as row {lines + rejects}."
            )
        yield event
    yield EndOfFile(rows=lines + rejects, lines=lines, rejects=rejects, statements=statements)
