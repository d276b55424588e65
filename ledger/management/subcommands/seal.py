"""Seal what was committed, without waiting for the worker."""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any, Final

from django.core.files.storage import storages
from django.core.management.base import OutputWrapper

from ledger.operations import sealing
from paymentops.core import clock

NAME: Final = "seal"
HELP: Final = "Chain all committed transitions, fold them into balances, and take and export the day's root."


def add_arguments(parser: ArgumentParser) -> None:
    """Take the form of the answer."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: Mapping[str, Any], out: OutputWrapper) -> None:
    """Seal and tell how far the chain reaches."""
    done = sealing.seal_all(now=clock.now())
    sealing.take_root(now=clock.now())
    exported = sealing.export_roots(storage=storages["ledger_roots"], now=clock.now())
    if options["json"]:
        roots = [root.date.isoformat() for root in exported]
        out.write(json.dumps({"sealed": done.links, "last_link": done.seq, "exported_roots": roots}))
        return
    out.write(f"{done.links} transitions sealed; the chain's last link is {done.seq}.")
    for root in exported:
        out.write(f"    root of {root.date}  link {root.seq}  sha256 {bytes(root.hash).hex()}")
