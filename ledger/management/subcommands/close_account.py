"""Close an account that is empty."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import OutputWrapper

from ledger.management.subcommands import people
from ledger.operations import accounts
from paymentops.core import clock

NAME: Final = "close-account"
HELP: Final = "Take no more entries on an account that stands at zero; nothing of it is deleted."


def add_arguments(parser: ArgumentParser) -> None:
    """Take the account, who acts, and why."""
    parser.add_argument("account", help="for example 1010:old")
    parser.add_argument("currency", help="ISO 4217")
    parser.add_argument("--reason", required=True, help="why, for the audit row")
    people.add_person(parser)


def run(options: Mapping[str, Any], out: OutputWrapper) -> None:
    """Close it."""
    closed = accounts.close_account(
        code=options["account"],
        currency=options["currency"],
        reason=options["reason"],
        by=people.acting(options),
        now=clock.now(),
    )
    out.write(f"{closed} is closed since {closed.closed_at:%Y-%m-%d %H:%M} UTC.")
