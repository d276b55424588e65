"""Print the trial balance, or how it changed between two moments."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.core.management.base import CommandError, OutputWrapper

from ledger import queries
from ledger.management.subcommands import moments
from ledger.queries import Change, TrialBalance
from paymentops.core.money import Money

NAME: Final = "trial-balance"
HELP: Final = "Print every account's posted balance per currency, or its change between two moments."


def add_arguments(parser: ArgumentParser) -> None:
    """Take the two axes, a moment to compare with, and the form of the answer."""
    parser.add_argument("--at", metavar="WHEN", help="count what was effective by then: a day (to its end) or a moment")
    parser.add_argument("--known-at", metavar="WHEN", help="count what had been recorded by then")
    parser.add_argument("--compare-to", metavar="WHEN", help="also take the balances of this moment, and the change")
    parser.add_argument("--json", action="store_true", help="print one JSON object; amounts in minor units")
    moments.add_zone(parser)


def run(options: Mapping[str, Any], out: OutputWrapper) -> None:
    """Print it; fails when debits and credits differ."""
    at, known_at, other = (moments.end(options, name) for name in ("at", "known_at", "compare_to"))
    found = queries.trial_balance(effective_at=at, known_at=known_at)
    if other is not None:
        _print_changes(found, other, known_at, options, out)
    elif options["json"]:
        out.write(json.dumps(_document(found, at, known_at), indent=2))
    else:
        _print(found, out)
    unbalanced = [trial.currency for trial in found if trial.difference]
    if unbalanced:
        raise CommandError(f"The books do not balance in {', '.join(unbalanced)}; run manage.py ledger verify.")


def _print(found: Sequence[TrialBalance], out: OutputWrapper) -> None:
    for trial in found:
        out.write(
            f"{trial.currency}  debits {_money(trial.debits, trial)}, credits {_money(trial.credits, trial)}, "
            f"difference {_money(trial.difference, trial)}"
        )
        for balance in trial.accounts:
            drifted = "  computed from its lines" if balance.drifted_at else ""
            out.write(f"    {balance.code:<40} {_money(balance.posted, trial):>20}{drifted}")
    if not found:
        out.write("There is no account yet.")


def _print_changes(
    found: Sequence[TrialBalance],
    other: datetime,
    known_at: datetime | None,
    options: Mapping[str, Any],
    out: OutputWrapper,
) -> None:
    before = queries.trial_balance(effective_at=other, known_at=known_at)
    changes = queries.compare_trial_balances(first=before, second=found)
    if options["json"]:
        out.write(json.dumps([_change(change) for change in changes], indent=2))
        return
    for change in changes:
        first, second, difference = (
            str(Money(minor, change.currency)) for minor in (change.first, change.second, change.difference)
        )
        out.write(f"{change.code:<40} {first:>20} {second:>20} {difference:>20}")


def _change(change: Change) -> dict[str, Any]:
    return {
        "account": change.code,
        "currency": change.currency,
        "first": change.first,
        "second": change.second,
        "difference": change.difference,
    }


def _document(found: Sequence[TrialBalance], at: datetime | None, known_at: datetime | None) -> dict[str, Any]:
    return {
        "effective_at": at.isoformat() if at else None,
        "known_at": known_at.isoformat() if known_at else None,
        "currencies": [
            {
                "currency": trial.currency,
                "debits": trial.debits,
                "credits": trial.credits,
                "difference": trial.difference,
                "accounts": [
                    {
                        "account": balance.code,
                        "posted": balance.posted,
                        "pending": balance.pending,
                        "available": balance.available,
                    }
                    for balance in trial.accounts
                ],
            }
            for trial in found
        ],
    }


def _money(minor: int, trial: TrialBalance) -> str:
    return str(Money(minor, trial.currency))
