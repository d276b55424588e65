"""Recompute the ledger from its lines up."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import CommandError, OutputWrapper

from ledger import verification
from paymentops.core.verification import as_json, as_table

NAME: Final = "verify"
HELP: Final = "Recompute lines, states, chain and balances; exits 1 when something is broken, naming the rows."


def add_arguments(parser: ArgumentParser) -> None:
    """Take the form of the answer."""
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def run(options: Mapping[str, Any], out: OutputWrapper) -> None:
    """Run the ledger's checks; ``manage.py verify`` runs those of every room."""
    checks = list(verification.checks())
    out.write(as_json(checks) if options["json"] else as_table(checks))
    broken = sum(not check.ok for check in checks)
    if broken:
        raise CommandError(f"{broken} of {len(checks)} checks found violations.", returncode=1)
