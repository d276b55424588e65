"""Make an account's stored balances anew."""

import getpass
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import CommandError, OutputWrapper

from ledger.operations import balances
from paymentops.access.actors import Actor
from paymentops.core import clock
from paymentops.core.money import Money

NAME: Final = "rebuild"
HELP: Final = "Make an account's stored balances anew from its sealed lines, after they drifted from them."


def add_arguments(parser: ArgumentParser) -> None:
    """Take the account and why."""
    parser.add_argument("account", help="for example 1110:sandbox")
    parser.add_argument("currency", help="ISO 4217")
    parser.add_argument("--reason", default="", help="words for the audit row")


def run(options: Mapping[str, Any], out: OutputWrapper) -> None:
    """Rebuild the account and check it at once."""
    named = {"code": options["account"], "currency": options["currency"]}
    by = Actor.command("ledger", on_behalf_of=getpass.getuser())
    rebuilt = balances.rebuild_balances(**named, reason=options["reason"], by=by, now=clock.now())
    posted = Money(int(rebuilt.posted), options["currency"])
    out.write(f"{options['account']}: {rebuilt.movements} movements, posted {posted}.")
    differing = balances.check_balance(**named, now=clock.now()).violations
    for violation in differing:
        out.write(f"    {violation}")
    if differing:
        raise CommandError("Its stored balances still differ from its lines; run manage.py ledger verify.")
