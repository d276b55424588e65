"""The ledger at the operator's door: one command, one module per thing it can do in ``management.subcommands``."""

from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final, Protocol

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from ledger.management.subcommands import (
    close,
    close_account,
    export,
    periods,
    rebuild,
    reopen,
    reopen_account,
    seal,
    statement,
    trial_balance,
    verify,
)
from paymentops.core.errors import ApplicationError


class Subcommand(Protocol):
    """What a module in ``management.subcommands`` has."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module says it once and for all
        """What is typed."""

    @property
    def HELP(self) -> str:  # noqa: N802
        """What it does, in a sentence."""

    def add_arguments(self, parser: ArgumentParser, /) -> None:
        """Declare the options."""

    def run(self, options: Mapping[str, Any], stdout: OutputWrapper, /) -> None:
        """Do it with the options as parsed and write what there is to say."""


SUBCOMMANDS: Final[tuple[Subcommand, ...]] = (
    trial_balance,
    statement,
    seal,
    verify,
    rebuild,
    close,
    reopen,
    periods,
    close_account,
    reopen_account,
    export,
)


class Command(BaseCommand):
    help = "Read, prove, close and export the ledger."

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = "|".join(subcommand.NAME for subcommand in SUBCOMMANDS)
        commands = parser.add_subparsers(dest="what", required=True, metavar=names)
        for subcommand in SUBCOMMANDS:
            subcommand.add_arguments(
                commands.add_parser(subcommand.NAME, help=subcommand.HELP, description=subcommand.HELP)
            )

    def handle(self, **options: Any) -> None:
        chosen = {subcommand.NAME: subcommand for subcommand in SUBCOMMANDS}[options["what"]]
        try:
            chosen.run(options, self.stdout)
        except ApplicationError as refusal:
            raise CommandError(refusal.detail) from refusal
