"""Statement files at the operator's door."""

import getpass
import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from paymentops.access.actors import Actor
from paymentops.core import clock
from paymentops.core.errors import ApplicationError
from reconciliation import operations
from reconciliation.api import bodies
from reconciliation.models import IngestRun
from reconciliation.operations import Received, Worker
from reconciliation.states import RunState
from reconciliation.uploads import pieces_of, spooled


class Command(BaseCommand):
    help = (
        "Receives a statement file of a source and reads it, also one whose reading failed before; "
        "exits 1 when the file is refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", help="name of the source")
        parser.add_argument("file", type=Path)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, **options: Any) -> None:
        try:
            received = _receive(options["source"], options["file"])
        except ApplicationError as refusal:
            raise CommandError(refusal.detail) from refusal
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be read: {error.strerror}.") from error
        if received.run.state == RunState.FAILED:
            operations.resume(received.run.pk, cause=f"ingest:{received.run.version}", now=clock.now())
        worker = Worker(f"{settings.HOST_NAME}:{os.getpid()}", clock.now)
        run = operations.ingest(received.run.pk, worker=worker)
        self.stdout.write(_as_json(run, received) if options["json"] else _as_text(run, received))
        if run.state != RunState.PARSED:
            raise CommandError(_why_not(run))


def _receive(source: str, path: Path) -> Received:
    by = Actor.command("ingest", on_behalf_of=getpass.getuser())
    with path.open("rb") as file, spooled(pieces_of(file), largest=settings.STATEMENT_MAX_BYTES) as upload:
        return operations.receive(upload, source_name=source, name=path.name, by=by, now=clock.now())


def _as_json(run: IngestRun, received: Received) -> str:
    return json.dumps(bodies.file(run.file, run) | {"is_new": received.is_new}, indent=2)


def _as_text(run: IngestRun, received: Received) -> str:
    before = "" if received.is_new else ", received before"
    version = f", version {run.file.version}" if run.file.version > 1 else ""
    return (
        f"{run.file.public_id} {run.get_state_display()}{before}{version}: "
        f"{run.lines} lines, {run.rejects} rejected rows, SHA-256 {run.file.sha256}"
    )


def _why_not(run: IngestRun) -> str:
    if run.state == RunState.PARSING:
        return f"Another worker ({run.worker}) reads this file at the moment; run this again to see what came of it."
    where = f"line {run.reason_line}: " if run.reason_line else ""
    return f"The file is {run.get_state_display()}: {where}{run.reason}"
