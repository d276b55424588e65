"""List the months of the books."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import OutputWrapper

from ledger.queries import periods as queries
from ledger.queries.periods import PeriodView

NAME: Final = "periods"
HELP: Final = "List the months that were ever closed, newest first; every other month is open."


def add_arguments(parser: ArgumentParser) -> None:
    """Take nothing."""


def run(_options: Mapping[str, Any], out: OutputWrapper) -> None:
    """Write one line per month."""
    months = queries.periods()
    for view in months:
        out.write(line(view))
    if not months:
        out.write("No month was ever closed.")


def line(view: PeriodView) -> str:
    """Write where a month stands and what its last closing stored; amounts elsewhere are in minor units."""
    stands = f"{view.month}  {view.state:<7}"
    if view.closed_at is None:
        return stands
    when = f"{view.closed_at:%Y-%m-%d %H:%M}"
    return f"{stands}  last closed {when} UTC by {view.closed_by}, {view.accounts} accounts  sha256 {view.hash}"
