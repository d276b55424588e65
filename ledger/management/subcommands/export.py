"""``manage.py ledger export``: the books as a file, for spreadsheets or for beancount."""

import getpass
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.management.base import CommandError, OutputWrapper

from ledger import exports
from ledger.exports import Period, Taking
from paymentops.access.actors import Actor
from paymentops.core import clock
from paymentops.core.csv_export import Download

NAME: Final = "export"
HELP: Final = "Write the journal, an account's statement or the trial balance as CSV, or the journal for beancount."


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--format", choices=["csv", "beancount"], default="csv")
    parser.add_argument("--table", choices=["journal", "statement", "trial-balance"], default="journal")
    parser.add_argument("--account", help="for a statement, for example 1110:sandbox")
    parser.add_argument("--currency", help="for a statement, ISO 4217")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DATE", help="first effective day")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DATE", help="last effective day")
    parser.add_argument("--known-at", type=_moment, metavar="MOMENT", help="leave out what was recorded after it")
    parser.add_argument("--zone", type=_zone, default="UTC", help="whose days and times, for example Europe/Berlin")
    parser.add_argument("--bom", action="store_true", help="begin CSV with a byte order mark, for older spreadsheets")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where to write; without it standard output")


def run(options: Mapping[str, Any], stdout: OutputWrapper) -> None:
    """Write the file and note in the audit trail who took it."""
    download = _download(options)
    if options["output"] is None:
        for chunk in download.chunks:
            stdout.write(chunk.decode(), ending="")
        return
    _write(download, options["output"])
    stdout.write(f"Wrote {options['output']}.")


def _download(options: Mapping[str, Any]) -> Download:
    _refuse_what_does_not_belong_together(options)
    period = Period.of_dates(options["first"], options["last"], zone=options["zone"], known_at=options["known_at"])
    taking = Taking(
        by=Actor.command("ledger export", on_behalf_of=getpass.getuser()),
        now=clock.now(),
        zone=options["zone"],
        byte_order_mark=options["bom"],
    )
    if options["format"] == "beancount":
        return exports.beancount_journal(taking=taking, period=period)
    if options["table"] == "trial-balance":
        return exports.trial_balance(taking=taking, effective_at=period.until, known_at=period.known_at)
    if options["table"] == "statement":
        account, currency = options["account"], options["currency"]
        return exports.statement(taking=taking, code=account, currency=currency, period=period)
    return exports.journal(taking=taking, period=period)


def _refuse_what_does_not_belong_together(options: Mapping[str, Any]) -> None:
    named = [options["account"], options["currency"]]
    if options["table"] == "statement" and not all(named):
        raise CommandError("A statement is of one account: give --account and --currency.")
    if options["table"] != "statement" and any(named):
        raise CommandError("--account and --currency are for --table statement.")
    if options["format"] == "beancount" and options["table"] != "journal":
        raise CommandError("beancount reads the journal; leave --table out.")
    if options["format"] == "beancount" and options["bom"]:
        raise CommandError("--bom is for CSV.")
    if options["table"] == "trial-balance" and options["first"]:
        raise CommandError("A trial balance is as of one day: give --to alone.")


def _write(download: Download, path: Path) -> None:
    """Write beside the file and move it into place, so that what has the name is whole."""
    unfinished = path.with_name(f"{path.name}.part")
    try:
        with unfinished.open("wb") as file:
            file.writelines(download.chunks)
        unfinished.replace(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} needs an offset, for example 2026-01-31T12:00:00+00:00")
    return moment


def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ArgumentTypeError(f"{text!r} is not a time zone; write for example Europe/Berlin") from error
