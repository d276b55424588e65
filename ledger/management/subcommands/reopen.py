"""Open a closed month again: one person proposes, another one agrees, each with their own password."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import CommandError, OutputWrapper

from ledger.management.subcommands import people
from ledger.operations import periods
from ledger.periods import Month
from ledger.queries import periods as queries
from paymentops.access.actors import Actor
from paymentops.core import clock

NAME: Final = "reopen"
HELP: Final = "Open the last closed month again: one person proposes it, another one approves it."


def add_arguments(parser: ArgumentParser) -> None:
    """Take the month, who acts, and either a reason or the approval."""
    parser.add_argument("month", help="year and month, 2026-01")
    people.add_person(parser)
    step = parser.add_mutually_exclusive_group(required=True)
    step.add_argument("--reason", help="propose it, in your own words")
    step.add_argument("--approve", action="store_true", help="agree to what a colleague proposed")


def run(options: Mapping[str, Any], out: OutputWrapper) -> None:
    """Propose, or approve what is proposed."""
    month = Month.parse(options["month"])
    by = people.acting(options)
    if options["approve"]:
        _approve(month, by=by)
        out.write(f"{month} is open again. What its closing stored stays; close it again when it is right.")
        return
    proposal = periods.propose_reopening(month, reason=options["reason"], by=by, now=clock.now())
    out.write(f"Proposed as {proposal.public_id}; a second person approves it: ledger reopen {month} --as … --approve")


def _approve(month: Month, *, by: Actor) -> None:
    proposal = queries.proposed_reopening(month)
    if proposal is None:
        raise CommandError(f"Nobody proposed to open {month} again; propose it with --reason.")
    decision = periods.approve_reopening(proposal_id=proposal.pk, version=proposal.version, by=by, now=clock.now())
    decision.carried_out()
