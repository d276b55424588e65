"""Open a closed account again."""

from collections.abc import Mapping
from typing import Any, Final

from django.core.management.base import OutputWrapper

from ledger.management.subcommands import close_account, people
from ledger.operations import accounts
from paymentops.core import clock

NAME: Final = "reopen-account"
HELP: Final = "Take entries on a closed account again."

add_arguments = close_account.add_arguments


def run(options: Mapping[str, Any], out: OutputWrapper) -> None:
    """Open it again."""
    opened = accounts.reopen_account(
        code=options["account"],
        currency=options["currency"],
        reason=options["reason"],
        by=people.acting(options),
        now=clock.now(),
    )
    out.write(f"{opened} is open.")
