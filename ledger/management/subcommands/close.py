"""Close a month of the books."""

import getpass
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import OutputWrapper

from ledger.management.subcommands import periods as shown
from ledger.operations import periods
from ledger.periods import Month
from ledger.queries import periods as queries
from paymentops.access.actors import Actor
from paymentops.core import clock

NAME: Final = "close"
HELP: Final = "Close a month, or finish a closing that was interrupted; prints the hash of the balances it stored."
_LISTED: Final = 20


def add_arguments(parser: ArgumentParser) -> None:
    """Take the month and words for the record."""
    parser.add_argument("month", help="year and month, 2026-01")
    parser.add_argument("--reason", default="", help="words for the audit row")


def run(options: Mapping[str, Any], out: OutputWrapper) -> None:
    """Close the month and tell what stays pending."""
    month = Month.parse(options["month"])
    by = Actor.command("ledger", on_behalf_of=getpass.getuser())
    periods.close(month, by=by, reason=options["reason"], now=clock.now())
    view = queries.period(month)
    out.write(shown.line(view))
    for total in view.totals:
        out.write(f"    {total.currency}  {total.accounts} accounts, debits {total.debits}, credits {total.credits}")
    pending = queries.pending_at_end(month, limit=_LISTED)
    out.write(f"{pending.count} entries were pending at its end and stay so.")
    for entry in pending.oldest:
        out.write(f"    {entry.entry}  since {entry.since:%Y-%m-%d %H:%M} UTC  {entry.source_type} {entry.source_kind}")
    if pending.count > len(pending.oldest):
        out.write(f"    and {pending.count - len(pending.oldest)} more")
